"""SIP for whoever is outside the mesh: where it listens, and where a URI is."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from meshdoor.errors import ConfigError, NotFound
from meshdoor.sip.flow import DEFAULT_PORT, SECURE_PORT, Flow, Target
from meshdoor.sip.locate import Hop
from meshdoor.sip.uri import SipUri
from meshdoor.transport.addresses import from_kernel
from meshdoor.transport.tcp import TcpTransport, TlsTransport
from meshdoor.transport.udp import UdpTransport

RESOLVE_DEADLINE: Final = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Outside:
    """The transports; add each to the endpoint with `endpoint.add`."""

    udp: UdpTransport | None
    tcp: TcpTransport
    tls: TlsTransport | None = None

    @property
    def transports(self) -> tuple[UdpTransport | TcpTransport, ...]:
        every = (self.udp, self.tcp, self.tls)
        return tuple(each for each in every if each is not None)

    @property
    def spoken(self) -> tuple[str, ...]:
        """The transports, as flows name them, the safe one first."""
        every = {"TLS": self.tls, "TCP": self.tcp, "UDP": self.udp}
        return tuple(name for name, transport in every.items() if transport is not None)

    def certificate(self, flow: Flow) -> bytes:
        """The certificate (DER) of whoever is at the other end, if it was verified; else empty."""
        return self.tls.certificate(flow) if self.tls is not None and flow.transport == "TLS" else b""

    def flow(self, hop: Hop, name: str, context: ssl.SSLContext | None = None) -> Flow:
        """A way to one hop of `name`, whose certificate is verified by `context`, else as that of anybody.

        Raises NotFound where there is no way.
        """
        transport = {"TLS": self.tls, "TCP": self.tcp, "UDP": self.udp}[hop.transport]
        assert transport is not None
        remote = (hop.host, hop.port)
        if isinstance(transport, TlsTransport):
            transport.expect(remote, name)
            if context is not None:
                transport.trust(remote, context)
        try:
            return transport.flow(remote)
        except OSError as error:
            raise NotFound(f"{hop.host} cannot be reached: {error.strerror}") from None

    def others(self, hops: Iterable[Hop], name: str, context: ssl.SSLContext | None = None) -> tuple[Flow, ...]:
        """Ways to those of the hops that there is one to."""
        found = []
        for hop in hops:
            with suppress(NotFound):
                found.append(self.flow(hop, name, context))
        return tuple(found)

    async def target(self, uri: SipUri, certificate: bytes = b"") -> Target:
        """A request for this URI: its address or the first of its name, by the transport that it names.

        A sips URI, or one with `transport=tls`, goes over TLS, and the certificate must be of its host, or
        `certificate` (DER) itself.
        Raises NotFound where there is no way, ConfigError for a transport that is not spoken here.
        """
        name = (uri.parameter("transport") or ("tls" if uri.scheme == "sips" else "udp")).lower()
        if uri.scheme == "sips" and name != "tls":
            raise ConfigError(f"{uri}: a sips URI goes over TLS")
        ways: dict[str, UdpTransport | TcpTransport | None] = {"udp": self.udp, "tcp": self.tcp, "tls": self.tls}
        transport = ways.get(name)
        if transport is None:
            raise ConfigError(f"{uri}: SIP over {name} is not spoken here")
        port = uri.port or (SECURE_PORT if name == "tls" else DEFAULT_PORT)
        remote = await resolve(uri.host, port)
        if isinstance(transport, TlsTransport):
            transport.expect(remote, uri.host, certificate)
        try:
            return Target(uri, transport.flow(remote))
        except OSError as error:
            raise NotFound(f"{uri.host} cannot be reached: {error.strerror}") from None


async def resolve(host: str, port: int) -> tuple[str, int]:
    """The first address of a name. Raises NotFound."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_DEADLINE):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError, TimeoutError):
        raise NotFound(f"no address of {host} is known", "check the name, or use the address") from None
    return from_kernel(found[0][4])
