"""Flow tokens (RFC 5626 §5.2): how a proxy that keeps nothing remembers between which two flows it stands."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from typing import Final

from meshdoor.sip.flow import Flow

SECRET: Final = 32  # bytes
MAX_TOKEN: Final = 512  # characters; ours take about 210

_MAC: Final = 16  # bytes


@dataclass(frozen=True, slots=True)
class FlowName:
    """What finds a flow again: its transport, and its connection as text."""

    transport: str
    connection: str

    @classmethod
    def of(cls, flow: Flow) -> FlowName:
        """The name of a flow whose connection is a word."""
        return cls(flow.transport, str(flow.connection))


Pair = tuple[FlowName, FlowName]


class FlowTokens:
    """Seals pairs of flows under a secret of this process, so that nobody else can make or change one."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def seal(self, one: FlowName, other: FlowName) -> str:
        """The token of a pair: letters, digits, "-" and "_"."""
        text = f"{one.transport} {one.connection} {other.transport} {other.connection}".encode()
        return base64.urlsafe_b64encode(self._mac(text) + text).rstrip(b"=").decode("ascii")

    def open(self, token: str) -> Pair | None:
        """The pair, as it was sealed; None for what is no token of ours."""
        if len(token) > MAX_TOKEN:
            return None
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        except ValueError:
            return None
        mac, text = raw[:_MAC], raw[_MAC:]
        if not hmac.compare_digest(mac, self._mac(text)):
            return None
        one, one_connection, other, other_connection = text.decode().split(" ")
        return FlowName(one, one_connection), FlowName(other, other_connection)

    def _mac(self, text: bytes) -> bytes:
        return hmac.digest(self._secret, text, "sha256")[:_MAC]
