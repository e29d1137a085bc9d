"""SIP devices that announce themselves: who is listed, where it is said to be, and what a flood can do."""

from __future__ import annotations

import pytest

from meshdoor.mesh import dns
from meshdoor.mesh.dns import Message, Name, Question, Record, pointer, service, text
from meshdoor.mesh.outsiders import MAX_DEVICES, SIPURI_TCP, SIPURI_UDP, Outsider, Outsiders

SIP_UDP = (b"_sip", b"_udp", b"local")
HOST = (b"tablet", b"local")
FROM = "10.77.0.9"


def address(last: int = 9, host: Name = HOST, ttl: int = 120) -> Record:
    return Record(host, dns.A, ttl, bytes((10, 77, 0, last)), unique=True)


def device(
    label: bytes = b"sip:alice@tablet.local",
    kind: Name = SIPURI_UDP,
    txt: tuple[bytes, ...] = (b"txtvers=1", b"name=Alice", b"contact=<sip:alice@192.0.2.1:9>", b"instance_id=1"),
    port: int = 5062,
) -> tuple[Record, ...]:
    instance = (label, *kind)
    return pointer(kind, instance, 4500), service(instance, port, HOST, 120), text(instance, txt, 4500), address()


def heard(*records: Record, source: str = FROM, now: float = 0.0, into: Outsiders | None = None) -> Outsiders:
    outsiders = into or Outsiders()
    outsiders.received(Message(records=records, response=True), source, now)
    return outsiders


def uris(outsiders: Outsiders, now: float = 0.0) -> list[str]:
    return [outsider.uri for outsider in outsiders.found(now)]


def test_blink_is_reached_where_its_records_say_and_not_where_its_contact_says() -> None:
    outsiders = heard(*device(), now=3.0)
    assert outsiders.found(4.0) == (Outsider("sip:alice@10.77.0.9:5062", "Alice", "udp", 3.0),)
    assert outsiders.wanted(4.0) == ()


@pytest.mark.parametrize(
    ("records", "uri", "name"),
    [
        (device(kind=SIPURI_TCP, port=5060), "sip:alice@10.77.0.9;transport=tcp", "Alice"),
        (device(txt=(b"contact=sip:a@b;transport=TLS",), port=5061), "sip:a@10.77.0.9:5061;transport=tls", "a"),
        (device(txt=(b"contact=sip:a@b;transport=sctp",), port=5060), "sip:a@10.77.0.9", "a"),
        (device(b"<sip:bob@h>;regint=0", txt=(), port=5060), "sip:bob@10.77.0.9", "bob"),
        (device(b"sip:10.77.0.9", txt=(), port=5060), "sip:10.77.0.9", ""),
        (device(b"tel:123", txt=(), port=5060), "sip:10.77.0.9", "tel:123"),
        (device(b"Hall panel", SIP_UDP, (), 5060), "sip:10.77.0.9", "Hall panel"),
        (device(b"k", SIP_UDP, (b"prio=1", b"weight=1", b"ttl=60"), 50195), "sip:10.77.0.9", "k"),
        (device(b"k", SIP_UDP, (b"prio=1", b"weight=1", b"ttl=60"), 5070), "sip:10.77.0.9:5070", "k"),
        (device(b"k", SIP_UDP, (), 50195), "sip:10.77.0.9:50195", "k"),
        (device(txt=(b"name=A\x07\nl", b"name=Eve"), port=5060), "sip:alice@10.77.0.9", "Al"),
    ],
)
def test_what_is_understood(records: tuple[Record, ...], uri: str, name: str) -> None:
    assert [(found.uri, found.name) for found in heard(*records).found(0.0)] == [(uri, name)]


@pytest.mark.parametrize(
    "records",
    [
        device(txt=(b"meshdoor=abcd-efgh-ijkl-mnop",)),
        device(b"meshdoor-abcdefgh", SIP_UDP),
        device(b"a printer", (b"_ipp", b"_tcp", b"local")),
        (pointer(SIPURI_UDP, HOST, 120), *device()[1:]),
        (pointer(SIPURI_UDP, (b"x", *SIP_UDP), 120), *device()[1:]),
    ],
)
def test_what_is_not_listed(records: tuple[Record, ...]) -> None:
    assert uris(heard(*records)) == []


