"""Claiming a host name: it is held when nobody answers, and left to whoever does."""

from __future__ import annotations

import pytest

from meshdoor.mesh import dns
from meshdoor.mesh.dns import Message, Question, Record
from meshdoor.mesh.hostname import LOST_INTERVAL, TAKEN_INTERVAL, HostName, State, label_of

NAME = (b"door", b"local")
OURS, THEIRS = bytes((10, 77, 0, 5)), bytes((10, 77, 0, 9))


def low(low: float, high: float) -> float:
    return low


def claim() -> HostName:
    hostname = HostName("door", low, 0.0)
    hostname.addresses_changed(["10.77.0.5", "fe80::1%eth0", "fe80::1", "2001:db8::1"])
    return hostname


def run(hostname: HostName, now: float = 0.0) -> list[Message]:
    """Until it is held."""
    probes: list[Message] = []
    while (deadline := hostname.next_deadline()) is not None and len(probes) < 9:
        hostname.handle_timer(deadline)
        probe = hostname.take_probe()
        probes += [probe] if probe else []
    return probes


def state(hostname: HostName) -> State:
    return hostname.state


def address(data: bytes, ttl: int = 120) -> Record:
    return Record((b"DOOR", b"local"), dns.A if len(data) == 4 else dns.AAAA, ttl, data, unique=True)


def answer(*records: Record) -> Message:
    return Message(records=records, response=True)


def test_three_probes_then_held() -> None:
    hostname = claim()
    assert hostname.records == ()
    probes = run(hostname)
    assert [probe.questions for probe in probes] == [(Question(NAME, dns.ANY),)] * 3
    assert probes[0].proposed == hostname.records
    records: tuple[Record, ...] = hostname.records
    assert [(record.type, record.data) for record in records] == [
        (dns.A, OURS),
        (dns.AAAA, bytes.fromhex("20010db8000000000000000000000001")),
    ]
    hostname.handle_timer(99.0)
    assert hostname.take_probe() is None


def test_not_before_its_time() -> None:
    hostname = HostName("door", lambda low, high: high, 0.0)
    hostname.handle_timer(0.1)
    assert hostname.take_probe() is None


@pytest.mark.parametrize("data", [OURS, THEIRS])
def test_whoever_answers_a_probe_keeps_the_name(data: bytes) -> None:
    hostname = claim()
    hostname.handle_timer(0.0)
    hostname.received(answer(address(data)), 0.1)
    assert state(hostname) is State.TAKEN
    assert hostname.next_deadline() == 0.1 + TAKEN_INTERVAL
    hostname.take_probe()
    assert len(run(hostname)) == 3
    assert state(hostname) is State.HELD


def test_what_is_held_is_lost_to_another_address_only() -> None:
    hostname = claim()
    run(hostname)
    for message in (
        answer(address(OURS)),
        answer(address(THEIRS, ttl=0)),
        answer(Record((b"hall", b"local"), dns.A, 120, THEIRS)),
        answer(Record(NAME, dns.TXT, 120, b"\0")),
        Message((Question(NAME, dns.ANY),), proposed=(address(THEIRS),)),
    ):
        hostname.received(message, 5.0)
        assert state(hostname) is State.HELD
    hostname.received(answer(address(THEIRS)), 5.0)
    assert state(hostname) is State.TAKEN
    assert hostname.records == ()


def test_of_two_that_probe_at_once_the_later_data_wins() -> None:
    hostname = claim()
    hostname.handle_timer(0.0)
    hostname.received(Message(proposed=(address(bytes(4)),)), 0.1)
    assert hostname.next_deadline() == 0.25
    hostname.received(Message((Question(NAME, dns.ANY),)), 0.1)
    assert hostname.next_deadline() == 0.25
    hostname.received(Message(proposed=(address(THEIRS),)), 0.1)
    assert hostname.next_deadline() == 0.1 + LOST_INTERVAL
    assert hostname.state is State.PROBING


@pytest.mark.parametrize(
    ("host", "label"),
    [("door", "door"), ("Front-Door.lan", "front-door"), ("localhost", ""), ("", ""), ("-x", ""), ("küche", "")],
)
def test_labels(host: str, label: str) -> None:
    assert label_of(host) == label
