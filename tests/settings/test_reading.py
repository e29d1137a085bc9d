"""From tables to settings; what the real ones say of bad values is tested with `meshdoor.config`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from meshdoor.errors import ConfigError
from meshdoor.settings.reading import built


@dataclass(frozen=True)
class Lamp:
    watts: float = 5.0
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Room:
    lamp: Lamp = Lamp()
    spare: Lamp | None = None
    lamps: tuple[Lamp, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def test_values_get_the_type_of_their_field() -> None:
    table: dict[str, Any] = {
        "lamp": {"watts": 7, "names": ["hall"]},
        "spare": {},
        "lamps": [{"watts": 0.5}],
        "groups": {"all": ["hall"]},
    }
    assert built(Room, table) == Room(Lamp(7.0, ("hall",)), Lamp(), (Lamp(0.5),), {"all": ("hall",)})
    assert built(Room, {}) == Room()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"lamp": {"wats": 7}}, "lamp.wats: no such setting"),
        ({"lamp": {"watts": True}}, "lamp.watts: must be a number, not True"),
        ({"spare": 3}, "spare: must be a table"),
        ({"lamps": {}}, "lamps: must be a list of tables: [[lamps]]"),
        ({"groups": {"all": [1]}}, "groups.all: must be a list of strings"),
    ],
)
def test_the_field_is_named(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        built(Room, table)
    assert str(caught.value) == said


def test_a_name_that_is_nearly_right() -> None:
    with pytest.raises(ConfigError) as caught:
        built(Lamp, {"wats": 7})
    assert caught.value.hint == "did you mean 'watts'?"