def test_nodes_take_no_place_and_are_not_asked_about() -> None:
    node = device(txt=(b"meshdoor=abcd-efgh-ijkl-mnop",))
    outsiders = heard(node[0])
    assert outsiders.wanted(0.0)
    outsiders.received(Message(records=node, response=True), "10.0.0.1", 0.0)
    assert outsiders.wanted(0.0) == outsiders.wanted(110.0) == ()


def test_what_is_missing_is_asked_for_a_few_times_and_then_forgotten() -> None:
    records = device()
    outsiders = heard(records[0])
    instance = records[0].target
    for _ in range(3):
        assert outsiders.wanted(1.0) == (Question(instance, dns.ANY),)
    assert outsiders.wanted(2.0) == ()
    heard(*records[1:], into=outsiders)
    assert uris(outsiders) == []


def test_the_address_is_asked_for_by_the_name_of_the_host() -> None:
    records = device()
    outsiders = heard(*records[:3], Record(records[0].target, dns.ANY, 120, b""))
    for _ in range(3):
        assert outsiders.wanted(1.0) == (Question(records[0].target, dns.ANY), Question(HOST, dns.A))
    assert outsiders.wanted(1.0) == ()
    heard(address(7), into=outsiders)
    assert uris(outsiders) == ["sip:alice@10.77.0.7:5062"]


def test_it_is_asked_for_again_before_it_ends_and_ends_when_it_is_not_heard() -> None:
    outsiders = heard(*device())
    assert len(outsiders.wanted(100.0)) == 2
    assert uris(outsiders, 121.0) == []
    outsiders.wanted(121.0)
    heard(*device()[1:], now=122.0, into=outsiders)
    assert uris(outsiders, 122.0) == []


def test_the_hosts_that_are_told_of() -> None:
    outsiders = heard(*device(), pointer(SIPURI_TCP, (b"sip:x@y", *SIPURI_TCP), 120))
    assert outsiders.hosts() == [b"tablet"]


def test_refreshed_records_live_on() -> None:
    outsiders = heard(*device())
    heard(*device(), now=100.0, into=outsiders)
    assert uris(outsiders, 200.0) == ["sip:alice@10.77.0.9:5062"]


@pytest.mark.parametrize("which", [0, 1])
def test_a_goodbye(which: int) -> None:
    said = device()[which]
    outsiders = heard(*device())
    heard(Record(said.name, said.type, 0, said.data), into=outsiders)
    assert uris(outsiders) == []


def test_queries_say_nothing() -> None:
    outsiders = Outsiders()
    outsiders.received(Message(records=device()), FROM, 0.0)
    assert uris(outsiders) == []


def test_addresses() -> None:
    v6 = Record(HOST, dns.AAAA, 120, bytes.fromhex("20010db8000000000000000000000001"))
    link_local = Record(HOST, dns.AAAA, 120, bytes.fromhex("fe800000000000000000000000000001"))
    group = Record(HOST, dns.A, 120, bytes((224, 0, 0, 1)))
    nowhere = Record(HOST, dns.A, 120, bytes(4))
    known = device()[:3]
    assert uris(heard(*known, link_local, group, nowhere)) == []
    assert uris(heard(*known, v6)) == ["sip:alice@[2001:db8::1]:5062"]
    outsiders = heard(*known, v6, address())
    assert uris(outsiders) == ["sip:alice@10.77.0.9:5062"]
    heard(address(ttl=0), into=outsiders)
    assert uris(outsiders) == ["sip:alice@[2001:db8::1]:5062"]
    many = heard(*known, *(address(last) for last in range(20, 40)))
    assert uris(many) == ["sip:alice@10.77.0.20:5062"]


def test_addresses_of_nobody_are_not_kept() -> None:
    outsiders = heard(*device())
    heard(address(66, (b"other", b"local")), into=outsiders)
    assert len(outsiders._hosts) == 1


def test_a_flood_displaces_its_own() -> None:
    outsiders = heard(*device())
    for number in range(1000):
        heard(*device(b"sip:x%d@h" % number), source="10.77.0.66", now=number / 10, into=outsiders)
        heard(*device(), now=number / 10, into=outsiders)
    assert len(outsiders.found(100.0)) == MAX_DEVICES
    assert outsiders.found(100.0)[0].name == "Alice"
    burst = Outsiders()
    for number in range(1000):
        heard(pointer(SIPURI_UDP, (b"%d" % number, *SIPURI_UDP), 120), into=burst)
    assert len(burst.wanted(0.0)) == MAX_DEVICES
