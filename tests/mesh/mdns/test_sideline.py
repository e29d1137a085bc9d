"""SIP devices, our SIP service and the host's name on the loopback interface, by real multicast."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from meshdoor.mesh import dns
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.dns import Message, Question, Record, pointer, service, text
from meshdoor.mesh.mdns import Mdns, sideline
from meshdoor.mesh.mdns.sideline import ASKED, Sideline
from meshdoor.mesh.outsiders import SIPURI_UDP
from meshdoor.mesh.sip_service import SipService
from tests.mesh.mdns.sightings import HERE, Sightings
from tests.patience import PATIENCE, until

pytestmark = pytest.mark.multicast

GROUP = ("224.0.0.251", 5353)
NAME = f"host-{secrets.token_hex(4)}"  # of this run: others may share the interface
HOST = (NAME.encode(), b"local")
DOOR = SipService("abcd-efgh-ijkl-mnop", NAME, "Front door", HERE, 5060)


@pytest.fixture(autouse=True)
def of_this_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: NAME)
    monkeypatch.setattr(sideline, "OTHER_RESPONDER", tmp_path / "none")


@contextmanager
def stranger() -> Iterator[socket.socket]:
    """Somebody who is no responder: a socket with a port of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(HERE))
        sock.bind((HERE, 0))
        sock.settimeout(0)
        yield sock


async def ask(sock: socket.socket, question: Question) -> tuple[Record, ...]:
    """What a simple resolver is answered; nothing is an empty answer."""
    sock.sendto(bytes(Message((question,), id=99)), GROUP)
    for _ in range(25):
        await asyncio.sleep(0.02)
        try:
            return Message.parse(sock.recv(9000)).records
        except BlockingIOError:
            continue
    return ()


@asynccontextmanager
async def advertised() -> AsyncIterator[Mdns]:
    async with Sightings().mdns() as mdns:
        mdns.advertise(DOOR, [HERE])
        yield mdns


def device(number: int, ttl: int = 4500) -> bytes:
    instance = (f"sip:x{number}@{NAME}".encode(), *SIPURI_UDP)
    host = (f"dev{number}-{NAME}".encode(), b"local")
    return bytes(
        Message(
            records=(
                pointer(SIPURI_UDP, instance, ttl),
                service(instance, 5060, host, 120),
                text(instance, (b"name=" + NAME.encode(),), 4500),
                Record(host, dns.A, 120, bytes((10, 9, 8, number))),
            ),
            response=True,
        )
    )


def uris(mdns: Mdns) -> list[str]:
    return [found.uri for found in mdns.outsiders() if found.name == NAME]


async def test_a_device_comes_and_goes() -> None:
    async with Sightings().mdns() as mdns:
        with stranger() as sock:
            sock.sendto(b"\0" * 12 + b"_sipuri", GROUP)
            sock.sendto(device(1)[:-3], GROUP)
            sock.sendto(device(1), GROUP)
            await until(lambda: uris(mdns) == ["sip:x1@10.9.8.1"])
            sock.sendto(device(1, ttl=0), GROUP)
            await until(lambda: uris(mdns) == [])


async def test_what_is_missing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = (b"sip:x2@" + NAME.encode(), *SIPURI_UDP)
    asked: list[Message] = []
    async with Sightings().mdns() as mdns, Sightings().mdns() as other:
        monkeypatch.setattr(other._sideline._responder, "received", lambda message, *_: asked.append(message))
        with stranger() as sock:
            sock.sendto(bytes(Message(records=(pointer(SIPURI_UDP, instance, 120),), response=True)), GROUP)
            await until(lambda: any(Question(instance, dns.ANY) in message.questions for message in asked))
        assert uris(mdns) == []


async def test_what_somebody_else_has_asked_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    line = Sideline(lambda data, to: sent.append(data), claims=False)
    for _ in range(2):
        line.query()
        line.received(sent[-1], Address(HERE, 5353))  # the group gives it back to who has sent it
    assert len(sent) == 2
    monkeypatch.setattr(sideline, "ECHO", 0.0)
    other, part = bytes(Message(ASKED)), bytes(Message(ASKED[:1]))
    line.received(part, Address(HERE, 5353))
    line.received(other, Address(HERE, 5353))
    line.query()
    assert len(sent) == 2
    line.query()
    assert len(sent) == 3
    line.close()


async def test_our_service_is_found_and_withdrawn() -> None:
    question = Question(SIPURI_UDP, dns.PTR)
    with stranger() as sock:
        async with advertised() as mdns:
            found = [record for record in await ask(sock, question) if NAME.encode() in record.data]
            assert found
            instance = next(record.target for record in found if record.type == dns.PTR)
            assert instance == (f"sip:{NAME}@{HERE}".encode(), *SIPURI_UDP)
            assert any(record.type == dns.SRV for record in await ask(sock, Question(instance, dns.ANY)))
            mdns.advertise(None, [])
            assert await ask(sock, Question(instance, dns.ANY)) == ()
            mdns.advertise(DOOR, [HERE])
        assert await ask(sock, Question(instance, dns.ANY)) == ()


async def test_nothing_is_sent_after_the_goodbye() -> None:
    sent: list[bytes] = []
    line = sideline.Sideline(lambda data, to: sent.append(data), claims=False)
    line.advertise(DOOR, [HERE])
    line.close()
    goodbye = len(sent)
    question = bytes(Message((Question(SIPURI_UDP, dns.PTR),), id=99))
    line.received(question, Address(HERE, 5353))
    line.advertise(DOOR, [HERE])
    await asyncio.sleep(2 * sideline.LOOK_SOON)
    assert len(sent) == goodbye


async def test_the_name_of_the_host_leads_here_once_nobody_answered_for_it() -> None:
    async with advertised():
        with stranger() as sock:
            records: tuple[Record, ...] = ()
            async with asyncio.timeout(PATIENCE):
                while not records:
                    records = await ask(sock, Question(HOST, dns.A))
    assert [record.data for record in records] == [socket.inet_aton(HERE)]


async def test_who_answers_for_it_keeps_it() -> None:
    theirs = Record(HOST, dns.A, 120, bytes((10, 9, 8, 7)), unique=True)
    async with advertised() as mdns:
        with stranger() as sock:
            sock.sendto(bytes(Message(records=(theirs,), response=True)), GROUP)
            await until(lambda: "TAKEN" in str(mdns._sideline._hostname and mdns._sideline._hostname.state))
            await asyncio.sleep(1.2)
            assert await ask(sock, Question(HOST, dns.A)) == ()


async def test_beside_another_responder_the_name_is_not_claimed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sideline, "OTHER_RESPONDER", tmp_path)
    async with advertised() as mdns:
        assert mdns._sideline._hostname is None


async def test_a_host_without_a_usable_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "localhost")
    async with advertised() as mdns:
        assert mdns._sideline._hostname is None
