from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.errors import SipError
from meshdoor.sip.message import MAX_MESSAGE, Request, Response, parse_message
from meshdoor.sip.validate import Capabilities, Verdict, check_request, judge, refuse
from tests.sip.messages import OPTIONS, edited, with_header

BODY = OPTIONS + b"hello"


def status(wire: bytes, capabilities: Capabilities | None = None) -> int:
    """The status of the answer; 0 if the message may go on, -1 for silence."""
    verdict = judge(wire) if capabilities is None else judge(wire, capabilities)
    if verdict.message is not None:
        assert verdict.answer is None
        return 0
    return -1 if verdict.answer is None else verdict.answer.status


def for_method(method: str, wire: bytes = OPTIONS) -> bytes:
    return edited("OPTIONS", method, wire)


def test_a_good_request() -> None:
    verdict = judge(OPTIONS)
    assert isinstance(verdict.message, Request)
    assert check_request(verdict.message) is None


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_mandatory_headers(name: str) -> None:
    assert status(edited(f"{name}: ", f"X-{name}: ")) == (-1 if name == "Via" else 400)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("CSeq: 60 OPTIONS", 400),
        ("Max-Forwards: 1", 400),
        ("Contact: <sip:a", 400),
        ("Contact: *", 0),
        ("Route: x", 400),
        ("Record-Route: <sip:a>,", 400),
        ("Via: x", 400),
        ("Via: SIP/2.0/UDP h;rport=x", 400),
        ("RSeq: x", 400),
        ("RAck: x", 400),
        ("Session-Expires: x", 400),
        ("Content-Type: x", 400),
        ("Require: 100rel, Timer", 0),
        ("Require: ,", 0),
        ("Require: a b", 400),
        ("Require: a\0", 400),
        ("Require: gruu", 420),
        ("Supported: gruu", 0),
        ("Reason: x;cause=y", 0),
        ("Expires: x", 0),
        ("Date: yesterday", 0),
        ("Accept: text/plain", 0),
    ],
)
def test_headers(line: str, expected: int) -> None:
    assert status(with_header(line)) == expected


def test_the_answer_to_an_unknown_extension() -> None:
    answer = judge(with_header("Require: Gruu, timer, X")).answer
    assert answer is not None
    assert answer.headers.get("Unsupported") == "Gruu, X"
    assert answer.reason == "Bad Extension"
    assert answer.headers.keys() == ["via", "from", "to", "call-id", "cseq", "unsupported"]


@pytest.mark.parametrize(
    ("method", "expected"), [("SUBSCRIBE", 405), ("options", 501), ("NEW", 501), ("BYE", 0), ("CANCEL", 0), ("ACK", 0)]
)
def test_methods(method: str, expected: int) -> None:
    assert status(for_method(method)) == expected


def test_a_method_of_ours_is_taken() -> None:
    assert status(for_method("KNOCK"), Capabilities(methods=("KNOCK",))) == 0


@pytest.mark.parametrize(
    ("uri", "expected"),
    [("sips:h", 0), ("tel:1", 0), ("http://h", 416), ("sip:h?a=b", 400), ("sip:h;x=a", 0), ("tel:x1", 400)],
)
def test_targets(uri: str, expected: int) -> None:
    assert status(edited("OPTIONS sip:user@example.com", f"OPTIONS {uri}")) == expected


def test_tel_can_be_refused() -> None:
    assert status(edited("OPTIONS sip:user@example.com", "OPTIONS tel:1"), Capabilities(schemes=("sip",))) == 416


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("Q: y", 400),
        ("Content-Type: text/plain", 0),
        ("Content-Type: text/html", 415),
        ("Content-Type: text/html\r\nContent-Disposition: render; handling = Optional", 0),
        ("Content-Type: text/html\r\nContent-Disposition: render", 415),
        ("Content-Type: text/plain\r\nContent-Encoding: identity", 0),
        ("Content-Type: text/plain\r\ne: gzip", 415),
        ('Content-Type: text/plain\r\ne: a, "', 400),
    ],
)
def test_bodies(lines: str, expected: int) -> None:
    assert status(with_header(lines, BODY)) == expected


