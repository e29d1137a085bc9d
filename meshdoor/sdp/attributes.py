"""Attributes with a form of their own: each parses from the value behind `a=name:`, and prints it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from meshdoor.errors import SdpError
from meshdoor.sdp.description import Section

MAX_CLOCK_RATE = 1_000_000  # Hz; ours
MAX_PTIME = 200  # ms; ours


class Direction(StrEnum):
    """RFC 3264 §5.1, from the view of who writes it."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @classmethod
    def of(cls, sends: bool, receives: bool) -> Direction:
        if sends:
            return cls.SENDRECV if receives else cls.SENDONLY
        return cls.RECVONLY if receives else cls.INACTIVE

    @classmethod
    def in_force(cls, media: Section, session: Section) -> Direction:
        """What the medium says, else the session, else sendrecv (RFC 8866 §6.7)."""
        for section in (media, session):
            for direction in cls:
                if section.attribute(direction) is not None:
                    return direction
        return cls.SENDRECV

    @property
    def sends(self) -> bool:
        return self in {Direction.SENDRECV, Direction.SENDONLY}

    @property
    def receives(self) -> bool:
        return self in {Direction.SENDRECV, Direction.RECVONLY}

    def answer(self, wanted: Direction) -> Direction:
        """The most of `wanted` that answers an offer of this (RFC 3264 §6.1)."""
        return Direction.of(wanted.sends and self.receives, wanted.receives and self.sends)


@dataclass(frozen=True, slots=True)
class Rtpmap:
    """`a=rtpmap` (RFC 8866 §6.6)."""

    payload_type: int
    encoding: str
    clock_rate: int
    channels: int = 1

    @classmethod
    def parse(cls, value: str) -> Rtpmap:
        number, _, rest = value.partition(" ")
        encoding, *numbers = rest.strip().split("/")
        if not encoding or not 1 <= len(numbers) <= 2:
            raise SdpError(f"no rtpmap: {value[:80]!r}")
        clock_rate = _number(numbers[0], MAX_CLOCK_RATE)
        channels = _number(numbers[1], 255) if len(numbers) == 2 else 1
        return cls(_number(number, 127), encoding, clock_rate, channels)

    def __str__(self) -> str:
        channels = f"/{self.channels}" if self.channels != 1 else ""
        return f"{self.payload_type} {self.encoding}/{self.clock_rate}{channels}"


@dataclass(frozen=True, slots=True)
class Fmtp:
    """`a=fmtp` (RFC 8866 §6.15), its parameters as they came."""

    payload_type: int
    parameters: str

    @classmethod
    def parse(cls, value: str) -> Fmtp:
        number, _, parameters = value.partition(" ")
        return cls(_number(number, 127), parameters.strip())

    def __str__(self) -> str:
        return f"{self.payload_type} {self.parameters}"


def parameter(parameters: str, name: str) -> str | None:
    """One of `name=value;name=value` (RFC 6184 §8.2.1, RFC 7587 §7); names in any case."""
    for part in parameters.split(";"):
        key, found, value = part.partition("=")
        if found and key.strip().lower() == name:
            return value.strip()
    return None


@dataclass(frozen=True, slots=True)
class RtcpFb:
    """`a=rtcp-fb` (RFC 4585 §4.2). `payload_type` None stands for all (`*`)."""

    payload_type: int | None
    feedback: str

    @classmethod
    def parse(cls, value: str) -> RtcpFb:
        number, _, feedback = value.partition(" ")
        return cls(None if number == "*" else _number(number, 127), " ".join(feedback.split()))

    def __str__(self) -> str:
        return f"{'*' if self.payload_type is None else self.payload_type} {self.feedback}"


@dataclass(frozen=True, slots=True)
class Rtcp:
    """`a=rtcp` (RFC 3605): the port of RTCP, and its address if it has another."""

    port: int
    address: str | None = None

    @classmethod
    def parse(cls, value: str) -> Rtcp:
        port, *rest = value.split() or [""]
        if len(rest) not in {0, 3}:
            raise SdpError(f"no rtcp attribute: {value[:80]!r}")
        return cls(_number(port, 0xFFFF), rest[2] if rest else None)

    def __str__(self) -> str:
        if self.address is None:
            return str(self.port)
        return f"{self.port} IN {address_type(self.address)} {self.address}"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`a=fingerprint` (RFC 8122): of the certificate of DTLS."""

    algorithm: str
    digest: bytes

    @classmethod
    def parse(cls, value: str) -> Fingerprint:
        algorithm, _, text = value.partition(" ")
        try:
            digest = bytes.fromhex(text.replace(":", ""))
        except ValueError:
            raise SdpError(f"no fingerprint: {value[:80]!r}") from None
        return cls(algorithm.lower(), digest)

    def __str__(self) -> str:
        return f"{self.algorithm} {self.digest.hex(':').upper()}"


def ptime(section: Section) -> int | None:
    """The packet time (ms) that this side wants to get, `a=ptime` cut to `a=maxptime`; None if it does not say."""
    values = [_milliseconds(section.attribute(name)) for name in ("ptime", "maxptime")]
    return min((value for value in values if value), default=None)


def address_type(address: str) -> str:
    return "IP6" if ":" in address else "IP4"


def _milliseconds(value: str | None) -> int:
    """Cisco and others write fractions. What makes no sense counts as absent."""
    whole = (value or "").partition(".")[0].strip()
    number = int(whole) if whole.isascii() and whole.isdigit() and len(whole) < 6 else 0
    return number if number <= MAX_PTIME else 0


def _number(text: str, most: int) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most):
        raise SdpError(f"no number up to {most}: {text[:20]!r}")
    return int(text)
