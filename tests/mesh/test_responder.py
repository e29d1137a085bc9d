"""Answering for a few records: what is sent, when, and to whom."""

from __future__ import annotations

from dataclasses import replace

from meshdoor.mesh import dns
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.dns import Message, Question, Record, pointer, service, text
from meshdoor.mesh.responder import AGAIN, LEGACY_TTL, REPEAT, Outgoing, Responder

TYPE = (b"_sipuri", b"_udp", b"local")
INSTANCE = (b"sip:door@10.77.0.1", *TYPE)
HOST = (b"door", b"local")
ALL = (
    pointer(TYPE, INSTANCE, 4500),
    service(INSTANCE, 5060, HOST, 120),
    text(INSTANCE, (b"txtvers=1",), 4500),
    Record(HOST, dns.A, 120, bytes((10, 77, 0, 1)), unique=True),
)
NEIGHBOUR = Address("10.77.0.9", 5353)


def high(low: float, high: float) -> float:
    return high


def published() -> Responder:
    responder = Responder(high)
    responder.publish(ALL, 0.0)
    responder.take()
    responder.handle_timer(REPEAT)
    responder.take()
    return responder


def sent(outgoing: list[Outgoing]) -> list[tuple[Record, ...]]:
    assert all(out.to is None and out.message.response for out in outgoing)
    return [out.message.records for out in outgoing]


def test_announced_twice_and_withdrawn() -> None:
    responder = Responder(high)
    responder.publish(ALL, 0.0)
    assert sent(responder.take()) == [ALL]
    assert responder.next_deadline() == REPEAT
    responder.handle_timer(REPEAT - 0.1)
    assert responder.take() == []
    responder.handle_timer(REPEAT)
    assert sent(responder.take()) == [ALL]
    assert responder.next_deadline() is None
    responder.publish((), 2.0)
    assert sent(responder.take()) == [tuple(replace(record, ttl=0) for record in ALL)]


def test_a_change_withdraws_the_old_first() -> None:
    responder = published()
    moved = replace(ALL[3], data=bytes((10, 77, 0, 2)))
    responder.publish((*ALL[:3], moved), 2.0)
    assert sent(responder.take()) == [(replace(ALL[3], ttl=0),), (moved,)]
    responder.publish((*ALL[:3], moved), 2.0)
    assert responder.take() == []


def test_a_shared_record_waits_and_brings_what_is_needed_next() -> None:
    responder = published()
    responder.received(Message((Question(TYPE, dns.PTR),)), NEIGHBOUR, 10.0)
    assert responder.take() == []
    responder.received(Message((Question(TYPE, dns.PTR),)), NEIGHBOUR, 10.05)
    assert responder.next_deadline() == 10.12
    responder.handle_timer(10.12)
    assert sent(responder.take()) == [ALL]


def test_a_unique_record_is_answered_at_once_but_not_twice_a_second() -> None:
    responder = published()
    ask = Message((Question(HOST, dns.A),))
    responder.received(ask, NEIGHBOUR, 10.0)
    assert sent(responder.take()) == [(ALL[3],)]
    responder.received(ask, NEIGHBOUR, 10.5)
    assert responder.take() == []
    responder.handle_timer(10.0 + AGAIN)
    assert sent(responder.take()) == [(ALL[3],)]


def test_a_probe_is_answered_at_once() -> None:
    responder = published()
    probe = Message((Question(HOST, dns.ANY),), proposed=(ALL[3],))
    for now in (10.0, 10.1):
        responder.received(probe, NEIGHBOUR, now)
        assert sent(responder.take()) == [(ALL[3],)]


def test_known_answers_are_not_repeated_unless_they_are_old() -> None:
    responder = published()
    responder.received(Message((Question(TYPE, dns.PTR),), (ALL[0],)), NEIGHBOUR, 10.0)
    assert responder.next_deadline() is None
    old = replace(ALL[0], ttl=2000)
    responder.received(Message((Question(TYPE, dns.PTR),), (ALL[1], old)), NEIGHBOUR, 10.0)
    assert responder.next_deadline() is not None


def test_a_simple_resolver_is_answered_alone() -> None:
    responder = published()
    resolver = Address("10.77.0.9", 40000)
    question = Question(HOST, dns.A)
    responder.received(Message((question,), id=7), resolver, 10.0)
    (out,) = responder.take()
    assert (out.to, out.message.id, out.message.questions) == (resolver, 7, (question,))
    assert out.message.records == (replace(ALL[3], ttl=LEGACY_TTL, unique=False),)
    responder.received(Message((Question((b"nobody",), dns.A),)), resolver, 10.0)
    assert responder.take() == []


def test_responses_are_no_concern() -> None:
    responder = published()
    responder.received(Message((Question(HOST, dns.A),), response=True), NEIGHBOUR, 10.0)
    assert responder.take() == []
