"""Attached phones as a SIP transport."""

from __future__ import annotations

import pytest

from meshdoor.calls.hosts import host_of
from meshdoor.calls.policy import member_of
from meshdoor.errors import RemoteProtocolError
from meshdoor.transport.websocket import WebSocketTransport
from tests.mesh.houses import identities
from tests.transport.ends import Told

NODE, ALICE = (identity.key for identity in identities(2))


def attached() -> tuple[WebSocketTransport, Told, list[str]]:
    transport, told, sent = WebSocketTransport(NODE), Told(), list[str]()
    transport.open(told)
    transport.attach(ALICE, sent.append)
    return transport, told, sent


async def test_messages_both_ways() -> None:
    transport, told, sent = attached()
    flow = transport.flow(ALICE)
    transport.received(ALICE, "OPTIONS …")
    assert told.messages == [("OPTIONS …".encode(), flow)]
    assert transport.send(flow, "SIP/2.0 200 …".encode())
    assert transport.send(flow, b"\xff")
    assert sent == ["SIP/2.0 200 …", "\ufffd"]


async def test_a_flow_is_named_by_the_key_of_its_phone() -> None:
    transport, _, _ = attached()
    flow = transport.flow(ALICE)
    assert member_of(flow) == ALICE
    assert flow.secure
    assert flow.reliable
    assert str(flow.contact("screen")) == f"sip:screen@{host_of(NODE)}:5061;transport=ws"
    assert flow.via("z9hG4bKx").transport == "WSS"


async def test_empty_frames_are_told_to_nobody() -> None:
    transport, told, _ = attached()
    transport.received(ALICE, "\r\n")
    transport.received(ALICE, "")
    assert told.messages == []


async def test_a_phone_that_goes_is_told_of_once() -> None:
    transport, told, _ = attached()
    flow = transport.flow(ALICE)
    transport.detach(ALICE)
    transport.detach(ALICE)
    assert told.failures == [flow]
    assert not transport.send(flow, b"x")


async def test_nothing_is_told_before_it_is_open_or_after_it_is_closed() -> None:
    transport, told, _ = attached()
    await transport.aclose()
    transport.attach(ALICE, lambda text: None)
    transport.received(ALICE, "x")
    transport.detach(ALICE)
    assert (told.messages, told.failures) == ([], [])


async def test_a_message_that_is_too_large() -> None:
    transport, told, _ = attached()
    with pytest.raises(RemoteProtocolError, match="too large"):
        transport.received(ALICE, "ä" * 40000)
    assert told.messages == []
