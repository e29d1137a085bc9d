"""A sink numbers, encrypts, queues and drops; nothing it does waits."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from meshdoor.errors import RtpError
from meshdoor.media import sink as module
from meshdoor.media.outlet import History
from meshdoor.media.sink import Sink, SinkOwner, Unit
from meshdoor.rtp.group import RtpStream
from meshdoor.rtp.packet import RtpPacket
from meshdoor.rtp.session import RtcpSession
from meshdoor.rtp.srtp import AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80, MasterKey, Suite, protector, unprotector


class Wire:
    """In place of `Datagrams`: takes bytes while there is `room`, and cuts them as the kernel does."""

    def __init__(self) -> None:
        self.room = 1 << 30
        self.error: OSError | None = None
        self.sent: list[bytes] = []

    def send(self, data: bytes | memoryview, size: int) -> int:
        if self.error is not None:
            raise self.error
        taken = len(data) if len(data) <= self.room else self.room // size * size
        self.room -= taken
        self.sent += [bytes(data[at : at + size]) for at in range(0, taken, size)]
        return taken


class Rig:
    """A stream, one sink, and the receiver's half of its key."""

    def __init__(self, suite: Suite = AEAD_AES_128_GCM, first: int = 100, payload_type: int = 96) -> None:
        key = MasterKey.generate(suite)
        self.key = key
        self.wire = Wire()
        self.told: list[str] = []
        self.stream = RtpStream(1, 96, first)
        self.history = History()
        self.time = 0.0
        self.protector = protector(key)
        self.session = RtcpSession(1, "test", 90_000)
        self.sink = self.make(payload_type)
        self._in = unprotector(key)

    def make(self, payload_type: int = 96, first_number: int | None = None) -> Sink:
        def tell(what: str) -> None:
            self.told.append(what)

        owner = SinkOwner(lambda: tell("first"), lambda: tell("blocked"), lambda: tell("key frame"))
        wire: Any = self.wire
        return Sink(wire, self.protector, payload_type, self.session, owner, first_number)

    def unit(self, packets: int = 3, key: bool = True) -> Unit:
        self.time += 1 / 30
        timestamp = int(self.time * 90_000)
        payloads = [bytes((number,)) * 50 for number in range(packets)]
        unit = Unit.of(self.stream.groups(payloads, timestamp), key, timestamp, self.time)
        self.history.add(unit)
        return unit

    def push(self, packets: int = 3, key: bool = True) -> None:
        self.sink.push(self.unit(packets, key))

    def received(self) -> list[RtpPacket]:
        sent, self.wire.sent = self.wire.sent, []
        return [RtpPacket.parse(self._in.unprotect(data)) for data in sent]

    def numbers(self) -> list[int]:
        return [packet.sequence_number for packet in self.received()]


@pytest.mark.parametrize("suite", [AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80])
def test_a_unit_leaves_under_the_key_and_type_of_the_sink(suite: Suite) -> None:
    rig = Rig(suite, payload_type=102)
    rig.push()
    packets = rig.received()
    assert [packet.sequence_number for packet in packets] == [100, 101, 102]
    assert {packet.payload_type for packet in packets} == {102}
    assert [packet.marker for packet in packets] == [False, False, True]
    assert rig.told == ["first"]
    assert (rig.sink.counters.packets_sent, rig.sink.counters.octets_sent) == (3, 150)
    assert rig.session.packets_sent == 3


def test_nothing_before_a_key_frame() -> None:
    rig = Rig()
    rig.push(key=False)
    assert rig.received() == []
    assert rig.told == ["key frame"]
    assert rig.sink.counters.packets_dropped == 3
    rig.push(key=True)
    rig.push(key=False)
    assert len(rig.received()) == 6


def test_who_begins_late_begins_in_the_lower_half_of_the_numbers() -> None:
    rig = Rig(first=0xFFFE)
    rig.push(5)
    assert rig.numbers() == [0x7FFE, 0x7FFF, 0x8000, 0x8001, 0x8002]


def test_what_is_not_sent_leaves_no_gap() -> None:
    rig = Rig()
    rig.push()
    rig.sink.gate(False)
    for _ in range(30_000):  # more than half of all sequence numbers
        rig.push()
    rig.sink.gate(True)
    rig.push()
    assert rig.numbers() == [100, 101, 102, 103, 104, 105]


def test_a_full_socket_makes_a_queue() -> None:
    rig = Rig()
    rig.push()
    rig.wire.room = 170  # two packets
    rig.push()
    rig.push(key=False)
    assert len(rig.wire.sent) == 5
    assert rig.told == ["first", "blocked"]
    assert not rig.sink.flush()
    rig.wire.room = 1 << 20
    assert rig.sink.flush()
    assert rig.numbers() == list(range(100, 109))


def test_a_full_queue_is_dropped_to_the_next_key_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED", 400)
    rig = Rig()
    rig.push()
    rig.wire.room = 0
    for _ in range(5):  # one is with the socket, two wait, then all is dropped
        rig.push(key=False)
    assert rig.sink.counters.packets_dropped == 12
    rig.push(key=True)
    assert rig.sink.counters.packets_dropped == 15
    rig.wire.room = 1 << 20
    assert rig.sink.flush()
    assert rig.told[-1] == "key frame"
    rig.push(key=False)
    rig.push(key=True)
    assert rig.numbers() == list(range(100, 109))


def test_an_error_is_counted_and_goes_no_further() -> None:
    rig = Rig()
    rig.wire.error = OSError(errno.ENETUNREACH, "no route")
    rig.push()
    assert rig.sink.counters.send_errors == 1
    assert rig.told == []
    rig.wire.error = None
    rig.push()
    assert rig.numbers() == [103, 104, 105]
    assert rig.told == ["first"]


