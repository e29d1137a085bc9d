from __future__ import annotations

from pathlib import Path

import pytest

from meshdoor import config
from meshdoor.errors import ConfigError
from meshdoor.settings.screen import ScreenConfig


def test_a_whole_screen_or_a_window() -> None:
    assert ScreenConfig().window is None
    assert ScreenConfig(size="1280x800", rotate=270, language="de-AT", theme="dark", sleep=0).window == (1280, 800)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"size": "large"}, "is no size"),
        ({"size": "80x48"}, "is no size"),
        ({"rotate": 45}, "none of 0, 90, 180, 270"),
        ({"theme": "pink"}, "none of auto, light, dark"),
        ({"sleep": -1}, "not from 0"),
        ({"language": "Deutsch"}, "is no language"),
    ],
)
def test_what_cannot_be_set(settings: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        ScreenConfig(**settings)  # type: ignore[arg-type]


def test_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[screen]\nrotate = 90\ntheme = "dark"\n')
    assert config.read(file).screen == ScreenConfig(rotate=90, theme="dark")
