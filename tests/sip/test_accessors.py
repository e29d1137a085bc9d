from __future__ import annotations

import pytest

from meshdoor.errors import SipError
from meshdoor.sip.fields import Headers
from meshdoor.sip.headers import RAck, Reason, SessionExpires
from meshdoor.sip.message import Response, parse_message
from tests.sip.messages import OPTIONS


def holding(*pairs: tuple[str, str]) -> Response:
    return Response(200, "OK", Headers(pairs))


def test_what_every_message_has() -> None:
    message = parse_message(OPTIONS)
    assert message.via.branch == "z9hG4bKkdjuw"
    assert len(message.vias) == 1
    assert (message.from_.tag, message.to.tag) == ("323", None)
    assert (message.call_id, str(message.cseq), message.max_forwards) == ("1@host", "60 OPTIONS", 70)


def test_what_is_absent() -> None:
    empty = holding()
    for name in ("vias", "contacts", "routes", "record_routes", "require", "proxy_require", "supported", "accept",
                 "unsupported", "allow", "reasons", "authorization", "proxy_authorization", "www_authenticate",
                 "proxy_authenticate"):  # fmt: skip
        assert getattr(empty, name) == ()
    for name in ("max_forwards", "media_type", "content_type", "expires", "min_expires", "retry_after", "rseq", "rack",
                 "session_expires", "min_se"):  # fmt: skip
        assert getattr(empty, name) is None
    assert not empty.contact_wildcard


@pytest.mark.parametrize("name", ["via", "from_", "to", "call_id", "cseq"])
def test_what_must_be_there(name: str) -> None:
    with pytest.raises(SipError, match="missing"):
        getattr(holding(), name)


def test_addresses() -> None:
    message = holding(
        ("m", '"a, b" <sip:a@h>, sip:b@h;q=1'), ("Route", "<sip:r;lr>"), ("Record-Route", "<sip:1;lr>,<sip:2;lr>")
    )
    assert [c.display for c in message.contacts] == ["a, b", None]
    assert [str(r.uri) for r in message.routes] == ["sip:r;lr"]
    assert [str(r.uri) for r in message.record_routes] == ["sip:1;lr", "sip:2;lr"]


def test_wildcard_contact() -> None:
    message = holding(("Contact", "*"))
    assert message.contact_wildcard
    assert message.contacts == ()


def test_tokens() -> None:
    message = holding(
        ("k", "Timer, 100rel,"), ("Require", "A"), ("Proxy-Require", "b"), ("Unsupported", "c"),
        ("Allow", "INVITE, ack"),
    )
    assert message.supported == ("timer", "100rel")
    assert (message.require, message.proxy_require, message.unsupported) == (("a",), ("b",), ("c",))
    assert message.allow == ("INVITE", "ack")


def test_numbers_and_values() -> None:
    message = holding(
        ("c", "Application/SDP;x=y"), ("Expires", "60"), ("Min-Expires", "61"), ("Retry-After", "18 (busy);duration=3"),
        ("RSeq", "7"), ("RAck", "7 1 INVITE"), ("x", "1800;refresher=uac"), ("Min-SE", "90;a"), ("Max-Forwards", "0"),
    )  # fmt: skip
    assert message.content_type == "application/sdp"
    assert message.media_type is not None
    assert (message.expires, message.min_expires, message.retry_after) == (60, 61, 18)
    assert (message.rseq, message.rack) == (7, RAck(7, 1, "INVITE"))
    assert (message.session_expires, message.min_se) == (SessionExpires(1800, "uac"), 90)
    assert message.max_forwards == 0


def test_several_reasons_and_a_bad_one() -> None:
    message = holding(("Reason", 'SIP;cause=200;text="a, b", Q.850;cause=x'), ("Reason", "Q.850;cause=16"))
    assert message.reasons == (Reason("SIP", 200, "a, b"), Reason("Q.850", 16))


def test_accept() -> None:
    assert [str(a) for a in holding(("Accept", "a/b;q=1, c, */*")).accept] == ["a/b;q=1", "*/*"]


@pytest.mark.parametrize("name", ["Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate"])
def test_authentication_headers_are_not_split_and_may_be_odd(name: str) -> None:
    message = holding((name, "Basic QWxhZGRpbg=="), (name, "Negotiate dG9r,x"), (name, 'Digest realm="a", nonce="b"'))
    values = getattr(message, name.lower().replace("-", "_"))
    assert values[-1].parameters == {"realm": "a", "nonce": "b"}
    assert len(values) == 2


@pytest.mark.parametrize(
    ("pair", "name"),
    [
        (("Expires", "9" * 100), "expires"), (("Min-Expires", "x"), "min_expires"),
        (("Retry-After", "-1"), "retry_after"),
        (("Min-SE", "?"), "min_se"),
    ],
)  # fmt: skip
def test_what_a_call_can_do_without_reads_as_absent(pair: tuple[str, str], name: str) -> None:
    assert getattr(holding(pair), name) is None


@pytest.mark.parametrize("name", ["Accept", "Allow", "Proxy-Require", "Reason", "Supported", "Unsupported"])
def test_a_list_that_cannot_be_cut_reads_as_absent(name: str) -> None:
    attribute = {"Reason": "reasons"}.get(name, name.lower().replace("-", "_"))
    assert getattr(holding((name, 'a, "b')), attribute) == ()


@pytest.mark.parametrize(
    ("pairs", "name"),
    [
        ([("Via", "x")], "vias"),
        ([("Via", "SIP/2.0/UDP h")] * 65, "vias"),
        ([("Contact", "<sip:h>")] * 65, "contacts"),
        ([("Route", "<sip:h>,,")], "routes"),
        ([("Max-Forwards", "256")], "max_forwards"),
        ([("Session-Expires", "x")], "session_expires"),
        ([("Content-Type", "x")], "content_type"),
    ],
)
def test_malformed(pairs: list[tuple[str, str]], name: str) -> None:
    message = holding(*pairs)
    for _ in range(2):
        with pytest.raises(SipError) as raised:
            getattr(message, name)
        assert raised.value.status == 400


def test_what_was_read_is_kept_until_the_headers_change() -> None:
    message = parse_message(OPTIONS)
    assert message.from_ is message.from_
    assert message.vias is message.vias
    message.headers.set("From", "<sip:other@h>")
    assert str(message.from_.uri) == "sip:other@h"