def test_what_415_says() -> None:
    answers = [judge(with_header(f"c: text/plain\r\n{x}", BODY)).answer for x in ("e: gzip", "c: text/html")]
    assert answers[0] is not None
    assert answers[0].headers.get("Accept-Encoding") == "identity"
    assert answers[1] is not None
    assert answers[1].status == 400


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_what_cannot_be_refused_is_not_looked_into(method: str) -> None:
    assert status(for_method(method, with_header("Require: x\r\nc: a/b", BODY))) == 0


@pytest.mark.parametrize(
    ("accept", "expected"),
    [("text/plain", 406), ("", 406), ("*/*", 0), ("application/*", 0), ("a/b, application/sdp", 0)],
)
def test_an_invite_must_accept_sdp(accept: str, expected: int) -> None:
    assert status(for_method("INVITE", with_header(f"Accept: {accept}"))) == expected


def test_an_invite_without_accept() -> None:
    assert status(for_method("INVITE")) == 0


@pytest.mark.parametrize(
    "wire",
    [
        for_method("ACK", with_header("Contact: <")),
        for_method("ACK", edited("Call-ID: 1@host", "Call-ID: 1@host\nl: 9")),
        b"",
        b"\r\n\r\n",
        b"\x00\x01\x00\x00\x21\x12\xa4\x42",
        b"GET / HTTP/1.1\r\nVia: x\r\n\r\n",
        b"OPTIONS sip:h SIP/2.0\r\nTo: x\r\n\r",
        edited("SIP/2.0\r", "SIP/2.0\n"),
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nl: 9\r\n\r\n",
    ],
)
def test_silence(wire: bytes) -> None:
    assert judge(wire) == Verdict()


def test_a_broken_request_is_answered_with_what_can_be_read() -> None:
    answer = judge(with_header("Foobar roobar").replace(b"To:", b"To<")).answer
    assert answer is not None
    assert answer.status == 400
    assert answer.headers.keys() == ["via", "from", "call-id", "cseq"]


def test_a_request_whose_headers_do_not_end() -> None:
    assert status(OPTIONS[:-2]) == 400


def test_a_request_that_is_too_large() -> None:
    assert status(OPTIONS + b"x" * MAX_MESSAGE) == 513


def test_refusing_what_a_stream_could_not_frame() -> None:
    answer = refuse(OPTIONS, SipError("no length"))
    assert answer is not None
    assert answer.status == 400


RESPONSE = b"SIP/2.0 200 OK\r\n" + OPTIONS.partition(b"\r\n")[2]


@pytest.mark.parametrize(
    ("line", "expected"),
    [("Q: y", 0), ("Via: SIP/2.0/UDP other", -1), ("Contact: <", -1), ("RSeq: x", -1), ("To: <sip:x>", -1)],
)
def test_responses(line: str, expected: int) -> None:
    assert status(with_header(line, RESPONSE)) == expected


def test_a_response_that_lacks_a_header() -> None:
    assert status(RESPONSE.replace(b"CSeq", b"X")) == -1


@given(st.integers(0, len(OPTIONS) - 1), st.binary(max_size=3))
@settings(max_examples=200)
def test_damage_never_raises_and_what_goes_on_can_be_read(place: int, damage: bytes) -> None:
    verdict = judge(OPTIONS[:place] + damage + OPTIONS[place + len(damage) :])
    if verdict.message is not None:
        assert verdict.message.via.transport
        assert str(verdict.message.to.with_parameter("tag", "x"))
        assert parse_message(bytes(verdict.message))
    if verdict.answer is not None:
        assert isinstance(parse_message(bytes(verdict.answer)), Response)
