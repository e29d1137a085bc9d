from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.errors import LinkError, LocalProtocolError
from meshdoor.mesh.frames import Hello, Kind, Ping, Pong, State, frame, write_object
from meshdoor.mesh.wire import (
    BYTES_AT_ONCE,
    EXCUSES,
    FRAMES_AT_ONCE,
    KEEP_ALIVE,
    MISSED,
    WANTS_AT_ONCE,
    Event,
    HelloReceived,
    LinkConnection,
    Lost,
    Measured,
    NoteReceived,
    Phase,
    SipReceived,
    StatementsReceived,
    WantReceived,
)

OURS, THEIRS = Hello("1", b"o" * 16), Hello("2", b"t" * 16, State.RINGING)


def events(connection: LinkConnection) -> list[Event]:
    return list(iter(connection.next_event, None))


def flush(connection: LinkConnection) -> bytes:
    return b"".join(iter(connection.data_to_send, b""))


def roundtrip(a: LinkConnection, b: LinkConnection, now: float) -> None:
    """Carry bytes until neither has any."""
    while (there := flush(a)) + (back := flush(b)):
        b.receive(there, now)
        a.receive(back, now)


def pair(now: float = 100.0) -> tuple[LinkConnection, LinkConnection]:
    """Two ends of a link that is up, with nothing left to say."""
    dialer, dialed = LinkConnection(True, lambda: 0.0), LinkConnection(False, lambda: 0.0)
    dialer.greet(OURS, now)
    roundtrip(dialer, dialed, now)
    dialed.greet(THEIRS, now)
    roundtrip(dialer, dialed, now)
    assert (dialer.phase, dialed.phase) == (Phase.UP, Phase.UP)
    events(dialer), events(dialed)
    return dialer, dialed


def test_the_link_is_up_when_the_dialed_side_agrees() -> None:
    dialer, dialed = LinkConnection(True), LinkConnection(False)
    dialer.greet(OURS, 1.0)
    dialed.receive(dialer.data_to_send(), 1.1)
    assert events(dialed) == [HelloReceived(OURS)]
    assert (dialer.phase, dialed.phase) == (Phase.ASKED, Phase.HEARD)
    dialed.greet(THEIRS, 1.1)
    dialer.receive(dialed.data_to_send(), 1.25)
    assert events(dialer) == [HelloReceived(THEIRS)]
    assert dialer.rtt == pytest.approx(0.25)


def test_the_first_ping_carries_the_round_trip_time_of_the_greeting() -> None:
    dialer, dialed = LinkConnection(True), LinkConnection(False)
    dialer.greet(OURS, 1.0)
    dialed.receive(dialer.data_to_send(), 1.0)
    dialed.greet(THEIRS, 1.0)
    dialer.receive(dialed.data_to_send(), 1.5)
    dialed.receive(dialer.data_to_send(), 1.5)
    assert events(dialed)[1:] == [Measured(0.5, OURS.digest, State.FREE)]


def test_keep_alives_measure_both_ways() -> None:
    dialer, dialed = pair()
    assert dialer.next_deadline() == 100 + KEEP_ALIVE
    dialer.handle_timer(104.0)
    dialed.receive(dialer.data_to_send(), 104.01)
    dialer.receive(dialed.data_to_send(), 104.02)
    assert events(dialer) == [Measured(dialer.rtt, THEIRS.digest, State.RINGING)]
    assert dialer.rtt == pytest.approx(0.02)
    assert dialer.next_deadline() == 108.0


def test_a_ping_comes_early_but_never_late() -> None:
    for drawn in (0.0, 0.5, 1.0):
        dialer = LinkConnection(True, lambda drawn=drawn: drawn)  # type: ignore[misc]
        dialer.greet(OURS, 0.0)
        dialer.receive(frame(Kind.HELLO, bytes(THEIRS)), 0.0)
        deadline = dialer.next_deadline()
        assert deadline is not None
        assert 0.8 * KEEP_ALIVE <= deadline <= KEEP_ALIVE


@pytest.mark.parametrize("end", [0, 1])
def test_silence_is_noticed_after_three_keep_alives(end: int) -> None:
    connection = pair()[end]
    now = 100.0
    while not (happened := events(connection)):
        deadline = connection.next_deadline()
        assert deadline is not None
        now = deadline
        connection.handle_timer(now)
    assert happened == [Lost(MISSED * KEEP_ALIVE)]
    assert now == pytest.approx(100 + MISSED * KEEP_ALIVE)
    assert connection.next_deadline() is None


@pytest.mark.parametrize("end", [0, 1])
def test_a_node_that_slept_does_not_blame_the_peer(end: int) -> None:
    ends = pair()
    ends[end].handle_timer(1000.0)
    assert events(ends[end]) == []
    deadline = ends[end].next_deadline()
    assert deadline is not None
    assert deadline > 1000.0
    roundtrip(*ends, 1000.1)
    assert not any(isinstance(event, Lost) for one in ends for event in events(one))


