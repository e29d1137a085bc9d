from __future__ import annotations

from typing import Any

import pytest

from meshdoor.node import wallfacts
from meshdoor.wall import model

VISIT: dict[str, Any] = {
    "id": "a1", "door": "Street", "door_id": "d", "at": 5.0, "result": "answered", "by": "Hall", "then": ["Kitchen"],
    "picture": True, "seen": True,
}  # fmt: skip
DOOR: dict[str, Any] = {
    "id": "d", "name": "Street", "state": "ready", "trouble": [], "dark": False, "contact": None, "picture": "a1",
    "lock": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "wanted", "tag"),
    [
        ({}, "", "en"),
        ({"LANG": "C.UTF-8"}, "", "en"),
        ({"LANG": "de_AT.UTF-8"}, "", "de-AT"),
        ({"LANG": "de_AT.UTF-8", "LC_ALL": "fr_FR"}, "", "fr-FR"),
        ({"LANG": "de_AT.UTF-8", "LC_ALL": ""}, "", "de-AT"),
        ({"LANG": "de_AT.UTF-8"}, "fr", "fr"),
    ],
)
def test_the_language(environment: dict[str, str], wanted: str, tag: str) -> None:
    assert wallfacts.locale_of(environment, wanted) == tag


def test_who_is_no_member_may_nothing() -> None:
    me = wallfacts.itself(None, "i", "screen-pi", "", "en")
    assert not any((me.member, me.can_talk, me.can_open, me.can_admit))


def test_doors() -> None:
    blind = DOOR | {"id": "e", "trouble": ["no picture: it was unplugged"], "contact": "left open", "picture": None}
    door, other = wallfacts.doors([DOOR, blind], [VISIT], {"a1": "/dev/shm/1.jpg"})
    assert door == model.Door("d", "Street", "ready", "/dev/shm/1.jpg", 5.0, lock=True)
    assert (other.camera, other.contact, other.picture) == (False, "left open", "")


def test_rooms_are_others_screens_first() -> None:
    rows = [
        {"id": "p", "name": "Ann", "role": "phone", "state": "ready", "at": "Hall"},
        {"id": "i", "name": "Hall", "role": "screen", "state": "ready", "at": None},
        {"id": "d", "name": "Street", "role": "door", "state": "ready", "at": None},
        {"id": "k", "name": "Kitchen", "role": "screen", "state": "in call", "at": None},
    ]
    assert wallfacts.rooms(rows, "i") == (
        model.Room("k", "Kitchen", "screen", "in call"),
        model.Room("p", "Ann", "phone", "ready", "Hall"),
    )


def test_visits() -> None:
    (visit,) = wallfacts.visits([VISIT], {})
    assert visit == model.Visit("a1", "Street", 5.0, "answered", "Hall", ("Kitchen",))


def test_an_alarm_that_has_passed_is_another_one() -> None:
    row = {"kind": "left open", "text": "The door of Street stands open", "name": "Street", "id": "d", "since": 7.0}
    on, off = wallfacts.alarms([row | {"on": True}, row | {"on": False}])
    assert (on.kind, on.name) == ("left_open", "Street")
    assert (off.kind, off.text) == ("", "The door of Street stands open")
    assert on.id != off.id
    assert wallfacts.alarms([row | {"on": True}]) == (on,)


def test_pairing() -> None:
    assert wallfacts.pairing(None, (), 0.0) is None
    assert wallfacts.pairing({"code": "1234-5678", "wait_s": 0.0}, ("b", "a"), 50.0) == model.Pairing(
        "1234-5678", 0.0, ("a", "b")
    )
    waits = wallfacts.pairing({"code": "1234-5678", "wait_s": 30.0}, (), 50.0)
    assert waits is not None
    assert waits.until == 80.0


def test_newcomers() -> None:
    row = {"id": "n", "name": "Shed", "role": "door", "address": None, "age_s": 1.0}
    assert wallfacts.newcomers([row]) == (model.Newcomer("n", "Shed", "door"),)
