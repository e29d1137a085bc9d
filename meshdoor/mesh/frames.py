"""The frames of a mesh link; this docstring is their specification.

A link is one TLS 1.3 stream with ALPN `meshdoor/1`. On it, each way, frames follow one another:
kind (1 byte), length of the payload (3 bytes, big-endian), payload.

    1 HELLO       the first frame each way, the dialer's first. A JSON object, at most 1 KiB: `version` of
                  the software, `digest` of the roster (32 hex digits), `state` (as below), `port` where its
                  sender accepts links, `epoch` (16 hex digits, drawn when its process started), `serial`
                  (counts the HELLOs of that epoch)
    2 PING        stamp (8 bytes, opaque), digest (16), state (1), round-trip time (4; µs; all ones: none)
    3 PONG        stamp of the PING, digest (16), state (1)
    4 WANT        the heads that its sender has, 32 bytes each, at most 512: asks for what it lacks
    5 STATEMENTS  roster statements as carried, each after its length (2 bytes); at most 64 KiB a frame
    6 SIP         one SIP message, at most 64 KiB
    7 NOTE        a JSON object of the application, at most 16 KiB, nested at most 16 deep

State: 0 free, 1 ringing, 2 in a call. All integers are unsigned and big-endian.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NoReturn

from meshdoor.errors import LinkError

HEADER_SIZE = 4
DIGEST_SIZE = 16
HEAD_SIZE = 32
MAX_HEADS = 512
MAX_STATEMENTS = 65536  # bytes of one frame
MAX_SIP = 65536
MAX_NOTE = 16384
MAX_VERSION = 32
MAX_DEPTH = 16
NO_RTT = 0xFFFFFFFF

_PING = struct.Struct(">Q16sBI")
_PONG = struct.Struct(">Q16sB")


class Kind(IntEnum):
    """What a frame carries."""

    HELLO = 1
    PING = 2
    PONG = 3
    WANT = 4
    STATEMENTS = 5
    SIP = 6
    NOTE = 7


LIMITS: dict[int, int] = {
    Kind.HELLO: 1024,
    Kind.PING: _PING.size,
    Kind.PONG: _PONG.size,
    Kind.WANT: MAX_HEADS * HEAD_SIZE,
    Kind.STATEMENTS: MAX_STATEMENTS,
    Kind.SIP: MAX_SIP,
    Kind.NOTE: MAX_NOTE,
}


class State(IntEnum):
    """How busy a node is, as it says on every keep-alive."""

    FREE = 0
    RINGING = 1
    IN_CALL = 2


@dataclass(frozen=True, slots=True)
class Hello:
    """Who speaks, in which process, and how often it has said so."""

    version: str
    digest: bytes
    state: State = State.FREE
    port: int = 0
    epoch: bytes = bytes(8)
    serial: int = 0

    @classmethod
    def parse(cls, payload: bytes) -> Hello:
        match read_object(payload):
            case {
                "version": str(version),
                "digest": str(digest),
                "state": int(state),
                "port": int(port),
                "epoch": str(epoch),
                "serial": int(serial),
            } if _is_version(version) and 0 <= port < 65536 and 0 <= serial < 2**53:
                return cls(version, _hex(digest, DIGEST_SIZE), _state(state), port, _hex(epoch, 8), serial)
        raise LinkError("a HELLO without what it must say")

    def __bytes__(self) -> bytes:
        return write_object(
            {
                "version": self.version,
                "digest": self.digest.hex(),
                "state": int(self.state),
                "port": self.port,
                "epoch": self.epoch.hex(),
                "serial": self.serial,
            }
        )

    def is_after(self, other: Hello) -> bool:
        """Was this said after `other` by the same node, or by a restarted one?"""
        return self.epoch != other.epoch or self.serial > other.serial


@dataclass(frozen=True, slots=True)
class Ping:
    """A keep-alive. `rtt` is in seconds, None when its sender has not measured one."""

    stamp: int
    digest: bytes
    state: State
    rtt: float | None = None

    @classmethod
    def parse(cls, payload: bytes) -> Ping:
        if len(payload) != _PING.size:
            raise LinkError("a PING of the wrong size")
        stamp, digest, state, rtt = _PING.unpack(payload)
        return cls(stamp, digest, _state(state), None if rtt == NO_RTT else rtt / 1e6)

    def __bytes__(self) -> bytes:
        rtt = NO_RTT if self.rtt is None else min(round(self.rtt * 1e6), NO_RTT - 1)
        return _PING.pack(self.stamp, self.digest, self.state, rtt)


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a PING."""

    stamp: int
    digest: bytes
    state: State

    @classmethod
    def parse(cls, payload: bytes) -> Pong:
        if len(payload) != _PONG.size:
            raise LinkError("a PONG of the wrong size")
        stamp, digest, state = _PONG.unpack(payload)
        return cls(stamp, digest, _state(state))

    def __bytes__(self) -> bytes:
        return _PONG.pack(self.stamp, self.digest, self.state)


