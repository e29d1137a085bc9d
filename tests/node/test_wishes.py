"""What phones asked of a node: quiet hours, and where messages go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from meshdoor.errors import UserError
from meshdoor.node.push import check_endpoint
from meshdoor.node.wishes import Quiet, Subscription, Wishes

KEY, OTHER = b"a" * 32, b"b" * 33
GOOD = {"endpoint": "https://push.example.org/x", "keys": {"p256dh": "BA", "auth": "xx"}, "expirationTime": None}


def at(hour: int, minute: int = 0, second: int = 0) -> float:
    return datetime(2026, 12, 24, hour, minute, second, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("begin", "end", "quiet", "loud"),
    [
        ("22:00", "07:00", [(22, 0), (23, 59), (0, 0), (6, 59)], [(7, 0), (21, 59), (12, 0)]),
        ("13:00", "14:30", [(13, 0), (14, 29)], [(12, 59), (14, 30), (0, 0)]),
        ("00:00", "00:00", [], [(0, 0), (12, 0)]),
    ],
)
def test_quiet_hours(begin: str, end: str, quiet: list[tuple[int, int]], loud: list[tuple[int, int]]) -> None:
    hours = Quiet.parse(begin, end, 0)
    assert all(hours.covers(at(*moment)) for moment in quiet)
    assert not any(hours.covers(at(*moment)) for moment in loud)
    assert hours.to_json() == {"from": begin, "to": end}


def test_the_clock_is_that_of_the_phone() -> None:
    assert Quiet.parse("22:00", "07:00", 60).covers(at(21))
    assert not Quiet.parse("22:00", "07:00", -300).covers(at(22))
    assert Quiet.parse("00:00", "23:59", None).covers(at(12)) in (True, False)


def test_when_it_changes() -> None:
    hours = Quiet.parse("22:00", "07:00", 0)
    assert hours.until_change(at(21, 59, 30)) == 30
    assert hours.until_change(at(22)) == 9 * 3600
    assert Quiet.parse("00:00", "00:00", 0).until_change(at(0)) == 86400


@pytest.mark.parametrize(
    ("begin", "end", "offset"),
    [("24:00", "07:00", 0), ("7:00", "08:00", 0), (None, "07:00", 0), ("22:00", 7, 0), ("22:00", "07:00", 2000)],
)
def test_what_is_no_time(begin: Any, end: Any, offset: Any) -> None:
    with pytest.raises(UserError):
        Quiet.parse(begin, end, offset)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {},
        {"endpoint": "https://x.example", "keys": {}},
        GOOD | {"endpoint": "http://push.example.org/x"},
        GOOD | {"endpoint": "https://push.example.org/" + "x" * 2000},
        GOOD | {"keys": {"p256dh": "", "auth": "x"}},
    ],
)
def test_what_is_no_subscription(wrong: Any) -> None:
    with pytest.raises(UserError):
        Subscription.parse(wrong)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "10.0.0.1:8443", "localhost", "router", "nas.local", "nas.local.", "x.home.arpa"]
)
def test_no_phone_makes_a_node_knock_in_the_house(host: str) -> None:
    with pytest.raises(UserError, match="no push service"):
        check_endpoint(Subscription.parse(GOOD | {"endpoint": f"https://{host}/x"}))
    check_endpoint(Subscription.parse(GOOD))


def test_what_was_asked_is_kept() -> None:
    saved: list[dict[str, Any]] = []
    wishes = Wishes({}, saved.append)
    quiet, subscription = Quiet.parse("22:00", "07:00", 60), Subscription.parse(GOOD)
    wishes.set_quiet(KEY, quiet)
    wishes.set_push(KEY, subscription)
    wishes.set_push(OTHER, subscription)
    again = Wishes(saved[-1], saved.append)
    assert again.quiet(KEY) == quiet
    assert again.is_quiet(KEY, at(22))
    assert not again.is_quiet(OTHER, at(22))
    assert again.subscriptions() == {KEY: subscription, OTHER: subscription}
    again.set_quiet(KEY, None)
    again.set_push(OTHER, None)
    assert saved[-1].keys() == {KEY.hex()}
    again.keep_only([KEY])
    count = len(saved)
    again.keep_only([])
    assert saved[count:] == [{}]


@pytest.mark.parametrize(
    "stored",
    [
        {"xx": {}},
        {KEY.hex(): None},
        {KEY.hex(): {"quiet": {"begin": 9999, "end": 0}}},
        {KEY.hex(): {"quiet": {"begin": 1}}},
        {KEY.hex(): {"push": {"endpoint": 1}}},
    ],
)
def test_what_cannot_be_read_was_not_asked(stored: dict[str, Any]) -> None:
    wishes = Wishes(stored, lambda table: None)
    assert wishes.quiet(KEY) is None
    assert wishes.subscriptions() == {}
