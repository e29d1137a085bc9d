"""The name servers that RFC 3263 asks (`sip.locate`); the only importer of dnspython.

Addresses come from the system (/etc/hosts, mDNS), NAPTR and SRV from the name servers of /etc/resolv.conf.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from meshdoor.errors import NotFound, SipError
from meshdoor.sip.locate import Address, Hop, Naptr, Question, Record, Srv, locate
from meshdoor.sip.uri import SipUri
from meshdoor.transport.addresses import from_kernel

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver as Asker

# Seconds.
ANSWER_DEADLINE: Final = 3.0  # of one question
DEADLINE: Final = 8.0  # of all of them
KINDS: Final = {Naptr: "NAPTR", Srv: "SRV"}


class Resolver:
    """`asker` is dnspython's, by default with what the system says; it is made when it is needed first."""

    def __init__(self, asker: Asker | None = None) -> None:
        self._asker = asker

    async def hops(self, uri: SipUri, spoken: tuple[str, ...], preferred: str = "") -> tuple[Hop, ...]:
        """Where to send a request for `uri`, best first. Raises NotFound."""
        search = locate(uri, secrets.randbelow, spoken, preferred)
        answer: Iterable[Record] = ()
        try:
            async with asyncio.timeout(DEADLINE):
                question = next(search)
                while True:
                    answer = await self._ask(question)
                    question = search.send(answer)
        except StopIteration as end:
            found: tuple[Hop, ...] = end.value
            return found
        except SipError as error:
            raise NotFound(str(error), "check the name, or use the address") from None
        except TimeoutError:
            raise NotFound(f"{uri.host}: the name servers do not answer", "check the network") from None

    async def _ask(self, question: Question) -> list[Record]:
        """Nothing where there are no records, or no name server answers."""
        if question.kind is Address:
            return await _addresses(question.name)
        if _is_near(question.name):
            return []
        from dns.exception import DNSException

        if self._asker is None:
            self._asker = await asyncio.to_thread(_system)
        try:
            answer = await self._asker.resolve(question.name, KINDS[question.kind], lifetime=ANSWER_DEADLINE)
        except (DNSException, OSError, ValueError):
            return []
        return [_naptr(each) if question.kind is Naptr else _srv(each) for each in answer]


def _system() -> Asker:
    """A host without /etc/resolv.conf has no name server to ask."""
    from dns.asyncresolver import Resolver as Asker
    from dns.resolver import NoResolverConfiguration

    try:
        return Asker()
    except NoResolverConfiguration:
        return Asker(configure=False)


def _is_near(name: str) -> bool:
    """mDNS has no service of ours for others, and no name server knows names without a dot."""
    bare = name.rstrip(".").split("._tcp.")[-1].split("._udp.")[-1]
    return "." not in bare or bare.lower().endswith(".local")


def _naptr(record: object) -> Naptr:
    read = {name: getattr(record, name) for name in ("order", "preference", "flags", "service", "replacement")}
    flags, service = (read[name].decode("ascii", "replace") for name in ("flags", "service"))
    return Naptr(read["order"], read["preference"], flags, service, str(read["replacement"]))


def _srv(record: object) -> Srv:
    read = {name: getattr(record, name) for name in ("priority", "weight", "port", "target")}
    return Srv(read["priority"], read["weight"], read["port"], str(read["target"]))


async def _addresses(host: str) -> list[Record]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, 0, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return []
    return [Address(from_kernel(each[4])[0]) for each in found]
