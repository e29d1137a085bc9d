"""Calls that pass a stateless proxy, and what does not pass it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.sip.events import (
    Answered,
    AnswerReceived,
    Cancelled,
    Confirmed,
    EarlyMedia,
    Ended,
    IncomingInvite,
    OfferReceived,
    Rejected,
    RequestReceived,
    ResponseReceived,
)
from meshdoor.sip.flow import Flow
from meshdoor.sip.flow_token import FlowName, FlowTokens
from meshdoor.sip.headers import Reason
from meshdoor.sip.message import Request, Response, parse_message
from meshdoor.sip.proxy import ASSERTED, METHODS, Forward, Mine, Way
from meshdoor.sip.session import Phase
from meshdoor.sip.uac import UacSession
from meshdoor.sip.uas import UasSession
from meshdoor.sip.uri import parse_uri
from tests.sip.bridge import DOOR, FROM_DOOR, FROM_PHONE, IDENTITY, NODE, PHONE, Bridge
from tests.sip.wire import ANSWER, OFFER

ELSEWHERE = (Reason("SIP", 200, "Call completed elsewhere"),)
STRANGE = Flow("LINK", (NODE, 5061), ("other.home.arpa", 5061), "other")


def ring(bridge: Bridge) -> tuple[UacSession, UasSession]:
    """The door calls the phone, which answers 183 with a session description."""
    calling = bridge.door.stack.invite(bridge.to(PHONE), OFFER, (), bridge.now)
    bridge.run()
    called = bridge.phone.one(IncomingInvite).session
    called.provisional(183, ANSWER, bridge.now)
    bridge.run()
    return calling, called


def talk(bridge: Bridge) -> tuple[UacSession, UasSession]:
    calling, called = ring(bridge)
    called.accept(ANSWER, bridge.now)
    bridge.run()
    return calling, called


def message(method: str = "INVITE", *headers: str, uri: str = f"sip:x@{PHONE}", to_tag: str = "") -> Request:
    given = dict(header.split(": ", 1) for header in headers)
    fields = {
        "Via": "SIP/2.0/TLS door.home.arpa:5061;branch=z9hG4bKabc",
        "From": f"<sip:door@{DOOR}>;tag=1",
        "To": f"<sip:x@{PHONE}>{to_tag}",
        "Call-ID": "c",
        "CSeq": f"1 {method}",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in (fields | given).items() if value)
    parsed = parse_message(f"{method} {uri} SIP/2.0\r\n{lines}\r\n".encode())
    assert isinstance(parsed, Request)
    return parsed


def passed(bridge: Bridge, request: Request, flow: Flow = FROM_DOOR) -> Forward:
    outcome = bridge.proxy.receive(request, flow)
    assert isinstance(outcome, Forward)
    return outcome


def refused(bridge: Bridge, request: Request, flow: Flow = FROM_DOOR) -> Response:
    outcome = passed(bridge, request, flow)
    assert isinstance(outcome.message, Response)
    assert (outcome.flow, outcome.origin) == (flow, None)
    return outcome.message


def sent(bridge: Bridge, request: Request, flow: Flow = FROM_DOOR) -> Request:
    outcome = passed(bridge, request, flow)
    assert isinstance(outcome.message, Request)
    return outcome.message


def test_a_call_with_early_media_is_acknowledged_answered_and_ended_by_the_door() -> None:
    bridge = Bridge()
    calling, _ = talk(bridge)
    assert bridge.door.one(EarlyMedia).body == ANSWER
    assert bridge.door.one(Answered).body == ANSWER
    assert bridge.phone.one(Confirmed)
    assert calling.phase is Phase.CONFIRMED
    calling.bye((), bridge.now)
    bridge.run()
    assert bridge.phone.one(Ended).remote
    bridge.wait(100.0)
    assert bridge.door.stack.idle
    assert bridge.phone.stack.idle


def test_a_reliable_provisional_response_is_acknowledged() -> None:
    bridge = Bridge()
    bridge.door.stack.invite(bridge.to(PHONE), OFFER, (("Require", "100rel"),), 0.0)
    bridge.run()
    bridge.phone.one(IncomingInvite).session.provisional(183, ANSWER, 0.0)
    bridge.run()
    assert bridge.log == ["INVITE", "183 INVITE", "PRACK", "200 PRACK"]


def test_the_phone_ends_it() -> None:
    bridge = Bridge()
    _, called = talk(bridge)
    called.bye((), bridge.now)
    bridge.run()
    assert bridge.door.one(Ended).remote


def test_the_phone_declines_and_its_ack_stays_in_the_transaction() -> None:
    bridge = Bridge()
    _, called = ring(bridge)
    called.reject(603, bridge.now)
    bridge.run()
    assert bridge.door.one(Rejected).response.status == 603
    assert bridge.log[-2:] == ["603 INVITE", "ACK"]
    bridge.wait(100.0)
    assert bridge.phone.stack.idle


def test_answered_elsewhere_is_cancelled_with_its_reason() -> None:
    bridge = Bridge()
    calling, _ = ring(bridge)
    calling.cancel(ELSEWHERE, bridge.now)
    bridge.run()
    assert bridge.phone.one(Cancelled).reasons == ELSEWHERE
    assert bridge.door.one(Cancelled)


def test_requests_in_the_dialog_pass_both_ways() -> None:
    bridge = Bridge()
    calling, called = talk(bridge)
    calling.info(b"Signal=5", "application/dtmf-relay", bridge.now)
    called.request("MESSAGE", (("Content-Type", "text/plain"),), b"open", bridge.now)
    bridge.run()
    here, there = bridge.door.one(RequestReceived), bridge.phone.one(RequestReceived)
    assert (here.request.body, there.request.body) == (b"open", b"Signal=5")
    assert here.request.headers.get_all(ASSERTED) == [IDENTITY]
    assert ASSERTED not in there.request.headers
    bridge.door.stack.respond(here, 200, bridge.now)
    bridge.phone.stack.respond(there, 200, bridge.now)
    bridge.run()
    for party in (bridge.door, bridge.phone):
        assert party.one(ResponseReceived).response.status == 200


def test_an_offer_of_the_phone_in_a_call_of_the_phone() -> None:
    bridge = Bridge()
    calling = bridge.phone.stack.invite(bridge.to(DOOR), OFFER, ((ASSERTED, "<sip:gate@evil>"),), 0.0)
    bridge.run()
    invite = bridge.door.one(IncomingInvite)
    assert invite.request.headers.get_all(ASSERTED) == [IDENTITY]
    invite.session.accept(ANSWER, 0.0)
    bridge.run()
    calling.reinvite(OFFER, 0.0)
    bridge.run()
    bridge.door.one(OfferReceived).offer.answer(ANSWER, 0.0)
    bridge.run()
    assert bridge.phone.one(AnswerReceived).body == ANSWER


def test_a_phone_that_is_gone_ends_the_branch_at_once() -> None:
    bridge = Bridge(gone={"phone"})
    bridge.door.stack.invite(bridge.to(PHONE), OFFER, (), 0.0)
    bridge.run()
    assert bridge.door.one(Rejected).response.status == 430


def test_a_phone_that_goes_in_a_call_is_told_of_in_the_dialog() -> None:
    bridge = Bridge()
    calling, called = talk(bridge)
    bridge.gone.add("phone")
    calling.bye((), bridge.now)
    called.bye((), bridge.now)
    bridge.run()
    assert "BYE" in bridge.log
    assert not any(isinstance(each, Response) and each.status == 200 for each in bridge.passed[-1:])
    bridge.wait(100.0)
    assert bridge.door.stack.idle


def test_what_fails_but_is_no_request_is_dropped() -> None:
    bridge = Bridge()
    ring(bridge)
    response = next(each for each in bridge.passed if isinstance(each, Response))
    assert bridge.proxy.failed(Forward(FROM_DOOR, response)) is None
    ack = message("ACK")
    assert bridge.proxy.failed(passed(bridge, ack)) is None


def test_where_it_goes_is_what_locate_says() -> None:
    uri = parse_uri("sip:alice@abc.invalid;transport=ws")
    bridge = Bridge(locate=lambda request, flow: Way(FROM_PHONE, uri))
    assert sent(bridge, message()).uri == uri
    assert refused(Bridge(), message(uri="sip:x@nowhere")).status == 404
    assert isinstance(Bridge().proxy.receive(message(uri=f"sip:{NODE}"), FROM_DOOR), Mine)


def test_the_request_on_its_way() -> None:
    bridge = Bridge()
    one, again = sent(bridge, message()), sent(bridge, message())
    assert one == again
    assert one.max_forwards == 70
    assert [via.host for via in one.vias] == [NODE, DOOR]
    assert one.vias[0].transport == "WSS"
    (route,) = one.record_routes
    assert str(route.uri).endswith(f"@{NODE};lr")
    assert sent(bridge, message("INVITE", "Max-Forwards: 5")).max_forwards == 4
    assert "record-route" not in sent(bridge, message("MESSAGE")).headers
    assert "record-route" not in sent(bridge, message("INVITE", to_tag=";tag=2")).headers


def test_cancel_and_ack_have_the_branch_of_their_invite_and_others_do_not() -> None:
    bridge = Bridge()
    branches = {method: sent(bridge, message(method)).via.branch for method in ("INVITE", "CANCEL", "ACK")}
    assert len(set(branches.values())) == 1
    other = "Via: SIP/2.0/TLS door.home.arpa:5061;branch=z9hG4bKabd"
    assert sent(bridge, message("INVITE", other)).via.branch not in branches.values()
    assert sent(bridge, message(), FROM_PHONE).via.branch not in branches.values()
    old = "Via: SIP/2.0/TLS door.home.arpa:5061"
    first = sent(bridge, message("INVITE", old)).via.branch
    assert first == sent(bridge, message("CANCEL", old)).via.branch
    assert first != sent(bridge, message("INVITE", old, "CSeq: 2 INVITE")).via.branch


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (message("INVITE", "Max-Forwards: 0"), 483),
        (message("INVITE", "Max-Forwards: many"), 400),
        (message("INVITE", "Proxy-Require: gin"), 420),
        (message("SUBSCRIBE"), 405),
        (message("INVITE", "From: <sip:x"), 400),
        (message("INVITE", "To: <sip:x"), 400),
        (message("INVITE", "To: "), 400),
        (message("INVITE", "CSeq: INVITE"), 400),
    ],
)
def test_what_is_not_passed_on(request_: Request, status: int) -> None:
    response = refused(Bridge(), request_)
    assert response.status == status


def test_a_refusal_has_a_tag_and_says_why() -> None:
    bridge = Bridge()
    response = refused(bridge, message("INVITE", "Proxy-Require: gin"))
    assert response.unsupported == ("gin",)
    assert response.to.tag == refused(bridge, message("INVITE", "Proxy-Require: gin")).to.tag
    assert refused(bridge, message("SUBSCRIBE")).allow == METHODS
    assert refused(bridge, message("SUBSCRIBE", to_tag=";tag=7")).to.tag == "7"
    assert sent(bridge, message("CANCEL", "Proxy-Require: gin")).method == "CANCEL"


def test_the_ack_of_a_refusal_goes_no_further() -> None:
    bridge = Bridge(gone={"phone"})
    bridge.door.stack.invite(bridge.to(PHONE), OFFER, (), 0.0)
    bridge.run()
    assert bridge.log == ["INVITE", "ACK"]
    assert len(bridge.passed) == 1  # the INVITE, in vain


def test_requests_that_cannot_be_answered_are_dropped() -> None:
    assert Bridge().proxy.receive(message("ACK", "Max-Forwards: 0"), FROM_DOOR) is None
    assert Bridge().proxy.receive(message("INVITE", "Via: "), FROM_DOOR) is None


def test_a_route_is_only_for_the_two_whose_it_is() -> None:
    bridge = Bridge()
    (route,) = sent(bridge, message()).record_routes
    routed = message("BYE", f"Route: {route}", to_tag=";tag=2")
    assert passed(bridge, routed).flow == FROM_PHONE
    assert passed(bridge, routed, FROM_PHONE).flow == FROM_DOOR
    assert refused(bridge, routed, STRANGE).status == 403
    forged = message("BYE", f"Route: <sip:AAAA@{NODE};lr>", to_tag=";tag=2")
    assert refused(bridge, forged).status == 403
    bridge.gone.add("phone")
    assert refused(bridge, routed).status == 430


def test_a_route_does_not_replace_the_policy_for_what_begins_something() -> None:
    bridge = Bridge(locate=lambda request, flow: None)
    (route,) = sent(Bridge(), message()).record_routes
    assert isinstance(bridge.proxy.receive(message("INVITE", f"Route: {route}"), FROM_PHONE), Mine)


def test_routes_of_others_stay_and_ours_is_taken_off() -> None:
    bridge = Bridge()
    plain = sent(bridge, message("BYE", f"Route: <sip:{NODE};lr>, <sip:next@else>, <sip:last@else>", to_tag=";tag=2"))
    assert [str(route) for route in plain.routes] == ["<sip:next@else>", "<sip:last@else>"]
    others = sent(bridge, message("BYE", "Route: <sip:else;lr>, <tel:5>"))
    assert len(others.routes) == 2
    assert len(sent(bridge, message("BYE", "Route: <tel:5>")).routes) == 1


def response(via: str, flow: Flow = FROM_PHONE) -> Forward | Mine | None:
    parsed = parse_message(f"SIP/2.0 200 OK\r\n{via}CSeq: 1 INVITE\r\n\r\n".encode())
    return Bridge().proxy.receive(parsed, flow)


def test_responses_go_the_way_back_and_no_other() -> None:
    bridge = Bridge()
    request = sent(bridge, message())
    vias = "".join(f"Via: {via}\r\n" for via in request.headers.get_all("via"))
    came = response(vias)
    assert isinstance(came, Forward)
    assert came.flow == FROM_DOOR
    assert came.message.headers.get_all("via") == request.headers.get_all("via")[1:]
    assert response(vias, STRANGE) is None
    assert response(vias, FROM_DOOR) is None
    assert response(vias.replace(";flow=", ";flow=A")) is None
    assert response("Via: SIP/2.0/TLS a\r\nVia: SIP/2.0/TLS b\r\n") is None
    assert response("Via: nothing\r\n") is None
    assert isinstance(response("Via: SIP/2.0/TLS a\r\n"), Mine)
    bridge.gone.add("door")
    back = parse_message(f"SIP/2.0 200 OK\r\n{vias}CSeq: 1 INVITE\r\n\r\n".encode())
    assert bridge.proxy.receive(back, FROM_PHONE) is None


names = st.builds(FlowName, st.sampled_from(["LINK", "WSS"]), st.text("0123456789abcdef", min_size=1, max_size=66))


@given(names, names)
def test_tokens_round_trip_and_fit_into_a_uri_and_a_via(one: FlowName, other: FlowName) -> None:
    tokens = FlowTokens(b"s" * 32)
    token = tokens.seal(one, other)
    assert tokens.open(token) == (one, other)
    assert FlowTokens(b"t" * 32).open(token) is None
    assert str(parse_uri(f"sip:{token}@{NODE};lr")) == f"sip:{token}@{NODE};lr"


@given(st.text(max_size=700) | st.from_regex(r"[A-Za-z0-9_-]{0,600}", fullmatch=True))
def test_what_is_no_token_opens_nothing(text: str) -> None:
    assert FlowTokens(b"s" * 32).open(text) is None


def test_what_is_too_long_is_no_token() -> None:
    assert FlowTokens(b"s" * 32).open("A" * 513) is None


def test_a_changed_token_opens_nothing() -> None:
    tokens = FlowTokens(b"s" * 32)
    token = tokens.seal(FlowName("LINK", "a"), FlowName("WSS", "b"))
    for place in range(len(token) - 1):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert tokens.open(changed) is None


@given(st.sampled_from(METHODS), st.binary(max_size=200), st.integers(0, 255))
def test_a_body_passes_as_it_is(method: str, body: bytes, hops: int) -> None:
    request = replace(message(method, f"Max-Forwards: {hops}", "Content-Type: text/plain"), body=body)
    outcome = Bridge().proxy.receive(request, FROM_DOOR)
    if hops and isinstance(outcome, Forward):
        assert outcome.message.body == body
        assert isinstance(parse_message(bytes(outcome.message)), Request)
    else:
        assert not hops
