"""The media of a call: what may be answered to whom."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import cast

import pytest

from meshdoor.calls.clients import Client, Keying
from meshdoor.errors import SdpError
from meshdoor.media.plans import Address, StreamPlan
from meshdoor.media.reports import LegOpened, Seen
from meshdoor.media.suites import suites
from meshdoor.node.call_media import CallMedia
from meshdoor.node.calling import Desk
from meshdoor.node.media_plan import PRESSED, Streams
from meshdoor.node.station_line import Line, StationMedia
from meshdoor.sdp.attributes import Fingerprint
from tests.fakes.rooms import FakeEngine

SOUND = Streams(StreamPlan("sendrecv", Address("192.0.2.9", 7000), "PCMA", 8, 8000))
OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
)
FINGERPRINT = Fingerprint("sha-256", bytes(range(32)))


class Engine(FakeEngine):
    """Makes keys by DTLS, too."""

    async def open_dtls(self, leg: str, local: str) -> LegOpened:
        return replace(await self.open_leg(leg, local), fingerprint=str(FINGERPRINT))

    async def open_beyond(self, leg: str, local: str, stun: Address) -> LegOpened:
        seen = Seen("203.0.113.7", 5004, 5009), Seen("203.0.113.7", 6000, 6001)
        return replace(await self.open_leg(leg, local), seen=seen)


class Office:
    """As much of a Desk as media need; `client` is who calls."""

    def __init__(self, keying: Keying) -> None:
        self.engine = Engine()
        self._client = Client(keying, "127.0.0.1", transport="udp")

    def address(self, key: bytes) -> str:
        return "127.0.0.1"

    def client(self, key: bytes) -> Client:
        return self._client


class Panel:
    """A station whose call is up."""

    line: Line | None = Line("station", streams=SOUND)

    async def bring_up(self) -> bool:
        return True

    def let_go(self) -> None:
        self.line = None


def media(keying: Keying, station: bool) -> CallMedia:
    desk = cast(Desk, Office(keying))
    return StationMedia(Panel(), desk, "call-1", "Tablet", set()) if station else CallMedia(desk, "call-1", "Tablet")


@pytest.fixture(autouse=True)
async def _read() -> None:
    await asyncio.to_thread(suites)


@pytest.mark.parametrize("station", [False, True])
async def test_who_was_let_in_in_the_clear_is_answered_so(station: bool) -> None:
    made = media(Keying.PLAIN, station)
    assert await made.open(b"", dtls=False)
    answer, streams = made.answer(OFFER, PRESSED)
    assert b"RTP/AVP 8" in answer if station else b"RTP/AVP 0" in answer
    assert streams.audio is not None
    assert streams.audio.codec == ("PCMA" if station else "PCMU")
    await made.close()


@pytest.mark.parametrize("station", [False, True])
async def test_nobody_else_is(station: bool) -> None:
    made = media(Keying.SRTP, station)
    assert await made.open(b"", dtls=False)
    with pytest.raises(SdpError):
        made.answer(OFFER, PRESSED)
    await made.close()


@pytest.mark.parametrize("keying", list(Keying))
async def test_whoever_offers_dtls_gets_it(keying: Keying) -> None:
    made = media(keying, station=False)
    assert await made.open(b"", dtls=True)
    first, streams = made.answer(dtls("actpass"), PRESSED)
    assert client(streams)
    again, streams = made.answer(dtls("actpass"), PRESSED, first)
    assert client(streams)
    assert b"a=setup:active" in again
    assert not client(made.answer(dtls("active"), PRESSED)[1])
    with pytest.raises(SdpError):
        made.answer(OFFER, PRESSED)
    await made.close()


async def test_who_took_the_active_part_of_our_offer_keeps_it() -> None:
    made = media(Keying.DTLS, station=False)
    assert await made.open(b"", dtls=False)
    answer, streams = made.answer(dtls("actpass"), PRESSED, made.offer(PRESSED))
    assert b"a=setup:passive" in answer
    assert not client(streams)
    await made.close()


async def test_beyond_a_nat_it_says_how_it_looks_from_there() -> None:
    desk = Office(Keying.PLAIN)
    desk._client = replace(desk._client, stun=("192.0.2.3", 3478))
    made = CallMedia(cast(Desk, desk), "call-1", "Bob")
    assert await made.open(b"", dtls=False)
    offer = made.offer(PRESSED)
    assert b"c=IN IP4 203.0.113.7" in offer
    assert b"m=audio 5004 " in offer
    assert b"m=video 6000 " in offer
    for body in (offer, made.offer_again(PRESSED, offer)):
        assert b"a=rtcp:5009" in body
        assert body.count(b"a=rtcp:") == 1
    answer, _ = made.answer(OFFER, PRESSED)
    assert b"c=IN IP4 203.0.113.7" in answer
    assert b"m=audio 5004 " in answer
    assert "192.0.2.3" not in str(desk._client.note())
    await made.close()


def dtls(part: str) -> bytes:
    """An offer of keys by DTLS."""
    said = f"a=fingerprint:{FINGERPRINT}\r\na=setup:{part}\r\n"
    return OFFER.replace(b"RTP/AVP", b"UDP/TLS/RTP/SAVP") + said.encode()


def client(streams: Streams) -> bool:
    """Do we open the association?"""
    assert streams.audio is not None
    assert streams.audio.dtls is not None
    return streams.audio.dtls.client
