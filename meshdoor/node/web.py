"""What the web server and the node ask of each other. Neither imports the other: both are built against this.

The server (`meshdoor.web`) is loaded when there is a phone; `meshdoor.node.webhouse` is the node's side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from meshdoor.config import Config
from meshdoor.errors import AttachError
from meshdoor.store.state import StateDirectory

Json = Any
Tell = Callable[[Json], None]
Send = Callable[[str], None]  # one message to a phone; never waits: who takes nothing is cut
Stop = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Guest:
    """A phone that may attach, as the roster has it. `until` is a Unix time: it is a guest's last second."""

    key: bytes
    id: str
    name: str
    permissions: tuple[str, ...]
    until: int | None = None


Cut = Callable[[AttachError], None]


class SipFlow(Protocol):
    """The node's end of one SIP WebSocket (RFC 7118)."""

    def received(self, text: str) -> None:
        """One message of the phone. Raises RemoteProtocolError for what ends the socket."""

    def closed(self) -> None:
        """The socket is gone."""


class WebHouse(Protocol):
    """The home, as the web server sees it."""

    @property
    def home(self) -> str:
        """The id of the home in hexadecimal; empty while this node belongs to none."""

    @property
    def node(self) -> str:
        """What people call this node."""

    @property
    def home_name(self) -> str:
        """What people call the home."""

    def addresses(self) -> tuple[str, ...]:
        """The addresses of this node now."""

    def standing(self, key: bytes) -> Guest:
        """The phone of this key. Raises AttachError unless it may attach now."""

    def watch(self, changed: Callable[[], None]) -> Stop:
        """Call `changed` whenever the standing of a phone may have changed."""

    def pair(self, body: bytes, address: str, fingerprint: bytes) -> bytes:
        """A phone at `address` shows an invitation: the body of the reply. Raises InvitationError."""

    def attach(self, key: bytes, send: Send, cut: Cut) -> SipFlow:
        """A phone that has proven its key wants to ring and be rung. Raises AttachError."""

    def attach_client(self, address: str, send: Send, cut: Cut) -> SipFlow:
        """A client that will register by digest. Raises AttachError."""

    async def provision(self, token: str) -> bytes:
        """The settings of a SIP client, as XML, once. Raises UserError."""

    async def ask(self, key: bytes, what: str, args: Mapping[str, Json]) -> Json:
        """A question of an attached phone. Raises UserError."""

    def listen(self, key: bytes, tell: Tell) -> Stop:
        """Tell this phone what happens in the home."""


class Web(Protocol):
    """A web server that runs."""

    @property
    def port(self) -> int:
        """Where it listens."""

    @property
    def url_base(self) -> str:
        """`https://HOST:PORT`, as a phone in the house reaches it."""

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the certificate that it presents."""

    async def authority(self) -> Json:
        """`phone ca`: from now on the certificate is signed by an authority that a phone may trust.

        {"certificate": PEM, "fingerprint": hex, "url": where a phone gets it}. Raises Refused with an own certificate.
        """


WebFactory = Callable[[Config, WebHouse, StateDirectory], AbstractAsyncContextManager[Web]]
