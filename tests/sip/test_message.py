from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.errors import LocalProtocolError, SipError
from meshdoor.sip.fields import Headers
from meshdoor.sip.message import Request, Response, parse_message
from meshdoor.sip.uri import parse_uri
from tests.sip.messages import OPTIONS, edited, with_header

ODD = [b"INVITE", b" ", b"sip:h", b"SIP/2.0", b"\r\n", b"\n", b"200", b"Via", b":", b",", b"l: 3", b"\xff", b"\0", b"a"]


def request(wire: bytes) -> Request:
    message = parse_message(wire)
    assert isinstance(message, Request)
    return message


def test_request() -> None:
    message = request(OPTIONS)
    assert (message.method, str(message.uri), message.body) == ("OPTIONS", "sip:user@example.com", b"")
    assert bytes(message) == OPTIONS[:-2] + b"Content-Length: 0\r\n\r\n"


def test_response() -> None:
    message = parse_message(b"SIP/2.0 183 Gespr\xc3\xa4ch l\xc3\xa4uft\r\nl: 2\r\n\r\nabc")
    assert isinstance(message, Response)
    assert (message.status, message.reason, message.body) == (183, "Gespräch läuft", b"ab")
    assert bytes(message) == b"SIP/2.0 183 Gespr\xc3\xa4ch l\xc3\xa4uft\r\nContent-Length: 2\r\n\r\nab"


@pytest.mark.parametrize("start", [b"SIP/2.0 200", b"sip/2.0 200 "])
def test_a_status_line_without_a_reason(start: bytes) -> None:
    message = parse_message(start + b"\r\n\r\n")
    assert isinstance(message, Response)
    assert (message.status, message.reason) == (200, "")


def test_unknown_headers_are_kept_byte_for_byte() -> None:
    lines = b"x-ODD~ :\t\"a,b\" ;;,\xff\xfe\r\n folded  \xe2\x82\xac\t \r\nX:\r\n"
    wire = b"OPTIONS sip:h SIP/2.0\r\n" + lines + b"Content-Length: 0\r\n\r\n"
    assert bytes(parse_message(wire)) == wire


def test_leading_line_ends_are_skipped() -> None:
    assert request(b"\r\n\r\n" + OPTIONS).method == "OPTIONS"


def test_bare_line_feeds_throughout() -> None:
    message = request(OPTIONS.replace(b"\r\n", b"\n") + b"a\r\n\r\nb")
    assert message.call_id == "1@host"
    assert message.body == b"a\r\n\r\nb"


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (b"", 400),
        (b"\r\n\r\n", 400),
        (b"OPTIONS sip:h SIP/2.0\r\n", 400),
        (edited("Call-ID", "\rCall-ID"), 400),
        (edited("Call-ID: ", "Call-ID: \0\n".replace("\n", "\r")), 400),
        (OPTIONS.replace(b"\r\nTo", b"\nTo"), 400),
        (OPTIONS.replace(b"\r\n\r\n", b"\n\n"), 400),
        (edited("OPTIONS sip:user@example.com ", "OPTIONS sip:" + "h" * 8192 + " "), 400),
        (edited("SIP/2.0\r", "SIP/3.0\r"), 505),
        (edited("SIP/2.0\r", "HTTP/1.1\r"), 400),
        (edited("SIP/2.0\r", "SIP/2\r"), 400),
        (edited("SIP/2.0\r", "SIP/2.x\r"), 400),
        (edited("OPTIONS sip", "OPT<IONS sip"), 400),
        (edited("OPTIONS sip:user", "OPTIONS  sip:user"), 400),
        (edited("sip:user@example.com SIP", "< SIP"), 400),
        (with_header("Foobar roobar"), 400),
        (with_header("l: 1"), 400),
        (with_header("l: 0\r\nl: 00"), 400),
        (with_header("l: -1"), 400),
        (with_header("l: 99999"), 400),
        (with_header("\r\n".join(["X: y"] * 128)), 400),
        (with_header("X: " + "y" * 8192), 400),
        (OPTIONS + b"x" * 65536, 513),
        (b"SIP/2.0 99 x\r\n\r\n", 400),
        (b"SIP/2.0 099 x\r\n\r\n", 400),
        (b"SIP/2.0 700 x\r\n\r\n", 400),
        (b"SIP/7.0 200 x\r\n\r\n", 505),
        (b"SIP/2.0 2xx x\r\n\r\n", 400),
        (b"SIP/2.0 200 \0\r\n\r\n", 400),
        (b"SIP/2.0 200 O\r\n K\r\n\r\n", 400),
        (edited("OPTIONS sip:user@example.com", "OPTIONS\n sip:user@example.com"), 400),
        (b"SIP/2.0 200 " + b"x" * 8192 + b"\r\n\r\n", 400),
    ],
)
def test_refused(wire: bytes, status: int) -> None:
    with pytest.raises(SipError) as raised:
        parse_message(wire)
    assert raised.value.status == status


def test_a_lower_case_version_is_taken() -> None:
    assert request(edited("SIP/2.0\r", "sip/2.0\r")).method == "OPTIONS"


def test_content_length_is_ours() -> None:
    headers = Headers([("Content-Length", "7"), ("l", "8"), ("X", "y")])
    assert bytes(Request("INFO", parse_uri("sip:h"), headers, b"abc")) == (
        b"INFO sip:h SIP/2.0\r\nX: y\r\nContent-Length: 3\r\n\r\nabc"
    )
    assert bytes(Response(200, "OK")) == b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "message",
    [
        Request("A B", parse_uri("sip:h")),
        Request("A\r\nVia: x", parse_uri("sip:h")),
        Response(200, "OK\r\nVia: x"),
        Response(200, "OK\n"),
        Response(99, "x"),
        Response(700, "x"),
    ],
)
def test_nothing_breaks_out_of_a_start_line(message: Request | Response) -> None:
    with pytest.raises(LocalProtocolError):
        bytes(message)


@given(st.lists(st.sampled_from(ODD), max_size=20).map(b"".join), st.booleans())
@settings(max_examples=200)
def test_whatever_parses_can_be_written_and_parses_again(junk: bytes, whole: bool) -> None:
    wire = OPTIONS[:-2] + junk + b"\r\n\r\n" if whole else junk
    try:
        message = parse_message(wire)
    except SipError:
        return
    again = parse_message(bytes(message))
    assert again.body == message.body
    assert type(again) is type(message)
