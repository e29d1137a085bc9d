"""RFC 3263 with a name server on the loopback interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from meshdoor.errors import NotFound
from meshdoor.sip.locate import Hop
from meshdoor.sip.uri import SipUri
from meshdoor.transport import resolver as module
from meshdoor.transport.resolver import Resolver

SPOKEN = ("TLS", "TCP", "UDP")
ZONE = {
    ("sip.example.", "NAPTR"): [
        '10 10 "s" "SIP+D2T" "" _sip._tcp.sip.example.',
        '20 10 "s" "SIP+D2U" "" _sip._udp.sip.example.',
    ],
    ("_sip._tcp.sip.example.", "SRV"): ["10 0 5070 127.0.0.1."],
    ("_sip._udp.sip.example.", "SRV"): ["10 0 5080 localhost.", "5 0 5090 ::1."],
}


class NameServer(asyncio.DatagramProtocol):
    """Answers from ZONE, and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.silent = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        question = dns.message.from_wire(data).question[0]
        name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{kind} {name}")
        answer = dns.message.make_response(dns.message.from_wire(data))
        answer.flags |= dns.flags.RA
        if (name, kind) in ZONE:
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *ZONE[name, kind]))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        if not self.silent:
            self.transport.sendto(answer.to_wire(), address)


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[NameServer, Resolver]]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    asker = dns.asyncresolver.Resolver(configure=False)
    asker.nameservers, asker.port = ["127.0.0.1"], transport.get_extra_info("sockname")[1]
    try:
        yield server, Resolver(asker)
    finally:
        transport.close()


async def test_a_domain_is_found_by_its_records() -> None:
    async with serving() as (server, resolver):
        hops = await resolver.hops(SipUri.parse("sip:flat42@sip.example"), SPOKEN)
        assert hops[:2] == (Hop("TCP", "127.0.0.1", 5070), Hop("UDP", "::1", 5090))
        assert {hop.port for hop in hops[2:]} == {5080}
        assert server.asked == ["NAPTR sip.example.", "SRV _sip._tcp.sip.example.", "SRV _sip._udp.sip.example."]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_hosts_of_the_house_need_no_name_server(host: str) -> None:
    async with serving() as (server, resolver):
        hops = await resolver.hops(SipUri.parse(f"sip:{host}"), SPOKEN)
        assert Hop("UDP", "127.0.0.1", 5060) in hops
        assert server.asked == []


async def test_a_name_that_there_is_not() -> None:
    async with serving() as (server, resolver):
        with pytest.raises(NotFound, match=r"nowhere\.invalid: no address is known"):
            await resolver.hops(SipUri.parse("sip:x@nowhere.invalid"), ("UDP",))
        assert server.asked == ["NAPTR nowhere.invalid.", "SRV _sip._udp.nowhere.invalid."]
        with pytest.raises(NotFound, match="no address"):
            await resolver.hops(SipUri.parse(f"sip:x@{'a' * 70}.invalid"), ("UDP",))


async def test_name_servers_may_be_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_DEADLINE", 0.05)
    async with serving() as (server, resolver):
        server.silent = True
        with pytest.raises(NotFound, match="no address"):
            await resolver.hops(SipUri.parse("sip:x@nowhere.invalid"), ("UDP",))
        monkeypatch.setattr(module, "DEADLINE", 0.02)
        with pytest.raises(NotFound, match="do not answer"):
            await resolver.hops(SipUri.parse("sip:x@nowhere.invalid"), ("UDP",))


async def test_the_system_says_whom_to_ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = dns.asyncresolver.Resolver

    def system(configure: bool = True) -> dns.asyncresolver.Resolver:
        return made(str(tmp_path / "none")) if configure else made(configure=False)

    monkeypatch.setattr(dns.asyncresolver, "Resolver", system)
    with pytest.raises(NotFound, match="no address"):
        await Resolver().hops(SipUri.parse("sip:x@nowhere.invalid"), ("UDP",))
