"""What a loser was given decrypts nothing of what the winner is sent."""

from __future__ import annotations

import re
import socket
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace

import pytest

from meshdoor.errors import RtpError
from meshdoor.media.channel import Channel, ChannelOwner
from meshdoor.media.path import UdpPath
from meshdoor.media.plans import AUDIO, VIDEO, Address, StreamPlan
from meshdoor.media.sink import Unit
from meshdoor.rtp.group import RtpStream
from meshdoor.rtp.packet import RtpPacket
from meshdoor.rtp.srtp import MasterKey, unprotector
from tests.fakes.desks import DOOR, HALL, KITCHEN, FakeDesk, desks

CRYPTO = re.compile(rb"a=crypto:\d+ (\w+) inline:([A-Za-z0-9+/=]+)")
SECRETS = [b"the visitor's picture %d" % number for number in range(20)]


@pytest.fixture
def ear() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.setblocking(False)
        listening.bind(("127.0.0.1", 0))
        yield listening


def known_to(desk: FakeDesk) -> set[MasterKey]:
    """Every key in every message that it sent or was sent."""
    seen = [message for one, other, message in desk.street.wire if desk.member.key in (one, other)]
    lines = {found for message in seen for found in CRYPTO.findall(message)}
    return {MasterKey.from_bytes(name.decode(), b64decode(key)) for name, key in lines}


def send(medium: str, plan: StreamPlan, ear: socket.socket) -> list[bytes]:
    """What the engine of the door puts on the wire for this plan."""
    local = replace(plan, remote=Address("127.0.0.1", ear.getsockname()[1]))
    channel = Channel(ChannelOwner("b1", medium, lambda event: None), UdpPath("127.0.0.1"), 7, "test")
    try:
        channel.start(local)
        assert channel.sink is not None
        channel.sink.gate(True)
        stream = RtpStream(7, plan.payload_type, 1)
        for number, payload in enumerate(SECRETS):
            channel.sink.push(Unit.of(stream.groups([payload], number * 3000), True, number * 3000, float(number)))
        return [ear.recv(2048) for _ in SECRETS]
    finally:
        channel.close()


def opened(key: MasterKey, packets: list[bytes]) -> list[bytes]:
    """The payloads that a key gives."""
    machine, clear = unprotector(key), []
    for packet in packets:
        try:
            clear.append(RtpPacket.parse(machine.unprotect(packet)).payload)
        except RtpError:
            continue
    return clear


@pytest.mark.parametrize("medium", [AUDIO, VIDEO])
async def test_a_loser_cannot_decrypt_the_call_of_the_winner(ear: socket.socket, medium: str) -> None:
    async with desks(DOOR, HALL, KITCHEN) as (door, hall, kitchen):
        door.pressing.ring("p1", [HALL.key, KITCHEN.key])
        for leg in ("p1-1", "p1-2"):
            await door.leg(leg)
        hall.answering.answer()
        await door.tells("step", step="answered", member="Hall")
        await kitchen.tells("over", why="answered elsewhere")
        start = door.fake.plan("p1-1")
        plan = start.audio if medium == AUDIO else start.video
        assert plan is not None
        assert plan.tx_key is not None
        packets = send(medium, plan, ear)
        assert len(known_to(kitchen)) >= 6  # two suites for each medium of the offer, one in the answer
        assert not known_to(kitchen) & known_to(hall)
        assert all(opened(key, packets) == [] for key in known_to(kitchen))
        assert [opened(key, packets) for key in known_to(hall) if opened(key, packets)] == [SECRETS]
