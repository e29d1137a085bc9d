"""Which font of the system the screen on the wall writes with."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshdoor.errors import EngineError

FOLDERS: Final = (Path("/usr/local/share/fonts"), Path("/usr/share/fonts"))
ENDINGS: Final = frozenset({".ttf", ".otf"})

# The first that is there: regular, bold, light. Piboto is that of Raspberry Pi OS.
FAMILIES: Final = (
    ("Inter-Regular", "Inter-Bold", "Inter-Light"),
    ("NotoSans-Regular", "NotoSans-Bold", "NotoSans-Light"),
    ("Roboto-Regular", "Roboto-Bold", "Roboto-Light"),
    ("Piboto-Regular", "Piboto-Bold", "Piboto-Light"),
    ("OpenSans-Regular", "OpenSans-Bold", "OpenSans-Light"),
    ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-ExtraLight"),
    ("LiberationSans-Regular", "LiberationSans-Bold", "LiberationSans-Regular"),
    ("FreeSans", "FreeSansBold", "FreeSans"),
)
WITH_MORE: Final = ("DejaVuSans", "NotoSansCJK-Regular", "FreeSans")  # for names in letters that the chosen one lacks
MISSING: Final = "there is no font: apt install fonts-dejavu-core"


@dataclass(frozen=True, slots=True)
class Family:
    """Files of one typeface; `others` for letters that it lacks."""

    regular: Path
    bold: Path
    light: Path
    others: tuple[Path, ...] = ()


def find(chosen: str = "", folders: Sequence[Path] = FOLDERS) -> Family:
    """The best that is there, or the file that is named in the settings. Raises EngineError when there is none."""
    if chosen:
        file = Path(chosen)
        if not file.is_file():
            raise EngineError(f"there is no font {chosen}")
        return Family(file, file, file)
    files = {file.stem: file for file in _files(folders)}
    for regular, bold, light in FAMILIES:
        if regular in files and bold in files:
            others = tuple(files[name] for name in WITH_MORE if name in files and name != regular)
            return Family(files[regular], files[bold], files.get(light, files[regular]), others)
    if not files:
        raise EngineError(MISSING)
    file = files[min(files)]
    return Family(file, file, file)


def _files(folders: Iterable[Path]) -> Iterable[Path]:
    for folder in folders:
        for where, _, names in os.walk(folder):
            yield from (Path(where, name) for name in names if Path(name).suffix.lower() in ENDINGS)