def test_a_packet_is_sent_again_as_it_was() -> None:
    rig = Rig(payload_type=102)
    rig.push()
    rig.push(key=False)
    before = list(rig.wire.sent)
    rig.sink.resend((101, 105, 106, 99), rig.history.find, 0.0)
    assert rig.wire.sent[6:] == [before[1], before[5]]
    assert rig.sink.counters.packets_resent == 2


def test_what_was_sent_under_another_numbering_is_not_sent_again() -> None:
    rig = Rig()
    rig.push()
    rig.sink.gate(False)
    rig.push()
    rig.sink.gate(True)
    rig.push()
    before = list(rig.wire.sent)
    rig.sink.resend((101,), rig.history.find, 0.0)
    rig.sink.resend((104,), rig.history.find, 0.0)
    assert rig.wire.sent[6:] == [before[4]]


def test_resends_are_bounded_and_never_into_a_queue() -> None:
    rig = Rig()
    rig.push(50)
    for _ in range(20):
        rig.sink.resend(tuple(range(100, 150)), rig.history.find, 0.0)
    assert rig.sink.counters.packets_resent == module.RESEND_BURST
    rig.wire.room = 0
    rig.push()
    rig.sink.resend((100,), rig.history.find, 99.0)
    assert rig.sink.counters.packets_resent == module.RESEND_BURST


def test_a_fresh_sink_has_nothing_to_send_again() -> None:
    rig = Rig()
    rig.sink.resend((100,), rig.history.find, 0.0)
    assert rig.wire.sent == []


def test_digits_stand_between_the_units() -> None:
    rig = Rig()
    rig.push()
    rig.sink.insert(b"dtmf", 101, 5, True)
    rig.push()
    packets = rig.received()
    assert [packet.sequence_number for packet in packets] == [100, 101, 102, 103, 104, 105, 106]
    assert (packets[3].payload, packets[3].payload_type, packets[3].marker) == (b"dtmf", 101, True)


def test_digits_may_come_before_all_else() -> None:
    rig = Rig()
    rig.sink.insert(b"1", 101, 5, True)
    rig.sink.insert(b"2", 101, 6, True)
    rig.push()
    first, *others = rig.received()
    assert first.payload == b"1"
    assert first.sequence_number < 1 << 15
    assert [packet.sequence_number - first.sequence_number for packet in others] == [1, 2, 3, 4]


def test_another_sink_under_the_same_key_goes_on() -> None:
    """Numbers that were used under a key must not be used again for something else."""
    rig = Rig()
    rig.push()
    rig.sink = rig.make(103, rig.sink.next_number)
    rig.stream.sequence_number = 100
    rig.push()
    assert rig.numbers() == [100, 101, 102, 103, 104, 105]


def test_what_one_was_given_opens_nothing_of_another() -> None:
    one, other = Rig(), Rig()
    unit = one.unit()
    one.sink.push(unit)
    other.sink.push(unit)
    (stolen, *_) = other.wire.sent
    with pytest.raises(RtpError):
        unprotector(one.key).unprotect(stolen)


def test_at_another_outlet_it_goes_on_with_the_next_number_and_a_key_frame() -> None:
    rig = Rig(first=100)
    rig.push()
    assert rig.numbers() == [100, 101, 102]
    other = RtpStream(1, 96, 5000)
    rig.sink.changes_outlet()
    rig.stream = other
    rig.push(key=False)
    assert rig.numbers() == []
    rig.push()
    assert rig.numbers() == [103, 104, 105]


def test_another_outlet_does_not_begin_with_a_picture_that_was_sent_already() -> None:
    """Its encoder may be late with it, and two pictures of one stream have two timestamps."""
    rig = Rig(first=100)
    rig.push()
    rig.push(key=False)
    sent = {packet.timestamp for packet in rig.received()}
    rig.sink.changes_outlet()
    rig.stream, rig.time = RtpStream(1, 96, 5000), rig.time - 1 / 30
    rig.push()
    assert rig.numbers() == []
    assert "key frame" in rig.told
    rig.push()
    assert sent.isdisjoint(packet.timestamp for packet in rig.received())


def test_no_number_is_ever_encrypted_twice_whatever_the_other_outlet_counts() -> None:
    """Were a packet of the new outlet sent for one of the old, AES-GCM would be broken for this key."""
    rig = Rig(first=100)
    rig.push()
    rig.received()
    rig.sink.changes_outlet()
    rig.stream, rig.history = RtpStream(1, 96, 103), History()  # it happens to count on from there
    rig.history.add(Unit.of(RtpStream(1, 96, 100).groups([b"another", b"one"], 1), True, 1, 0.0))
    rig.push()
    assert rig.numbers() == [103, 104, 105]
    rig.sink.resend((100, 101, 102), rig.history.find, 0.0)
    assert rig.sink.counters.packets_resent == 0
    rig.sink.resend((104,), rig.history.find, 0.0)
    assert rig.sink.counters.packets_resent == 1


def test_what_stands_in_the_queue_stays_behind_when_the_outlet_changes() -> None:
    rig = Rig()
    rig.push()
    rig.wire.room = 170
    rig.push()
    rig.push(key=False)
    rig.sink.changes_outlet()
    rig.wire.room = 1 << 20
    assert rig.sink.flush()
    before = rig.numbers()
    rig.push()
    after = rig.numbers()
    assert before + after == list(range(before[0], before[0] + len(before) + len(after)))


def test_a_queue_that_overflows_is_counted() -> None:
    rig = Rig()
    rig.push()
    rig.wire.room = 0
    while not rig.sink.counters.overflows:
        rig.push(packets=200)
