"""The torture messages of RFC 4475 and RFC 5118, each with what a UAS has to make of it.

A case begins with a line `==== NAME SECTION OUTCOME`; the outcome is `accept` (go on with it), `drop` (say
nothing) or a status with, after it, a header that the answer must carry. Lines end in CRLF on the wire. The
RFC's own notation stands for what cannot be typed: <hex>00FF</hex> and <repeat count=3>long</repeat>.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_HEADING = re.compile(r"^==== (\S+) (\S+) (accept|drop|\d{3})(?: (.+))?\n", re.MULTILINE)
_HEX = re.compile(rb"<hex>([0-9A-F]+)</hex>")
_REPEAT = re.compile(rb"<repeat count=(\d+)>(.*?)</repeat>")


@dataclass(frozen=True)
class Case:
    """One message; `outcome` is "accept", "drop" or a status."""

    name: str
    section: str
    outcome: str
    header: str | None
    wire: bytes


def load(rfc: str) -> list[Case]:
    """The cases of "rfc4475" or "rfc5118"."""
    text = Path(__file__).with_name(f"{rfc}.txt").read_text("utf-8")
    parts = _HEADING.split(text)[1:]
    cases = [parts[i : i + 5] for i in range(0, len(parts), 5)]
    return [Case(name, section, outcome, header, _wire(text)) for name, section, outcome, header, text in cases]


def _wire(text: str) -> bytes:
    wire = text.encode().replace(b"\n", b"\r\n")
    wire = _REPEAT.sub(lambda m: m[2] * int(m[1]), wire)
    return _HEX.sub(lambda m: bytes.fromhex(m[1].decode()), wire)