class FrameReader:
    """Cuts a stream into frames. Keeps at most one unfinished frame, and refuses it by its header."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> None:
        self._buffer += data

    def next_frame(self) -> tuple[Kind, bytes] | None:
        """The next whole frame, or None. Raises LinkError on an unknown kind or one too large."""
        if len(self._buffer) < HEADER_SIZE:
            return None
        kind, length = self._buffer[0], int.from_bytes(self._buffer[1:HEADER_SIZE], "big")
        if kind not in LIMITS:
            raise LinkError(f"a frame of unknown kind {kind}")
        if length > LIMITS[kind]:
            raise LinkError(f"a {Kind(kind).name} of {length} bytes")
        end = HEADER_SIZE + length
        if len(self._buffer) < end:
            return None
        payload = bytes(self._buffer[HEADER_SIZE:end])
        del self._buffer[:end]
        return Kind(kind), payload


def frame(kind: Kind, payload: bytes) -> bytes:
    """One frame. Raises LinkError if it would be refused for its size."""
    if len(payload) > LIMITS[kind]:
        raise LinkError(f"a {kind.name} of {len(payload)} bytes is too large")
    return bytes((kind,)) + len(payload).to_bytes(3, "big") + payload


def read_heads(payload: bytes) -> tuple[bytes, ...]:
    """The heads of a WANT."""
    if len(payload) % HEAD_SIZE:
        raise LinkError("a WANT with half a head")
    return tuple(payload[start : start + HEAD_SIZE] for start in range(0, len(payload), HEAD_SIZE))


def write_statement(carried: bytes) -> bytes:
    """One entry of STATEMENTS."""
    return len(carried).to_bytes(2, "big") + carried


def read_statements(payload: bytes) -> tuple[bytes, ...]:
    """The statements of a STATEMENTS frame."""
    return tuple(_statements(payload))


def _statements(payload: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(payload):
        end = start + 2 + int.from_bytes(payload[start : start + 2], "big")
        if start + 2 > len(payload) or end > len(payload):
            raise LinkError("a statement that is cut off")
        yield payload[start + 2 : end]
        start = end


def write_object(value: dict[str, Any]) -> bytes:
    """A JSON object, compact. Raises ValueError or TypeError for what JSON cannot carry."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def read_object(payload: bytes) -> dict[str, Any]:
    """A JSON object: no key twice, no NaN, bounded nesting. Raises LinkError."""
    try:
        value = json.loads(payload.decode(), object_pairs_hook=_pairs, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise LinkError(f"not JSON: {error}") from None
    if not isinstance(value, dict) or _is_deeper(value, MAX_DEPTH):
        raise LinkError("not a JSON object of bounded depth")
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


def _is_deeper(value: Any, depth: int) -> bool:
    children: Iterable[Any] = ()
    if isinstance(value, dict):
        children = value.values()
    elif isinstance(value, list):
        children = value
    else:
        return False
    return depth == 0 or any(_is_deeper(child, depth - 1) for child in children)


def _is_version(text: str) -> bool:
    return 0 < len(text) <= MAX_VERSION and text.isascii() and text.isprintable()


def _hex(text: str, size: int) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != size or len(text) != 2 * size:
        raise LinkError("a HELLO with a field that is not hexadecimal")
    return value


def _state(value: int) -> State:
    try:
        return State(value)
    except ValueError:
        raise LinkError(f"unknown state {value}") from None
