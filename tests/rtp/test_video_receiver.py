from __future__ import annotations

import random

from meshdoor.rtp.access_unit import AccessUnit
from meshdoor.rtp.group import RtpStream
from meshdoor.rtp.h264 import H264Packetizer
from meshdoor.rtp.nal import split_annex_b
from meshdoor.rtp.packet import RtpPacket
from meshdoor.rtp.video_receiver import H264, KEY_FRAME_INTERVAL, MAX_READY, VP8, VideoReceiver

SPS, PPS = b"\x67\x42\xc0\x1f\xaa", b"\x68\xce\x3c\x80"


class Door:
    """Makes pictures whose slices carry their number."""

    def __init__(self) -> None:
        self._packetizer = H264Packetizer(100)
        self._stream = RtpStream(1, 96, 0xFFF0)
        self._number = 0

    def picture(self, key: bool = False, length: int = 250) -> list[RtpPacket]:
        self._number += 1
        nal = bytes((0x65 if key else 0x41, 0x80 + self._number % 100)) + b"\xa5" * length
        payloads = self._packetizer.payloads_of([SPS, PPS, nal] if key else [nal])
        groups = self._stream.groups(payloads, 3000 * self._number)
        return [RtpPacket.parse(data) for group in groups for data in group.packets]


def feed(receiver: VideoReceiver, packets: list[RtpPacket], now: float = 0.0) -> list[int]:
    for packet in packets:
        receiver.receive(packet, now)
    return numbers(receiver)


def numbers(receiver: VideoReceiver) -> list[int]:
    return [split_annex_b(unit.data)[-1][1] - 0x80 for unit in units(receiver)]


def units(receiver: VideoReceiver) -> list[AccessUnit]:
    return list(iter(receiver.next_unit, None))


def test_pictures_come_out_in_order() -> None:
    door, receiver = Door(), VideoReceiver(H264)
    assert feed(receiver, door.picture(key=True) + door.picture() + door.picture()) == [1, 2, 3]
    assert receiver.next_deadline() is None
    assert not receiver.take_key_frame_request(0.0)


def test_nothing_is_shown_before_a_key_frame_and_one_is_asked_for() -> None:
    door, receiver = Door(), VideoReceiver(H264)
    assert feed(receiver, door.picture() + door.picture(), 1.0) == []
    assert receiver.next_deadline() == 1.0
    assert receiver.take_key_frame_request(1.0)
    assert not receiver.take_key_frame_request(1.1)
    assert receiver.take_key_frame_request(1.0 + KEY_FRAME_INTERVAL)
    assert feed(receiver, door.picture(key=True) + door.picture(), 1.3) == [3, 4]
    assert not receiver.take_key_frame_request(9.0)


def test_after_a_loss_pictures_stop_until_the_next_key_frame() -> None:
    door, receiver = Door(), VideoReceiver(H264)
    feed(receiver, door.picture(key=True))
    lossy = door.picture()
    del lossy[1]
    assert feed(receiver, lossy + door.picture(), 1.0) == []
    receiver.handle_timer(1.1)
    assert numbers(receiver) == []
    assert receiver.take_key_frame_request(1.1)
    assert feed(receiver, door.picture() + door.picture(key=True) + door.picture(), 1.2) == [5, 6]
    assert receiver.pictures_lost == 3


def test_a_key_frame_with_a_hole_is_not_shown() -> None:
    door, receiver = Door(), VideoReceiver(H264)
    key = door.picture(key=True)
    del key[2]
    feed(receiver, key, 1.0)
    receiver.handle_timer(2.0)
    assert numbers(receiver) == []
    assert receiver.take_key_frame_request(2.0)


def test_requests_are_spaced_over_several_losses() -> None:
    door, receiver = Door(), VideoReceiver(H264)
    feed(receiver, door.picture(), 1.0)
    assert receiver.take_key_frame_request(1.0)
    feed(receiver, door.picture(key=True), 1.1)
    receiver.decoder_failed(1.12)
    assert not receiver.take_key_frame_request(1.12)
    assert receiver.next_deadline() == 1.0 + KEY_FRAME_INTERVAL


def test_lost_packets_that_come_again_leave_no_trace() -> None:
    door, receiver = Door(), VideoReceiver(H264, nack=True)
    chance = random.Random(7)
    sent = [packet for number in range(60) for packet in door.picture(key=number == 0)]
    by_number = {packet.sequence_number: packet for packet in sent}
    shown: list[int] = []
    now = 0.0
    for packet in sent:
        now += 0.005
        if packet is sent[0] or chance.random() > 0.1:
            receiver.receive(packet, now)
        for number in receiver.take_nacks(now):
            receiver.receive(by_number[number], now)
        shown += numbers(receiver)
    receiver.receive(door.picture()[0], now)  # shows what was lost at the end
    for _ in range(10):
        now += 0.02
        for number in receiver.take_nacks(now):
            receiver.receive(by_number[number], now)
    assert shown + numbers(receiver) == list(range(1, 61))


def test_pictures_that_nobody_takes_are_bounded() -> None:
    door, receiver = Door(), VideoReceiver(H264)
    packets = door.picture(key=True)
    for _ in range(MAX_READY + 6):
        packets += door.picture()
    assert len(feed(receiver, packets)) == MAX_READY


def test_vp8() -> None:
    receiver = VideoReceiver(VP8)
    receiver.receive(RtpPacket(97, 0, 0, 1, b"\x10\x10key", True), 0.0)
    receiver.receive(RtpPacket(97, 1, 3000, 1, b"\x10\x11next", True), 0.0)
    assert [unit.data for unit in units(receiver)] == [b"\x10key", b"\x11next"]
