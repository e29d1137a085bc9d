from __future__ import annotations

from pathlib import Path

import pytest

from meshdoor.errors import EngineError
from meshdoor.media import fonts


def folder(where: Path, *names: str) -> Path:
    for name in names:
        file = where / "truetype" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return where


def test_the_best_that_is_there(tmp_path: Path) -> None:
    where = folder(tmp_path, "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "Piboto-Regular.ttf", "Piboto-Bold.ttf", "x.txt")
    found = fonts.find(folders=[where])
    assert (found.regular.name, found.bold.name, found.light.name) == (
        "Piboto-Regular.ttf",
        "Piboto-Bold.ttf",
        "Piboto-Regular.ttf",
    )
    assert [other.name for other in found.others] == ["DejaVuSans.ttf"]


def test_one_without_a_bold_one_is_passed_over(tmp_path: Path) -> None:
    where = folder(tmp_path, "Inter-Regular.ttf", "FreeSans.otf", "FreeSansBold.otf")
    assert fonts.find(folders=[where]).regular.name == "FreeSans.otf"


def test_anything_is_better_than_nothing(tmp_path: Path) -> None:
    assert fonts.find(folders=[folder(tmp_path, "Zapf.ttf")]).bold.name == "Zapf.ttf"


def test_none(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="apt install fonts-dejavu-core"):
        fonts.find(folders=[tmp_path / "none"])


def test_the_chosen_one(tmp_path: Path) -> None:
    file = folder(tmp_path, "Own.ttf") / "truetype" / "Own.ttf"
    assert fonts.find(str(file)).regular == file
    with pytest.raises(EngineError, match="there is no font"):
        fonts.find(str(tmp_path / "other.ttf"))
