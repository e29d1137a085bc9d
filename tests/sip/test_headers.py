from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.errors import LocalProtocolError, SipError
from meshdoor.sip.fields import Headers
from meshdoor.sip.headers import CSeq, MediaType, NameAddr, RAck, Reason, SessionExpires, Via
from meshdoor.sip.uri import OpaqueUri, SipUri

Value = type[Via] | type[NameAddr] | type[CSeq] | type[RAck] | type[Reason] | type[SessionExpires] | type[MediaType]
ALL: list[Value] = [Via, NameAddr, CSeq, RAck, Reason, SessionExpires, MediaType]
CANONICAL: list[tuple[Value, str]] = [
    (Via, "SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds"),
    (Via, "SIP/2.0/TLS [2001:db8::9:1]:5061;received=2001:db8::9:255;rport=5060"),
    (NameAddr, '"Mr. \\"J\\" \\\\ User, Jr." <sip:j,u;x@example.com;lr>;tag=1;q=0.5'),
    (NameAddr, "<tel:+1-201>"),
    (NameAddr, '<sip:a@h>;+sip.instance="<urn:uuid:f81d>"'),
    (CSeq, "4711 INVITE"),
    (RAck, "776656 1 INVITE"),
    (Reason, 'SIP;cause=200;text="Call completed elsewhere"'),
    (Reason, "Q.850;cause=16;x=y"),
    (Reason, "preemption"),
    (SessionExpires, "1800;refresher=uas;x"),
    (SessionExpires, "90"),
    (MediaType, 'multipart/mixed;boundary="a b"'),
]
PIECES = st.sampled_from(
    ["SIP/2.0/UDP ", "h", ":5060", "[::1]", ";", "a", "=", '"', "\\", "<", ">", "sip:u@h", " ", ",", "1", "é", "\0"]
)


@pytest.mark.parametrize(("kind", "text"), CANONICAL)
def test_round_trip(kind: Value, text: str) -> None:
    value = kind.parse(text)
    assert str(value) == text
    assert kind.parse(str(value)) == value


@given(st.sampled_from(ALL), st.lists(PIECES, max_size=14).map("".join))
@settings(max_examples=200)
def test_what_parses_can_be_written_and_reads_back(kind: Value, text: str) -> None:
    try:
        value = kind.parse(text.strip())
    except SipError:
        return
    assert kind.parse(str(value)) == value
    Headers().add("X", str(value))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Via, "SIP/2.0/UDP"),
        (Via, "SIP/7.0/UDP h"),
        (Via, "SIP/2.0/UDP h:70000"),
        (Via, "SIP/2.0/UDP h x"),
        (Via, "SIP/2.0/UDP [h]"),
        (Via, ""),
        (Via, "SIP/2.0/UD\u212aP h"),
        (NameAddr, ""),
        (NameAddr, '"a'),
        (NameAddr, '"a" sip:u@h'),
        (NameAddr, "<sip:u@h"),
        (NameAddr, "< sip:u@h >"),
        (NameAddr, "Bell, A <sip:u@h>"),
        (NameAddr, "sip:u@h?a=b"),
        (NameAddr, "sip:u,v@h"),
        (NameAddr, "<sip:u@h>x"),
        (NameAddr, '"a\0b" <sip:u@h>'),
        (CSeq, "1"),
        (CSeq, "2147483648 INVITE"),
        (CSeq, "1 IN VITE"),
        (CSeq, "1 I<"),
        (RAck, "1 2"),
        (RAck, "1 2 I<"),
        (Reason, ";cause=1"),
        (Reason, "SIP;cause=x"),
        (SessionExpires, "x"),
        (SessionExpires, "1;refresher=me"),
        (MediaType, "text"),
        (MediaType, "text/"),
    ],
)
def test_malformed(kind: Value, text: str) -> None:
    with pytest.raises(SipError) as raised:
        kind.parse(text)
    assert raised.value.status == 400


def test_via() -> None:
    via = Via.parse("sip / 2.0 / tcp  [::1] : 5060 ; Branch = z9hG4bK1 ; rport ; received=[::2]")
    assert (via.transport, via.host, via.port) == ("TCP", "::1", 5060)
    assert (via.branch, via.received, via.rport, via.wants_rport) == ("z9hG4bK1", "::2", None, True)
    filled = via.with_parameter("rport", "1024").with_parameter("received", "192.0.2.1")
    assert (filled.rport, filled.received, filled.parameter("branch")) == (1024, "192.0.2.1", "z9hG4bK1")
    plain = Via("UDP", "h")
    assert (plain.received, plain.rport, plain.wants_rport) == (None, None, False)


@pytest.mark.parametrize("via", [Via("U P", "h"), Via("UDP", "h\r\n"), Via("UDP", "a b")])
def test_nothing_breaks_out_of_a_via(via: Via) -> None:
    with pytest.raises(LocalProtocolError):
        str(via)


@pytest.mark.parametrize(
    ("text", "display", "uri", "tag"),
    [
        ("sip:u@h;tag=1", None, "sip:u@h", "1"),
        ("sip:u@h ; tag=1", None, "sip:u@h", "1"),
        ("<sip:u@h;tag=2>", None, "sip:u@h;tag=2", None),
        ("Front Door (1) <sip:u@h> ; tag=3", "Front Door (1)", "sip:u@h", "3"),
        ("Türe<sip:u@h>", "Türe", "sip:u@h", None),
        ('""<sip:u@h>', "", "sip:u@h", None),
        ('sip:u@h;p="<x>"', None, "sip:u@h", None),
    ],
)
def test_name_addr(text: str, display: str | None, uri: str, tag: str | None) -> None:
    value = NameAddr.parse(text)
    assert (value.display, str(value.uri), value.tag) == (display, uri, tag)


def test_name_addr_is_built_safely() -> None:
    uri = SipUri("sip", "u", None, "h")
    assert str(NameAddr('a"b', uri).with_parameter("tag", "x")) == '"a\\"b" <sip:u@h>;tag=x'
    with pytest.raises(LocalProtocolError):
        str(NameAddr("a\r\nVia: x", uri))
    with pytest.raises(LocalProtocolError):
        str(NameAddr(None, OpaqueUri("x", ">\r\n")))


def test_reason() -> None:
    reason = Reason.parse('SIP ; text="a;b" ; cause = 600')
    assert (reason.protocol, reason.cause, reason.text) == ("SIP", 600, "a;b")


def test_session_expires() -> None:
    assert SessionExpires.parse("1800 ; Refresher=UAC") == SessionExpires(1800, "uac")


def test_media_type() -> None:
    value = MediaType.parse("Application / SDP ; Charset=utf-8")
    assert (value.essence, value.parameter("charset")) == ("application/sdp", "utf-8")
    assert MediaType.parse("*/*").includes("application/sdp")
    assert MediaType.parse("application/*;q=0.1").includes("application/sdp")
    assert not MediaType.parse("text/*").includes("application/sdp")