def test_a_timer_that_fires_early_does_nothing() -> None:
    dialer, _ = pair()
    dialer.handle_timer(103.9)
    LinkConnection(True).handle_timer(1.0)
    assert dialer.data_to_send() == b""


def test_either_side_may_hurry_and_stop_hurrying() -> None:
    dialer, dialed = pair()
    dialed.hurry(0.5, 101.0)
    assert dialed.next_deadline() == pytest.approx(101.6)
    roundtrip(dialer, dialed, 101.1)
    assert events(dialed) == [Measured(dialed.rtt, OURS.digest, State.FREE)]
    assert dialed.rtt == pytest.approx(0.1)
    dialed.hurry(None, 102.0)
    assert dialed.next_deadline() == 102 + MISSED * KEEP_ALIVE
    dialer.hurry(0.0, 102.0)
    assert dialer.next_deadline() == pytest.approx(102.2)


def test_a_hurried_link_notices_silence_sooner() -> None:
    dialer, _ = pair()
    dialer.hurry(0.5, 103.5)
    for now in (104.0, 104.5):
        dialer.handle_timer(now)
        assert events(dialer) == []
    dialer.handle_timer(105.0)
    assert events(dialer) == [Lost(1.5)]


def test_who_was_dialed_does_not_ask_a_dialer_that_asks() -> None:
    dialer, dialed = pair()
    dialer.hurry(0.5, 101.0)
    dialed.hurry(0.5, 101.0)
    roundtrip(dialer, dialed, 101.0)
    for tick in range(1, 100):
        now = 101.0 + tick / 10
        dialed.handle_timer(now)
        assert dialed.data_to_send() == b""
        dialer.handle_timer(now)
        roundtrip(dialer, dialed, now)


def test_who_was_dialed_asks_a_dialer_that_is_silent_and_then_gives_it_up() -> None:
    _, dialed = pair()
    dialed.hurry(0.5, 101.0)
    asked = []
    while not (happened := events(dialed)):
        asked.append(bool(dialed.data_to_send()))
        deadline = dialed.next_deadline()
        assert deadline is not None
        dialed.handle_timer(deadline)
    assert asked == [True, True, True]
    assert happened == [Lost(1.5)]


def test_a_node_that_is_always_late_gives_a_dead_peer_up_in_the_end() -> None:
    dialer, _ = pair()
    dialer.hurry(0.5, 101.0)
    now, turns = 101.0, 0
    while not events(dialer):
        deadline = dialer.next_deadline()
        assert deadline is not None
        now, turns = deadline + 0.2, turns + 1
        dialer.handle_timer(now)
    assert EXCUSES < turns < 3 * EXCUSES
    assert 101.0 + 1.5 < now < 101.0 + 2 * EXCUSES


def test_another_digest_or_state_is_told_at_once_and_once() -> None:
    dialer, dialed = pair()
    for _ in range(2):
        dialed.set_digest(b"n" * 16, 101.0)
        dialed.set_state(State.IN_CALL, 101.0)
    roundtrip(dialer, dialed, 101.0)
    assert [(event.digest, event.state) for event in events(dialer) if isinstance(event, Measured)] == [
        (b"n" * 16, State.RINGING),
        (b"n" * 16, State.IN_CALL),
    ]


def test_a_digest_that_changes_before_the_link_is_up_is_not_sent() -> None:
    dialer = LinkConnection(True)
    dialer.set_digest(b"n" * 16, 1.0)
    assert dialer.data_to_send() == b""


def test_everything_is_carried_both_ways() -> None:
    note: dict[str, Any] = {"kind": "seen", "who": "Küche"}
    for sender, receiver in (pair(), pair()[::-1]):
        sender.send_sip(b"OPTIONS")
        sender.send_note(note)
        sender.want([b"h" * 32])
        sender.send_statements([b"one", b"two", b"one"])
        roundtrip(sender, receiver, 101.0)
        assert events(receiver) == [
            SipReceived(b"OPTIONS"),
            NoteReceived(note),
            WantReceived((b"h" * 32,)),
            StatementsReceived((b"one", b"two")),
        ]


def test_a_call_does_not_wait_for_the_roster() -> None:
    dialer, dialed = pair()
    statements = [index.to_bytes(2, "big") * 2000 for index in range(50)]
    dialer.send_statements(statements)
    assert dialer.data_to_send(bulk=False) == b""
    first = dialer.data_to_send()
    assert len(first) <= 65536 + 4
    dialer.send_sip(b"INVITE")
    dialed.receive(first + flush(dialer), 101.0)
    happened = events(dialed)
    assert happened[1] == SipReceived(b"INVITE")
    carried = [event.statements for event in happened if isinstance(event, StatementsReceived)]
    assert [one for many in carried for one in many] == statements


