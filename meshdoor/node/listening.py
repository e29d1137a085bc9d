"""Where devices outside the mesh speak SIP with this node: UDP and TCP on one port, and on screens TLS on the next."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Final

from meshdoor.config import Config
from meshdoor.errors import ConfigError, MeshdoorError
from meshdoor.mesh.acceptor import listen
from meshdoor.node import journal
from meshdoor.node.house import House
from meshdoor.node.sip_identity import SipIdentity
from meshdoor.sip.flow import SECURE_PORT
from meshdoor.transport.outside import Outside
from meshdoor.transport.tcp import TcpTransport, TlsTransport
from meshdoor.transport.tls import client_context
from meshdoor.transport.udp import UdpTransport, bind
from meshdoor.trust.permissions import Role

LOOK_AGAIN: Final = 5.0  # seconds between two looks whether the addresses are others


async def listen_outside(config: Config, house: House, identity: SipIdentity | None) -> Outside:
    """They are served what `calls.policy` says. A port that is taken is replaced by any other, and it is said."""
    hosts = ("127.0.0.1",) if config.mesh.interfaces == ("lo",) else ("", "::")
    tcp, udp = TcpTransport(_listening(config.sip.port, hosts)), None
    house.sip_port = tcp.port
    try:
        udp = UdpTransport(bind(tcp.port, hosts))
    except ConfigError as error:
        journal.warn("port", f"SIP over UDP: {error}; {error.hint}")
    if identity is None or house.role is not Role.SCREEN:
        return Outside(udp, tcp, await _dialling(config))
    try:
        server = await asyncio.to_thread(identity.server)
        client = await asyncio.to_thread(identity.client)
    except MeshdoorError as error:
        journal.warn("port", f"SIP over TLS: {error}")
        return Outside(udp, tcp)
    wanted = config.sip.port + 1 if config.sip.port else 0
    return Outside(udp, tcp, TlsTransport(server, client, _listening(wanted, hosts)))


async def _dialling(config: Config) -> TlsTransport | None:
    """TLS to servers outside, for who takes none in."""
    if not config.accounts and not config.routes:
        return None
    context = await asyncio.to_thread(client_context)
    return TlsTransport(context, context, port=SECURE_PORT)


async def keep_certificate(
    house: House, identity: SipIdentity, tls: TlsTransport, pins: Callable[[], frozenset[bytes]]
) -> None:
    """Show the addresses of this node in its certificate, whatever they are, and ask for the certificates that are
    pinned; until cancelled."""
    shown: tuple[tuple[str, ...], frozenset[bytes]] = (), frozenset()
    while True:
        wanted = house.addresses, pins()
        if wanted != shown:
            shown = wanted
            try:
                tls.show(await asyncio.to_thread(identity.server, wanted[1]))
            except MeshdoorError as error:
                journal.warn("port", f"SIP over TLS: {error}")
        await asyncio.sleep(LOOK_AGAIN)


def _listening(port: int, hosts: Sequence[str]) -> list[socket.socket]:
    try:
        return listen(port, hosts)
    except ConfigError as error:
        journal.warn("port", f"SIP: {error}: using another")
        return listen(0, hosts)
