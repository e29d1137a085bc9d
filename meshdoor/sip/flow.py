"""Flows, and where a message goes: RFC 3261 §18.1 and §18.2, RFC 3581, §8.1.2."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, ip_address
from typing import Final

from meshdoor.sip.headers import NameAddr, Via
from meshdoor.sip.message import Request, Response
from meshdoor.sip.uri import SipUri, Uri, is_address

DEFAULT_PORT: Final = 5060  # §19.1.2
SECURE_PORT: Final = 5061
UDP_LIMIT: Final = 1300  # bytes; a larger request leaves over a congestion-controlled transport (§18.1.1)

_RELIABLE: Final = frozenset({"TCP", "TLS", "WS", "WSS", "LINK"})
_SECURE: Final = frozenset({"TLS", "WSS", "LINK"})


@dataclass(frozen=True, slots=True)
class Flow:
    """A way to one peer (RFC 5626 §2): "UDP", "TCP", "TLS", "WS", "WSS" or the mesh's "LINK".

    `connection` names the connection of a reliable transport; None asks the transport for a new one. For a
    link the peer's key is a good name: the flow then outlives a reconnection. An IPv6 host may carry its scope.
    """

    transport: str
    local: tuple[str, int]
    remote: tuple[str, int]
    connection: Hashable = None

    @property
    def reliable(self) -> bool:
        """Whether nothing is lost or repeated on the way."""
        return self.transport in _RELIABLE

    @property
    def secure(self) -> bool:
        """Whether the peer is proven and nobody listens."""
        return self.transport in _SECURE

    @property
    def host(self) -> str:
        """Where the peer is; without a scope."""
        return _bare(self.remote[0])

    def via(self, branch: str) -> Via:
        """The Via value of a request that leaves here."""
        # A link is TLS: its name is ours and must not surprise a parser.
        transport = "TLS" if self.transport == "LINK" else self.transport
        host, port = self.local
        return Via(transport, _bare(host), port, (("branch", branch), ("rport", None)))

    def contact(self, user: str) -> SipUri:
        """Our address for requests that come back on this flow."""
        # A secure WebSocket is "ws" in URIs (RFC 7118 §5.2.2).
        transport = {"LINK": "tls", "WSS": "ws"}.get(self.transport, self.transport.lower())
        parameters = () if transport == "udp" else (("transport", transport),)
        return SipUri("sip", user, None, _bare(self.local[0]), self.local[1], parameters)


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a request is for: its Request-URI, the flow to send on, and a preloaded route (§8.1.2). `caller` stands in
    From; None for this user agent itself. `others` are flows for an INVITE that comes to nothing on the first one
    (RFC 3263 §4.3), best first."""

    uri: Uri
    flow: Flow
    route: tuple[NameAddr, ...] = ()
    caller: NameAddr | None = None
    others: tuple[Flow, ...] = ()


def stamp(message: Request | Response, flow: Flow) -> None:
    """Write into the topmost Via of a request, or of its response, where it came from (§18.2.1, RFC 3581 §4)."""
    via = message.via
    host, port = flow.remote
    stamped = via
    if via.wants_rport:
        stamped = via.with_parameter("rport", str(port))
    if via.wants_rport or not _same_host(via.host, host):
        stamped = stamped.with_parameter("received", _bare(host))
    if stamped is not via:
        rest = message.headers.get_all("via")[1:]
        message.headers.set("Via", str(stamped))
        for value in rest:
            message.headers.add("Via", value)


def reply_flows(message: Request | Response, flow: Flow) -> tuple[Flow, ...]:
    """Where the responses to a stamped request go, best first (§18.2.2); a response tells it as well.

    `maddr` is not obeyed: it would let anyone aim our responses at a third party.
    """
    via = message.via
    default = SECURE_PORT if flow.transport == "TLS" else DEFAULT_PORT
    sent_by = (flow.remote[0], via.port or default)
    if not flow.reliable:
        return (flow if via.wants_rport else replace(flow, remote=sent_by),)
    if flow.transport in ("TCP", "TLS"):
        return flow, replace(flow, remote=sent_by, connection=None)
    return (flow,)


def next_hop(uri: Uri, flow: Flow) -> Flow:
    """The flow for a request to `uri` in a dialog that runs on `flow`.

    A connection is used again, and so is a secure flow whatever the URI asks for. Over UDP the URI's address
    counts, if it is one: names are for who made the target to resolve.
    """
    if flow.reliable or not isinstance(uri, SipUri):
        return flow
    host = uri.host
    if not is_address(host):
        return flow
    if _same_host(host, flow.remote[0]):
        host = flow.remote[0]  # which knows its IPv6 scope
    transport = (uri.parameter("transport") or "udp").upper()
    if transport not in ("UDP", "TCP"):
        return flow
    return replace(flow, transport=transport, remote=(host, uri.port or DEFAULT_PORT))


def reopened(uri: Uri, flow: Flow) -> Flow:
    """What replaces a flow that failed for requests to `uri`: a new connection, where the URI says how."""
    if flow.transport not in ("TCP", "TLS") or not isinstance(uri, SipUri) or not is_address(uri.host):
        return flow
    default = SECURE_PORT if flow.transport == "TLS" else DEFAULT_PORT
    return replace(flow, remote=(uri.host, uri.port or default), connection=None)


def _bare(host: str) -> str:
    """An address without its scope, which means nothing to others."""
    return host.partition("%")[0]


def _same_host(one: str, other: str) -> bool:
    return _canonical(one) == _canonical(other)


def _canonical(host: str) -> object:
    try:
        address = ip_address(_bare(host))
    except ValueError:
        return host.lower()
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