def test_what_waits_is_not_queued_twice() -> None:
    dialer, dialed = pair()
    for _ in range(100):
        dialer.send_statements([b"one", b"two"])
    roundtrip(dialer, dialed, 101.0)
    assert events(dialed) == [StatementsReceived((b"one", b"two"))]


@pytest.mark.parametrize(
    "misuse",
    [
        lambda link: link.send_sip(bytes(65537)),
        lambda link: link.send_note({"a": object()}),
        lambda link: link.send_note({"a": float("nan")}),
        lambda link: link.send_note({"a": "x" * 16384}),
        lambda link: link.send_note({"a": "\ud800"}),
        lambda link: link.want([b"short"]),
        lambda link: link.send_statements([bytes(65535)]),
        lambda link: link.greet(OURS, 1.0),
    ],
)
def test_misuse_of_a_link_is_an_error_of_ours(misuse: Any) -> None:
    for link in pair():
        with pytest.raises(LocalProtocolError):
            misuse(link)
        assert flush(link) == b""


@pytest.mark.parametrize(
    "use",
    [
        lambda link: link.send_sip(b""),
        lambda link: link.send_note({}),
        lambda link: link.want([]),
        lambda link: link.send_statements([]),
        lambda link: link.hurry(1.0, 1.0),
    ],
)
def test_nothing_is_sent_before_the_link_is_up(use: Any) -> None:
    with pytest.raises(LocalProtocolError, match="not up"):
        use(LinkConnection(True))


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.HELLO])
def test_only_a_hello_may_come_first(kind: Kind) -> None:
    with pytest.raises(LinkError, match="before the link is up"):
        LinkConnection(False).receive(frame(kind, b""), 1.0)


def test_nothing_may_come_before_our_consent() -> None:
    dialed = LinkConnection(False)
    with pytest.raises(LinkError, match="before the link is up"):
        dialed.receive(frame(Kind.HELLO, bytes(OURS)) + frame(Kind.SIP, b"INVITE"), 1.0)


@pytest.mark.parametrize("end", [0, 1])
def test_a_second_hello_is_refused(end: int) -> None:
    with pytest.raises(LinkError, match="wrong moment"):
        pair()[end].receive(frame(Kind.HELLO, bytes(THEIRS)), 101.0)


def test_a_pong_that_nobody_asked_for_measures_nothing() -> None:
    dialer, _ = pair()
    before = dialer.rtt
    dialer.receive(frame(Kind.PONG, bytes(Pong(12345, b"d" * 16, State.FREE))), 101.0)
    assert events(dialer) == [Measured(before, b"d" * 16, State.FREE)]


def test_a_ping_without_a_measure_leaves_ours() -> None:
    _, dialed = pair()
    before = dialed.rtt
    dialed.receive(frame(Kind.PING, bytes(Ping(1, b"d" * 16, State.FREE))), 101.0)
    assert events(dialed) == [Measured(before, b"d" * 16, State.FREE)]


def test_too_many_frames_are_refused() -> None:
    _, dialed = pair()
    with pytest.raises(LinkError, match="more frames"):
        dialed.receive(frame(Kind.SIP, b"") * (int(FRAMES_AT_ONCE) + 1), 101.0)


def test_too_many_bytes_are_refused() -> None:
    _, dialed = pair()
    with pytest.raises(LinkError, match="more bytes"):
        dialed.receive(bytes(int(BYTES_AT_ONCE) + 1), 101.0)


def test_wants_beyond_their_rate_are_ignored() -> None:
    _, dialed = pair()
    dialed.receive(frame(Kind.WANT, b"") * 100, 101.0)
    assert len(events(dialed)) == WANTS_AT_ONCE


def test_a_note_that_is_no_object_is_refused() -> None:
    _, dialed = pair()
    with pytest.raises(LinkError, match="JSON"):
        dialed.receive(frame(Kind.NOTE, b"[1]"), 101.0)


FRAMES = st.tuples(st.sampled_from(Kind), st.binary(max_size=64) | st.just(write_object({"a": 1})))


@settings(max_examples=150)
@given(st.lists(FRAMES, max_size=10), st.booleans(), st.binary(max_size=20))
def test_hostile_frames_give_events_or_a_link_error(
    sent: list[tuple[Kind, bytes]], dialer: bool, tail: bytes
) -> None:
    connection = pair()[0 if dialer else 1]
    with contextlib.suppress(LinkError):
        connection.receive(b"".join(frame(*one) for one in sent if len(one[1]) <= 29) + tail, 101.0)
    assert len(events(connection)) <= len(sent) + 5
