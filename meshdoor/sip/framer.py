"""Messages out of a stream (RFC 3261 §18.3), and the keep-alives between them (RFC 5626 §4.4.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from meshdoor.errors import SipError
from meshdoor.sip.message import MAX_MESSAGE, find_body, parse_content_length

PING: Final = b"\r\n\r\n"
PONG: Final = b"\r\n"

_CONTENT_LENGTH: Final = re.compile(
    rb"^(?:content-length|l)[ \t]*+:(?:[ \t]|\r?\n[ \t])*+([^\r\n]*+)", re.IGNORECASE | re.MULTILINE
)


class KeepAlive(Enum):
    """A keep-alive of the other side: a ping is to be answered with PONG."""

    PING = "ping"
    PONG = "pong"


@dataclass(frozen=True, slots=True)
class Broken:
    """The stream lost its framing in the message that begins with `data`.

    Answer it with `validate.refuse(data, error)` and close the connection: nothing more will come.
    """

    data: bytes
    error: SipError


class Framer:
    """Cuts one direction of a TCP or TLS connection into messages.

    The side that opened the connection (`initiator`) is the one that pings, so what a lone CRLF means
    depends on it. At most one message of MAX_MESSAGE bytes is held back, plus what one `receive` brought.
    """

    def __init__(self, initiator: bool) -> None:
        self._initiator = initiator
        self._buffer = bytearray()
        self._searched = 0  # no end of headers before here
        self._needed = 0  # bytes of the message whose headers are complete; 0 if they are not
        self._broken = False

    @property
    def unfinished(self) -> bool:
        """Whether part of a message is held back, once `next_event` gave None. Half a keep-alive is none."""
        return bool(self._buffer) and self._buffer[:2] != PONG

    def receive(self, data: bytes) -> None:
        """Take bytes from the connection."""
        if not self._broken:
            self._buffer += data

    def next_event(self) -> bytes | KeepAlive | Broken | None:
        """The next message or keep-alive; None if more bytes are needed."""
        while not self._needed and self._buffer[:2] == b"\r\n":
            event = self._take_keep_alive()
            if event is not None or len(self._buffer) < 4:
                return event
        if self._broken or not self._buffer:
            return None
        try:
            return self._take_message()
        except SipError as error:
            self._broken = True
            return Broken(bytes(self._buffer[:MAX_MESSAGE]), error)

    def _take_keep_alive(self) -> KeepAlive | None:
        if self._initiator:
            del self._buffer[:2]
            return KeepAlive.PONG
        if self._buffer[:4] == PING:
            del self._buffer[:4]
            return KeepAlive.PING
        if len(self._buffer) >= 4:
            del self._buffer[:2]  # an empty line before a message: RFC 3261 §7.5
        return None

    def _take_message(self) -> bytes | None:
        if not self._needed:
            self._needed = self._measure()
        if not self._needed or len(self._buffer) < self._needed:
            return None
        message = bytes(self._buffer[: self._needed])
        del self._buffer[: self._needed]
        self._needed = self._searched = 0
        return message

    def _measure(self) -> int:
        ends = find_body(self._buffer, max(0, self._searched - 3))
        self._searched = len(self._buffer)
        if ends is None:
            if len(self._buffer) > MAX_MESSAGE:
                raise SipError("the headers are too large", 513)
            return 0
        lengths = _CONTENT_LENGTH.findall(self._buffer, 0, ends[0])
        if not lengths:
            raise SipError("a stream needs a Content-Length")
        size = ends[1] + parse_content_length([value.strip().decode("latin-1") for value in lengths])
        if size > MAX_MESSAGE:
            raise SipError(f"a message of {size} bytes is too large", 513)
        return size
