from __future__ import annotations

import pytest

from meshdoor.errors import ConfigError
from meshdoor.settings.sound import SoundConfig, hours_of


def test_the_defaults_are_right() -> None:
    assert hours_of(SoundConfig().quiet) is None


def test_quiet_hours() -> None:
    assert hours_of("22:00-07:30") == ("22:00", "07:30")


@pytest.mark.parametrize("tone", ["gong", "/var/lib/meshdoor/dog.wav", "./dog.wav", ""])
def test_tones(tone: str) -> None:
    assert SoundConfig(tone=tone).tone == tone


@pytest.mark.parametrize(
    "wrong",
    [
        {"volume": 1.1},
        {"talk_volume": -0.1},
        {"quiet_volume": 2.0},
        {"louder_after": 121.0},
        {"louder_after": -1.0},
        {"echo": "maybe"},
        {"tone": "dingdong"},
        {"door_tone": "dog.wav"},
        {"quiet": "22-7"},
        {"quiet": "24:00-07:00"},
        {"quiet": "07:00-07:00"},
    ],
)
def test_what_is_no_setting(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"^sound"):
        SoundConfig(**wrong)  # type: ignore[arg-type]
