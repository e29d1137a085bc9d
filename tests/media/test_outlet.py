"""One stream for many: history, joiners, key frames."""

from __future__ import annotations

import pytest

from meshdoor.media.outlet import History, KeyFrameRequests, Outlet
from tests.media.test_sink import Rig


def test_the_first_request_is_served_at_once_and_others_share_the_next() -> None:
    requests = KeyFrameRequests(0.3)
    assert not requests.take(0.0)
    requests.request()
    assert requests.take(10.0)
    for _ in range(5):
        requests.request()
    assert not requests.take(10.1)
    assert not requests.take(10.29)
    assert requests.take(10.31)
    assert not requests.take(11.0)
    assert requests.requested == 6


def test_a_key_frame_that_nobody_asked_for_serves_as_well() -> None:
    requests = KeyFrameRequests(0.3)
    requests.request()
    requests.made(10.0)
    assert not requests.take(10.4)


@pytest.mark.parametrize("number", [0xFFFE, 0xFFFF, 0, 1])
def test_history_finds_packets_by_number(number: int) -> None:
    rig = Rig(first=0xFFFE)
    unit = rig.unit(4)
    at = (number - 0xFFFE) & 0xFFFF
    assert rig.history.find(number) == (unit.groups[0].headers[at], unit.groups[0].payloads[at])
    assert rig.history.find(0xFFFD) is None
    assert rig.history.find(2) is None


def test_history_is_bounded() -> None:
    rig = Rig()
    rig.history = History(10)
    for _ in range(6):
        rig.unit(3)
    assert rig.history.find(100) is None
    assert rig.history.find(117) is not None


def test_a_joiner_is_given_all_since_the_last_key_frame() -> None:
    rig, late = Rig(), Rig()
    wanted: list[str] = []
    outlet = Outlet(lambda: wanted.append("key frame"))
    outlet.add(rig.sink, 0.0)
    assert wanted == ["key frame"]
    for key in (True, False, False):
        outlet.deliver(rig.unit(key=key))
    outlet.add(late.sink, rig.time)
    assert late.numbers() == rig.numbers()
    assert wanted == ["key frame"]
    outlet.deliver(rig.unit(key=False))
    assert late.numbers() == rig.numbers() == [109, 110, 111]


def test_a_joiner_much_later_waits_for_a_new_one() -> None:
    rig, late = Rig(), Rig()
    wanted: list[str] = []
    outlet = Outlet(lambda: wanted.append("key frame"))
    outlet.add(rig.sink, 0.0)
    outlet.deliver(rig.unit())
    outlet.add(late.sink, rig.time + 0.31)
    assert late.numbers() == []
    assert len(wanted) == 2


def test_one_that_fails_or_is_full_does_not_delay_the_others() -> None:
    rig, dead, full = Rig(), Rig(), Rig()
    dead.wire.error = OSError(101, "no route")
    full.wire.room = 0
    outlet = Outlet()
    for one in (dead, full, rig):
        outlet.add(one.sink, 0.0)
    for _ in range(3):
        outlet.deliver(rig.unit())
    assert len(rig.received()) == 9
    assert dead.sink.counters.send_errors == 3
    assert full.wire.sent == []
    full.wire.room = 1 << 20
    assert full.sink.flush()
    assert len(full.received()) == 9  # under its own key, though others have encrypted meanwhile


def test_watched_counts_open_gates() -> None:
    rig = Rig()
    outlet = Outlet()
    watched = [outlet.watched]
    rig.sink.gate(False)
    outlet.add(rig.sink, 0.0)
    watched.append(outlet.watched)
    rig.sink.gate(True)
    watched.append(outlet.watched)
    outlet.remove(rig.sink)
    outlet.remove(rig.sink)
    watched.append(outlet.watched)
    assert watched == [False, False, True, False]


def test_sends_again_from_its_history() -> None:
    rig = Rig()
    outlet = Outlet()
    outlet.add(rig.sink, 0.0)
    outlet.deliver(rig.unit())
    outlet.resend(rig.sink, (101,), 0.0)
    assert rig.wire.sent[3] == rig.wire.sent[1]
    outlet.history.clear()
    outlet.resend(rig.sink, (101,), 0.0)
    assert len(rig.wire.sent) == 4
