from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meshdoor.errors import LocalProtocolError, SipError
from meshdoor.sip.uri import OpaqueUri, SipUri, TelUri, escape, is_address, parse_uri, unescape

ROUND_TRIPS = [
    "sip:alice@atlanta.com",
    "sip:alice:secretword@atlanta.com;transport=tcp",
    "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
    "sip:+1-212-555-1212:1234@gateway.com;user=phone",
    "sips:1212@gateway.com",
    "sip:alice@192.0.2.4",
    "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
    "sip:alice;day=tuesday@atlanta.com",
    "sip:user;par=u%40example.net@example.com",
    "sip:[2001:db8::10]:5070;lr",
    "sip:u@[fe80::1%25eth0]",
    "sip:u@host?a=",
    "sip:*72#@host_1",
    "sip:türe@haus",
    "tel:+1-201-555-0123",
    "tel:7042;phone-context=example.com;x",
    "isbn:2983792873",
    "soap.beep://192.0.2.103:3002",
    "http://www.example.com",
]
TEXTS = st.text("aA1:@;?&=%[]<>\" .,-/é\r\n\0#+", max_size=25)


@pytest.mark.parametrize("text", ROUND_TRIPS)
def test_round_trip(text: str) -> None:
    uri = parse_uri(text)
    assert str(uri) == text
    assert parse_uri(str(uri)) == uri
    assert uri.equivalent(uri)


@pytest.mark.parametrize(
    "text",
    [
        "", "sip", "sip:", "sip:a@", "sip:@h", "sip:a@b@c", "sip:a b@h", "sip:a%4@h", "sip:h:", "sip:h:x",
        "sip:h:65536", "sip:2001:db8::10", "sip:[::1", "sip:[::1]x", "sip:[h]", "sip:[]", "sip:h;", "sip:h;;a",
        "sip:h;%4;1",
        "sip:h;=b", "sip:h; lr", "sip:h?", "sip:h?a", "sip:h?a=b&", "sip:h?=b", "sip:h?a=b@c d",
        "sip:h;" + "a;" * 64 + "a",
        "sip:h?" + "a=b&" * 65,
        "<sip:h>", "sip:" + "h" * 256, "tel:", "tel:x1", "tel:1;;", "1x:y", "x:a b", "x:<", "sip:a:p:q@h",
        "sip:a\r\nb@h",
    ],
)  # fmt: skip
def test_malformed(text: str) -> None:
    with pytest.raises(SipError) as raised:
        parse_uri(text)
    assert raised.value.status == 400


@pytest.mark.parametrize("parser", [SipUri, TelUri])
def test_the_wrong_scheme(parser: type[SipUri] | type[TelUri]) -> None:
    with pytest.raises(SipError):
        parser.parse("http://x")


@given(st.one_of(TEXTS.map("sip:".__add__), TEXTS.map("tel:".__add__), TEXTS))
@example("sip:a;b@c")
@settings(max_examples=200)
def test_what_parses_can_be_written_and_means_the_same(text: str) -> None:
    try:
        uri = parse_uri(text)
    except SipError:
        return
    assert parse_uri(str(uri)) == uri


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        ("sip:alice@atlanta.com?subject=a&priority=urgent", "sip:alice@atlanta.com?priority=urgent&subject=a"),
        ("sip:u@[2001:db8::1]", "sip:u@[2001:DB8:0:0::1]"),
        ("tel:+1-201-555", "tel:+1(201)555"),
        ("x:y", "x:y"),
    ],
)
def test_equivalent(one: str, other: str) -> None:
    assert parse_uri(one).equivalent(parse_uri(other))
    assert parse_uri(other).equivalent(parse_uri(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@h", "sips:a@h"),
        ("sip:a@h", "sip:a:@h"),
        ("sip:h", "sip:a@h"),
        ("sip:h", "tel:1"),
        ("tel:1", "tel:2"),
        ("tel:1", "tel:1;ext=2"),
        ("tel:1", "x:1"),
        ("x:y", "x:Y"),
        ("x:y", "sip:y"),
    ],
)
def test_not_equivalent(one: str, other: str) -> None:
    assert not parse_uri(one).equivalent(parse_uri(other))
    assert not parse_uri(other).equivalent(parse_uri(one))


def test_parameters() -> None:
    uri = SipUri.parse("sip:h;Transport=tcp;lr")
    assert [uri.parameter(n) for n in ("transport", "lr", "x")] == ["tcp", "", None]
    assert str(uri.with_parameter("transport", "tls")) == "sip:h;lr;transport=tls"
    assert TelUri.parse("tel:1;ext=2;f").parameter("ext") == "2"
    assert TelUri.parse("tel:1;ext=2;f").parameter("f") == ""
    assert TelUri.parse("tel:1").parameter("ext") is None
    assert OpaqueUri.parse("x:y;ext=2").parameter("ext") is None


@pytest.mark.parametrize(
    "uri",
    [
        SipUri("sip", "a\r\nb", None, "h"),
        SipUri("sip", "a@b", None, "h"),
        SipUri("sip", "a", "p@q", "h"),
        SipUri("sip", None, None, "h>"),
        SipUri("sip", None, None, "h", None, (("lr;x", None),)),
        SipUri("sip", None, None, "h", None, (("a", "b>"),)),
        SipUri("sip", None, None, "h", None, (), (("a", "\n"),)),
        TelUri("1\r\n"),
        OpaqueUri("x", "a b"),
        OpaqueUri("x y", ""),
    ],
)
def test_nothing_breaks_out_of_a_uri(uri: SipUri | TelUri | OpaqueUri) -> None:
    with pytest.raises(LocalProtocolError):
        str(uri)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_escaping(text: str) -> None:
    assert unescape(escape(text)) == text
    assert str(SipUri("sip", escape(text), None, "h")).isascii()


def test_unescaping_octets_that_are_no_utf8() -> None:
    assert unescape("%FF") == "\udcff"


@pytest.mark.parametrize(
    ("host", "numeric"),
    [("192.0.2.1", True), ("fe80::1%eth0", True), ("::1", True), ("door.local", False), ("", False)],
)
def test_which_hosts_are_addresses(host: str, numeric: bool) -> None:
    assert is_address(host) is numeric
