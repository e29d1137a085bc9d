"""Where a SIP server is: the cases of RFC 3263."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import count

import pytest

from meshdoor.errors import SipError
from meshdoor.sip.locate import MAX_HOPS, Address, Hop, Naptr, Question, Record, Srv, locate
from meshdoor.sip.uri import SipUri

Zone = Mapping[str, Iterable[Record]]

# RFC 3263 §4.1, the example.
EXAMPLE: Zone = {
    "example.com": [
        Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.example.com."),
        Naptr(90, 50, "s", "SIP+D2T", "_sip._tcp.example.com."),
        Naptr(100, 50, "s", "SIP+D2U", "_sip._udp.example.com."),
    ],
    "_sips._tcp.example.com": [],
    "_sip._tcp.example.com": [Srv(0, 1, 5060, "server1.example.com."), Srv(0, 2, 5060, "server2.example.com.")],
    "server1.example.com": [Address("192.0.2.1")],
    "server2.example.com": [Address("192.0.2.2"), Address("2001:db8::2")],
    "_sip._udp.example.com": [Srv(2, 0, 5070, "server2.example.com")],
}


def found(text: str, zone: Zone = EXAMPLE, **settings: object) -> tuple[tuple[Hop, ...], list[str]]:
    """The hops, and which names were asked for."""
    asked: list[str] = []
    search = locate(SipUri.parse(text), lambda n: 0, **settings)  # type: ignore[arg-type]
    try:
        question = next(search)
        while True:
            asked.append(question.name)
            question = search.send([r for r in zone.get(question.name, ()) if isinstance(r, question.kind)])
    except StopIteration as end:
        return end.value, asked


def test_naptr_says_which_transport() -> None:
    hops, asked = found("sip:user@example.com")
    assert hops == (
        Hop("TCP", "192.0.2.1", 5060),
        Hop("TCP", "192.0.2.2", 5060),
        Hop("TCP", "2001:db8::2", 5060),
        Hop("UDP", "192.0.2.2", 5070),
        Hop("UDP", "2001:db8::2", 5070),
    )
    assert asked[:3] == ["example.com", "_sips._tcp.example.com", "_sip._tcp.example.com"]


@pytest.mark.parametrize(
    ("text", "hop", "asked"),
    [
        ("sip:user@192.0.2.9", Hop("UDP", "192.0.2.9", 5060), []),
        ("sips:user@192.0.2.9", Hop("TLS", "192.0.2.9", 5061), []),
        ("sip:user@[2001:db8::9]:5070;transport=tcp", Hop("TCP", "2001:db8::9", 5070), []),
        ("sip:user@[fe80::9%eth0]", Hop("UDP", "fe80::9%eth0", 5060), []),
        ("sip:user@server1.example.com:5080", Hop("UDP", "192.0.2.1", 5080), ["server1.example.com"]),
        ("sips:user@server1.example.com:5080;transport=tcp", Hop("TLS", "192.0.2.1", 5080), ["server1.example.com"]),
        (
            "sip:user@example.com;transport=udp",
            Hop("UDP", "192.0.2.2", 5070),
            ["_sip._udp.example.com", "server2.example.com"],
        ),
        (
            "sips:user@server1.example.com",
            Hop("TLS", "192.0.2.1", 5061),
            ["_sips._tcp.server1.example.com", "server1.example.com"],
        ),
    ],
)
def test_what_the_uri_says_goes_before(text: str, hop: Hop, asked: list[str]) -> None:
    hops, names = found(text)
    assert hops[0] == hop
    assert names == asked


def test_without_records_it_is_udp_at_the_address() -> None:
    hops, asked = found("sip:user@server1.example.com")
    assert hops == (Hop("UDP", "192.0.2.1", 5060),)
    assert asked == [
        "server1.example.com",
        "_sips._tcp.server1.example.com",
        "_sip._tcp.server1.example.com",
        "_sip._udp.server1.example.com",
        "server1.example.com",
    ]


def test_a_preference_counts_where_the_uri_has_none() -> None:
    assert found("sip:user@server1.example.com", preferred="tls")[0] == (Hop("TLS", "192.0.2.1", 5061),)
    assert found("sip:user@192.0.2.9;transport=udp", preferred="tls")[0][0].transport == "UDP"


def test_naptr_of_what_we_do_not_speak_is_passed_over() -> None:
    assert found("sip:user@example.com", spoken=("UDP",))[0][0] == Hop("UDP", "192.0.2.2", 5070)
    odd: Zone = {
        "example.org": [Naptr(1, 1, "u", "E2U+sip", "!.*!x!"), Naptr(1, 1, "s", "SIP+D2S", "_sip._sctp.example.org")],
        "_sip._udp.example.org": [Srv(0, 0, 5060, "192.0.2.7")],
    }
    assert found("sip:user@example.org", odd)[0] == (Hop("UDP", "192.0.2.7", 5060),)


def test_a_service_that_is_said_not_to_be() -> None:
    zone: Zone = {"_sip._udp.example.org": [Srv(0, 0, 0, ".")], "example.org": [Address("192.0.2.8")]}
    assert found("sip:user@example.org;transport=udp", zone)[0] == (Hop("UDP", "192.0.2.8", 5060),)


def test_the_safe_service_alone_will_do_for_sips() -> None:
    zone: Zone = {**EXAMPLE, "_sips._tcp.example.com": [Srv(0, 1, 5061, "server1.example.com.")]}
    assert found("sips:user@example.com", zone)[0] == (Hop("TLS", "192.0.2.1", 5061),)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sip:user@nowhere.example", "no address is known"),
        ("sip:user@nowhere.example:5060", "no address is known"),
        ("sip:user@192.0.2.1;transport=sctp", "SIP over sctp is not spoken here"),
        ("sips:user@192.0.2.1;transport=udp", "SIP over udp is not spoken here"),
    ],
)
def test_there_may_be_no_way(text: str, why: str) -> None:
    with pytest.raises(SipError, match=why) as caught:
        found(text)
    assert caught.value.status == 503


def test_answers_have_a_bound() -> None:
    zone: Zone = {"many.example": [Address(f"192.0.2.{n}") for n in range(200)]}
    assert len(found("sip:user@many.example:5060", zone)[0]) == MAX_HOPS


def test_weights_are_shares() -> None:
    records = [Srv(0, weight, 5060, f"192.0.2.{weight}") for weight in (0, 1, 3)] + [Srv(1, 9, 5060, "192.0.2.9")]
    first: Counter[str] = Counter()
    for number in count():
        search = locate(SipUri.parse("sip:example.org;transport=udp"), lambda n, number=number: number % n)  # type: ignore[misc]
        assert next(search) == Question("_sip._udp.example.org", Srv)
        with pytest.raises(StopIteration) as end:
            search.send(records)
        hops = end.value.value
        assert hops[3].host == "192.0.2.9"
        first[hops[0].host] += 1
        if number == 99:
            break
    assert first == {"192.0.2.0": 20, "192.0.2.1": 20, "192.0.2.3": 60}
