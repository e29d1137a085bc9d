"""Hostile input costs time in proportion to its size: the ratio of two sizes is looked at, never a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from meshdoor.errors import SipError
from meshdoor.sip.credentials import Credentials
from meshdoor.sip.fields import parse_field
from meshdoor.sip.framer import Framer
from meshdoor.sip.grammar import parse_parameters, split_outside
from meshdoor.sip.headers import NameAddr, Via
from meshdoor.sip.message import split_lines
from meshdoor.sip.uri import parse_uri

SMALL, FACTOR = 2_000, 16
WORST = FACTOR * 5  # quadratic would be FACTOR * FACTOR

PATTERNS = [
    '"', '"\\', '"a",', "\\", "<", "<>", ",", ";", ";a", "a=", " ", "\t ", "%", "%41", "[", ":", "@", "a", "é", "?a=b&",
]
PREFIXES: dict[str, Callable[[str], object]] = {
    "list": lambda text: split_outside(text, ","),
    "parameters": lambda text: parse_parameters(";a=" + text),
    "address": NameAddr.parse,
    "quoted address": lambda text: NameAddr.parse('"' + text),
    "uri": lambda text: parse_uri("sip:" + text),
    "tel": lambda text: parse_uri("tel:" + text),
    "other uri": lambda text: parse_uri("x:" + text),
    "via": lambda text: Via.parse("SIP/2.0/UDP " + text),
    "credentials": lambda text: Credentials.parse("Digest " + text),
    "field": lambda text: parse_field("Subject: " + text + "\r\n x"),
    "field name": parse_field,
}


def cost(parse: Callable[[str], object], text: str) -> float:
    """The least CPU time of a few runs."""
    times = []
    for _ in range(5):
        start = time.process_time()
        with suppress(SipError):
            parse(text)
        times.append(time.process_time() - start)
    return min(times)


def assert_linear(parse: Callable[[str], object], pattern: str) -> None:
    small = max(cost(parse, pattern * SMALL), 1e-5)  # below this the clock measures itself
    for _ in range(3):
        if cost(parse, pattern * SMALL * FACTOR) < small * WORST:
            return
    pytest.fail(f"more than linear: {pattern!r}")


@pytest.mark.parametrize("name", PREFIXES)
def test_values(name: str) -> None:
    for pattern in PATTERNS:
        assert_linear(PREFIXES[name], pattern)


@pytest.mark.parametrize("pattern", ["a: b\r\n", "\r\n ", "\r\n", "a\r\n", " \t\r\n "])
def test_heads(pattern: str) -> None:
    assert_linear(lambda text: split_lines(text.encode()), pattern)
    assert_linear(lambda text: [parse_field(line) for line in split_lines(text.encode())], pattern)


@pytest.mark.parametrize("pattern", ["a", "\r", "\n", "l: 1\r\n", "l:\r\n "])
def test_a_stream_in_small_pieces(pattern: str) -> None:
    def feed(text: str) -> None:
        framer = Framer(initiator=False)
        data = text.encode()[:60_000]
        for start in range(0, len(data), 16):
            framer.receive(data[start : start + 16])
            framer.next_event()

    assert_linear(feed, pattern)
