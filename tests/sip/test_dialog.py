"""Dialogs: identity, route set, remote target, numbers."""

from __future__ import annotations

import pytest

from meshdoor.errors import SipError
from meshdoor.sip.compose import response_to
from meshdoor.sip.dialog import Dialog
from meshdoor.sip.message import Request
from tests.sip.machines import TCP, UDP, request

ROUTES = "Record-Route: <sip:p1.example;lr>\r\nRecord-Route: <sip:p2.example;lr>\r\n"


def uas(more: str = "") -> Dialog:
    return Dialog.of_request(request(more="Contact: <sip:a@10.0.0.7>\r\n" + more), "t", UDP)


def uac(*headers: tuple[str, str]) -> Dialog:
    return Dialog.of_response(request(), response_to(request(), 180, "t", headers), UDP)


def test_both_sides_see_the_same_dialog() -> None:
    assert uac().id == ("c", "f", "t")
    assert uas().id == ("c", "t", "f")


def test_the_callee_takes_the_routes_as_they_are_and_the_caller_turns_them_round() -> None:
    assert [str(r.uri) for r in uas(ROUTES).route] == ["sip:p1.example;lr", "sip:p2.example;lr"]
    dialog = uac(("Record-Route", "<sip:p2.example;lr>, <sip:p1.example;lr>"))
    assert [str(r.uri) for r in dialog.route] == ["sip:p1.example;lr", "sip:p2.example;lr"]


def test_a_request_in_a_dialog() -> None:
    message = uas(ROUTES).request("BYE", (("Reason", "SIP;cause=200"),))
    assert str(message.uri) == "sip:a@10.0.0.7"
    assert (message.from_.tag, message.to.tag, message.call_id, str(message.cseq)) == ("t", "f", "c", "1 BYE")
    assert len(message.routes) == 2
    assert message.headers.get("reason") == "SIP;cause=200"


def test_a_strict_router_becomes_the_request_uri() -> None:
    dialog = uas("Record-Route: <sip:p1.example;method=INVITE;x=1>, <sip:p2.example;lr>\r\n")
    message = dialog.request("BYE")
    assert str(message.uri) == "sip:p1.example;x=1"
    assert [str(route.uri) for route in message.routes] == ["sip:p2.example;lr", "sip:a@10.0.0.7"]


def test_a_strict_router_of_another_scheme_is_taken_as_it_is() -> None:
    assert str(uas("Record-Route: <x:p1>\r\n").request("BYE").uri) == "x:p1"


def test_numbers_rise_and_the_ack_has_that_of_its_invite() -> None:
    dialog = uac()
    assert [dialog.request("INFO").cseq.number for _ in range(2)] == [8, 9]
    assert str(dialog.ack(7).cseq) == "7 ACK"


def in_dialog(number: int, method: str = "INFO") -> Request:
    message = request(method)
    message.headers.set("CSeq", f"{number} {method}")
    return message


@pytest.mark.parametrize(("number", "fine"), [(6, False), (7, False), (8, True), (100, True)])
def test_old_numbers_are_refused(number: int, fine: bool) -> None:
    assert uas().accept(in_dialog(number)) is fine


def test_an_overtaken_prack_is_no_old_number() -> None:
    dialog = uas()
    assert dialog.accept(in_dialog(10))
    assert dialog.accept(in_dialog(9, "PRACK"))
    assert not dialog.accept(in_dialog(10))


def test_the_caller_takes_any_first_number() -> None:
    dialog = uac()
    assert dialog.accept(in_dialog(1))
    assert dialog.remote_seq == 1


def test_a_target_refresh_moves_the_remote_target() -> None:
    dialog = uac()
    assert str(dialog.target) == "sip:b@10.0.0.2"
    dialog.refresh(response_to(request(), 200, "t", (("Contact", "<sip:b@10.0.0.8>"), ("Allow", "UPDATE, INFO"))))
    assert str(dialog.target) == "sip:b@10.0.0.8"
    assert dialog.remote_allow == ("UPDATE", "INFO")
    assert dialog.next_flow().remote == ("10.0.0.8", 5060)


def test_the_first_route_is_the_next_hop() -> None:
    assert uac(("Record-Route", "<sip:10.0.0.50;lr>")).next_flow().remote == ("10.0.0.50", 5060)


def test_without_a_remote_tag_the_flow_stays() -> None:
    dialog = Dialog.of_response(request(), response_to(request(), 200), TCP)
    assert dialog.next_flow() == TCP


def test_an_invite_without_contact_makes_no_dialog() -> None:
    with pytest.raises(SipError, match="Contact"):
        Dialog.of_request(request(), "t", UDP)
