"""Messages made from other messages."""

from __future__ import annotations

import pytest

from meshdoor.sip.compose import cancel_of, reason_fields, response_to
from meshdoor.sip.headers import Reason
from tests.sip.machines import request

MORE = "Record-Route: <sip:p.example;lr>\r\nTimestamp: 54\r\n"


@pytest.mark.parametrize(
    ("status", "method", "has"),
    [(100, "INVITE", ["timestamp"]), (180, "INVITE", ["record-route"]), (200, "BYE", []), (486, "INVITE", [])],
)
def test_a_response_copies_what_the_rfc_says(status: int, method: str, has: list[str]) -> None:
    response = response_to(request(method, more=MORE), status, None)
    assert response.headers.keys() == ["via", "from", "to", "call-id", "cseq", *has]


def test_a_response_completes_the_to_tag() -> None:
    assert response_to(request(), 180, "t").to.tag == "t"
    assert response_to(request(), 100).to.tag is None


def test_a_response_keeps_the_to_tag_of_its_dialog() -> None:
    message = request("BYE")
    message.headers.set("To", "<sip:b@10.0.0.2>;tag=theirs")
    assert response_to(message, 200, "ours").to.tag == "theirs"


def test_a_cancel_has_the_branch_route_and_number_of_its_invite() -> None:
    invite = request()
    cancel = cancel_of(invite, reason_fields([Reason("SIP", 200, "Call completed elsewhere")]))
    assert (str(cancel.uri), str(cancel.via)) == (str(invite.uri), str(invite.via))
    assert (cancel.routes, str(cancel.cseq)) == (invite.routes, "7 CANCEL")
    assert cancel.headers.get("reason") == 'SIP;cause=200;text="Call completed elsewhere"'
