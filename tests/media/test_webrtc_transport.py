"""Two ends find each other by ICE and agree on keys by DTLS, on the loopback interface."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
from aioice import Candidate
from aioice.ice import CandidatePair, StunProtocol

from meshdoor.config import IceServer
from meshdoor.errors import EngineError
from meshdoor.media import webrtc
from meshdoor.media.ice import MAX_WAITING, servers_of, usable
from meshdoor.media.plans import IceRemote
from meshdoor.media.suites import CM, GCM, suites
from meshdoor.media.webrtc import Transport
from tests.patience import until

HOST = "127.0.0.1"
MEDIA = b"\x80" + bytes(30)


@pytest.fixture(autouse=True)
async def known_suites() -> None:
    await asyncio.to_thread(suites)  # reads a file


def told(transport: Transport, controlling: bool, client: bool) -> IceRemote:
    """What the other end is told of it, and plays itself."""
    said = transport.description
    return IceRemote(said.ufrag, said.password, said.fingerprint, said.candidates, controlling, client)


@asynccontextmanager
async def two(host: str = HOST) -> AsyncIterator[tuple[Transport, Transport]]:
    one, other = await Transport.open([host]), await Transport.open([host])
    try:
        yield one, other
    finally:
        await one.aclose()
        await other.aclose()


async def connect(one: Transport, other: Transport) -> tuple[webrtc.Keys, webrtc.Keys]:
    ours, theirs = await asyncio.gather(
        one.connect(told(other, controlling=True, client=False)),
        other.connect(told(one, controlling=False, client=True)),
    )
    return ours, theirs


@pytest.mark.parametrize("host", [HOST, "::1"])
async def test_both_ends_have_the_same_keys_and_hear_each_other(host: str) -> None:
    async with two(host) as (one, other):
        heard: list[bytes] = []
        other.received = heard.append
        assert one.send(MEDIA, 31) == 31  # nobody knows where to yet
        ours, theirs = await connect(one, other)
        assert (ours[0], ours[1]) == (theirs[1], theirs[0])
        assert ours[0] != ours[1]
        assert ours[0].suite.name == suites()[0]
        one.send(MEDIA * 3, 31)
        await until(lambda: len(heard) == 3)
        assert heard == [MEDIA] * 3
        assert one.port != other.port


@pytest.mark.parametrize("suite", [GCM, CM])
async def test_the_suite_is_the_first_that_both_have(suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webrtc, "suites", lambda: (suite,))
    async with two() as (one, other):
        ours, _ = await connect(one, other)
        assert ours[0].suite.name == suite


async def test_no_common_suite_no_media(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webrtc, "suites", lambda: (GCM,))
    one = await Transport.open([HOST])
    monkeypatch.setattr(webrtc, "suites", lambda: (CM,))
    other = await Transport.open([HOST])
    results = await asyncio.gather(
        one.connect(told(other, controlling=True, client=False)),
        other.connect(told(one, controlling=False, client=True)),
        return_exceptions=True,
    )
    assert all(isinstance(result, EngineError) for result in results)
    await one.aclose()
    await other.aclose()


async def test_the_end_of_one_is_told_to_the_other_once() -> None:
    async with two() as (one, other):
        lost: list[str] = []
        one.lost = lost.append
        await connect(one, other)
        await other.aclose()
        await until(lambda: lost)
        await one.aclose()
        assert lost == ["the phone is gone"]


async def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webrtc, "CONNECT_TIMEOUT", 0.1)
    async with two() as (one, other):
        hidden = "1 1 udp 1 c0ffee00-1111-4222-8333-444455556666.local 4000 typ host"
        alone = replace(told(other, controlling=True, client=False), candidates=(hidden,))
        with pytest.raises(EngineError, match="no way to this phone"):
            await one.connect(alone)


async def test_a_peer_whose_candidates_are_hidden_shows_itself() -> None:
    async with two() as (one, other):
        hidden = replace(told(other, controlling=True, client=False), candidates=())
        ours, theirs = await asyncio.gather(
            one.connect(hidden), other.connect(told(one, controlling=False, client=True))
        )
        assert ours[0] == theirs[1]


async def test_packets_follow_the_pair_that_ice_prefers() -> None:
    async with two() as (one, other):
        heard: list[bytes] = []
        other.received = heard.append
        await connect(one, other)
        one.send(MEDIA, 31)
        before = one._connection._nominated[1]
        one._connection._nominated[1] = CandidatePair(before.protocol, before.remote_candidate)
        one.send(MEDIA, 31)
        await until(lambda: len(heard) == 2)


async def test_who_waits_for_the_socket_is_called_once() -> None:
    async with two() as (one, other):
        await connect(one, other)
        called: list[int] = []
        one.on_writable(lambda: called.append(1))  # no socket yet
        one.send(MEDIA, 31)
        await until(lambda: called)
        one.on_writable(lambda: called.append(2))
        one.on_writable(None)
        await asyncio.sleep(0.01)
        assert called == [1]


async def test_a_relay_takes_packets_one_by_one() -> None:
    sent: list[tuple[bytes, tuple[str, int]]] = []
    protocol = SimpleNamespace(
        transport=SimpleNamespace(sendto=lambda data, address: sent.append((data, address))),
        local_candidate=Candidate.from_sdp("1 1 udp 1 192.0.2.1 4000 typ relay"),
    )
    remote = Candidate.from_sdp("1 1 udp 1 192.0.2.2 5000 typ host")
    async with two() as (one, _):
        one._connection._nominated[1] = CandidatePair(cast(StunProtocol, protocol), remote)
        assert one.send(MEDIA * 2, 31) == 62
        one._connection._nominated.clear()
    assert sent == [(MEDIA, ("192.0.2.2", 5000))] * 2


async def test_strangers_fill_no_queue() -> None:
    async with two() as (one, other):
        heard: list[bytes] = []
        one.received = heard.append
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for data in (b"", b"\x00", b"\xff", MEDIA, *[b"\x16" + bytes(20)] * 100):
                stranger.sendto(data, (HOST, one.port))
        await until(lambda: one._connection._queue.qsize() == MAX_WAITING)
        await connect(one, other)
        assert heard == []


async def test_an_address_that_is_none_of_ours() -> None:
    with pytest.raises(EngineError, match="cannot use 192"):
        await Transport.open(["192.0.2.1"])


def test_addresses_that_can_be_told() -> None:
    assert usable(["127.0.0.1", "fe80::1%eth0", "192.168.1.2", "192.168.1.2"]) == ["192.168.1.2"]
    assert usable(["127.0.0.1", "::1"]) == ["127.0.0.1", "::1"]


def test_servers_for_who_is_not_at_home(caplog: pytest.LogCaptureFixture) -> None:
    found = servers_of(
        (
            IceServer("stun:stun.example.org"),
            IceServer("stun:other.example.org:1"),
            IceServer("http://nonsense"),
            IceServer("turns:[2001:db8::1]", "me", "secret"),
            IceServer("turn:turn.example.org?transport=tcp", "me", "secret"),
        )
    )
    assert found == {
        "stun_server": ("stun.example.org", 3478),
        "turn_server": ("2001:db8::1", 5349),
        "turn_ssl": True,
        "turn_transport": "tcp",
        "turn_username": "me",
        "turn_password": "secret",
    }
    assert "http://nonsense" in caplog.text
    udp = servers_of((IceServer("turn:turn.example.org:5000", "me", "secret"),))
    assert (udp["turn_server"], udp["turn_transport"], udp["turn_ssl"]) == (("turn.example.org", 5000), "udp", False)
