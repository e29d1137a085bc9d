"""A digit as the body of INFO, as telephones without telephone-event send it.

No RFC defines these bodies. `application/dtmf-relay` is two lines, `Signal=5` and `Duration=160` (in ms), and
`application/dtmf` the digit alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from meshdoor.errors import SipError

RELAY: Final = "application/dtmf-relay"
PLAIN: Final = "application/dtmf"
DIGITS: Final = "0123456789*#ABCD"  # by event code, RFC 4733 §3.2
DURATION: Final = 160  # ms; ours, what telephones say
MAX_BODY: Final = 128  # bytes; ours

_SIGNAL: Final = re.compile(r"[0-9*#A-Da-d]|1[0-5]")
_PARAMETER: Final = re.compile(r"[ \t]*(Signal|Duration)[ \t]*=[ \t]*([^ \t]+)[ \t]*", re.IGNORECASE)
_DURATION: Final = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class DtmfInfo:
    """One digit, and for how many milliseconds its key was held."""

    digit: str
    duration: int = DURATION

    @classmethod
    def parse(cls, content_type: str, body: bytes) -> DtmfInfo:
        """`content_type` is type/subtype in lower case. Raises SipError: 415 for another one, 400 for what is no
        digit."""
        if content_type not in (RELAY, PLAIN):
            raise SipError(f"INFO of {content_type[:40]}", 415)
        if len(body) > MAX_BODY or not body.isascii():
            raise SipError("a digit that is too long, or no text")
        text = body.decode("ascii").strip("\r\n")
        if content_type == PLAIN and "=" not in text:
            return cls(_digit(text.strip(" \t")))
        return cls._of(_parameters(text))

    @classmethod
    def _of(cls, parameters: dict[str, str]) -> DtmfInfo:
        duration = parameters.get("duration", str(DURATION))
        if not _DURATION.fullmatch(duration):
            raise SipError("the duration of a digit is a number")
        return cls(_digit(parameters.get("signal", "")), int(duration))

    def __bytes__(self) -> bytes:
        """As `RELAY` has it."""
        return f"Signal={self.digit}\r\nDuration={self.duration}\r\n".encode()


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.replace("\r\n", "\n").split("\n"):
        match = _PARAMETER.fullmatch(line)
        if match is None or match[1].lower() in found:
            raise SipError("a line of a digit that is neither Signal nor Duration")
        found[match[1].lower()] = match[2]
    return found


def _digit(signal: str) -> str:
    """Some send the code of the event, 10 for the star, in place of what is on the key."""
    if not _SIGNAL.fullmatch(signal):
        raise SipError("the signal is no digit")
    return DIGITS[int(signal)] if len(signal) == 2 else signal.upper()
