from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.config import Config
from meshdoor.errors import UserError
from meshdoor.node.wallwishes import WallWishes
from meshdoor.settings.screen import ScreenConfig
from meshdoor.settings.sound import SoundConfig
from meshdoor.wall.model import SETTINGS

SET = [
    ("volume", "3"), ("brightness", "1"), ("tone", "gong"), ("theme", "dark"), ("language", "fr"), ("sleep", "0"),
    ("quiet", "on"), ("quiet_from", "23:30"), ("quiet_to", "06:15"),
]  # fmt: skip


def test_as_the_settings_say() -> None:
    config = Config(
        screen=ScreenConfig(language="de-AT", theme="dark", sleep=60),
        sound=SoundConfig(volume=0.5, tone="/srv/dog.wav", quiet="21:00-06:00"),
    )
    wishes = WallWishes.of(config)
    assert wishes == WallWishes(5, 10, "/srv/dog.wav", "dark", "de", 60, True, "21:00", "06:00")
    assert "/srv/dog.wav" in wishes.settings().tones
    assert WallWishes.of(Config()).quiet is False


@pytest.mark.parametrize(("name", "value"), SET)
def test_what_is_set_is_kept(name: str, value: str) -> None:
    wishes = WallWishes().set(name, value)
    kept = wishes.to_json()
    assert WallWishes().with_stored(kept) == wishes
    assert str(kept[name]).lower() in (value, "true")


def test_all_that_a_wall_can_set() -> None:
    assert {name for name, _ in SET} == SETTINGS.keys() - {"name"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("volume", "11"), ("brightness", "0"), ("sleep", "-1"), ("theme", "x"), ("tone", ""), ("quiet", "yes"),
     ("quiet_from", "25:00"), ("language", "xx"), ("colour", "red"), ("volume", "²")],
)  # fmt: skip
def test_what_cannot_be_set(name: str, value: str) -> None:
    with pytest.raises(UserError):
        WallWishes().set(name, value)


@given(st.dictionaries(st.sampled_from([*WallWishes().to_json(), "else"]), st.integers() | st.text() | st.booleans()))
def test_a_damaged_file_changes_nothing_else(stored: dict[str, object]) -> None:
    wishes = WallWishes().with_stored(stored)
    assert WallWishes().with_stored(wishes.to_json()) == wishes


def test_quiet_hours() -> None:
    night = time.mktime((2026, 6, 1, 23, 0, 0, 0, 0, -1))
    wishes = WallWishes(quiet=True)
    assert wishes.is_quiet(night)
    assert not wishes.is_quiet(night - 2 * 3600)
    assert wishes.until_change(night) == pytest.approx(8 * 3600)
    assert not WallWishes().is_quiet(night)
    assert WallWishes().until_change(night) is None
    assert wishes.hours().on
