"""Registration by digest, with the client of the package on the other side."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import LocalProtocolError, SipError
from meshdoor.sip.digest import DigestClient, make_ha1
from meshdoor.sip.message import Request, Response, parse_message
from meshdoor.sip.registrar import MAX_EXPIRES, REALM, Registered, Registrar
from tests.sip.wire import predictable

LAST = slice(1, None)  # what JsSIP and SIP.js take
CONTACT = "<sip:abc@xyz.invalid;transport=ws>;+sip.instance=\"<urn:uuid:1>\";reg-id=1"


def registrar() -> Registrar:
    users = {"alice": "s3cret"}
    return Registrar(
        lambda user, algorithm: make_ha1(algorithm, user, REALM, users[user]) if user in users else None, predictable()
    )


def register(*headers: str, user: str = "alice", method: str = "REGISTER", transport: str = "WSS") -> Request:
    lines = [
        f"{method} sip:home.arpa SIP/2.0",
        f"Via: SIP/2.0/{transport} xyz.invalid;branch=z9hG4bK1",
        "Max-Forwards: 70",
        f"From: <sip:{user}@home.arpa>;tag=1",
        f"To: <sip:{user}@home.arpa>",
        "Call-ID: r",
        f"CSeq: 1 {method}",
        *headers,
    ]
    parsed = parse_message(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert isinstance(parsed, Request)
    return parsed


def signed(
    desk: Registrar, request: Request, secret: str = "s3cret", name: str = "alice", taken: slice = LAST
) -> Request:
    """As the client sends it again after the challenges, of which it takes some."""
    refused = desk.register(request, 0.0)
    assert isinstance(refused, Response)
    assert refused.status == 401
    client = DigestClient(name, secret, ("SHA-256", "MD5"), predictable())
    assert client.challenged(refused.www_authenticate[taken])
    credentials = client.authorize("REGISTER", str(request.uri))
    request.headers.add("Authorization", str(credentials))
    return request


def registered(*headers: str) -> Registered:
    desk = registrar()
    outcome = desk.register(signed(desk, register(*headers)), 1.0)
    assert isinstance(outcome, Registered)
    return outcome


def answered(*headers: str) -> int:
    desk = registrar()
    outcome = desk.register(signed(desk, register(*headers)), 1.0)
    assert isinstance(outcome, Response)
    return outcome.status


@pytest.mark.parametrize("taken", [slice(1), LAST])
def test_the_best_algorithm_is_first_and_what_browsers_know_is_last(taken: slice) -> None:
    desk = registrar()
    asked = register(f"Contact: {CONTACT}")
    refused = desk.register(asked, 0.0)
    assert isinstance(refused, Response)
    assert [challenge.parameters["algorithm"] for challenge in refused.www_authenticate] == ["SHA-256", "MD5"]
    assert isinstance(desk.register(signed(desk, asked, taken=taken), 0.0), Registered)


@pytest.mark.parametrize(
    ("agent", "transport", "offered"),
    [
        ("JsSIP 3.13", "WSS", ["SHA-256", "MD5"]),
        ("", "ws", ["SHA-256", "MD5"]),
        ("LinphoneDaemon/5.1", "UDP", ["SHA-256", "MD5"]),
        ("baresip v1.0.0", "TLS", ["MD5"]),
        ("", "UDP", ["MD5"]),
    ],
)
def test_outside_browsers_who_may_know_only_md5_is_offered_nothing_else(
    agent: str, transport: str, offered: list[str]
) -> None:
    desk = registrar()
    asked = register(f"Contact: {CONTACT}", f"User-Agent: {agent}", transport=transport)
    refused = desk.register(asked, 0.0)
    assert isinstance(refused, Response)
    assert [each.parameters["algorithm"] for each in refused.www_authenticate] == offered
    assert isinstance(desk.register(signed(desk, asked, taken=slice(None)), 0.0), Registered)


def test_a_client_that_knows_the_secret_is_registered() -> None:
    outcome = registered(f"Contact: {CONTACT};expires=300")
    assert (outcome.username, str(outcome.contact), outcome.expires) == (
        "alice",
        "sip:abc@xyz.invalid;transport=ws",
        300,
    )
    assert outcome.response.status == 200
    assert outcome.response.to.tag is not None
    (echoed,) = outcome.response.contacts
    assert echoed.parameter("expires") == "300"
    assert echoed.parameter("reg-id") == "1"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((f"Contact: {CONTACT}",), 600),
        ((f"Contact: {CONTACT}", "Expires: 120"), 120),
        ((f"Contact: {CONTACT};expires=90", "Expires: 120"), 90),
        ((f"Contact: {CONTACT};expires=soon", "Expires: 120"), 120),
        ((f"Contact: {CONTACT};expires=99999999999999",), MAX_EXPIRES),
    ],
)
def test_for_how_long(headers: tuple[str, ...], seconds: int) -> None:
    assert registered(*headers).expires == seconds


@pytest.mark.parametrize("headers", [(f"Contact: {CONTACT};expires=0",), ("Contact: *", "Expires: 0")])
def test_a_client_that_takes_leave(headers: tuple[str, ...]) -> None:
    outcome = registered(*headers)
    assert (outcome.contact, outcome.expires, outcome.response.status) == (None, 0, 200)


def test_what_changes_nothing() -> None:
    assert answered() == 200
    assert answered("Contact: *") == 400
    assert answered("Contact: *", "Expires: 60") == 400
    assert answered(f"Contact: {CONTACT};expires=59") == 423


def test_a_name_that_exists_and_one_that_does_not_get_the_same() -> None:
    answers = []
    for user, secret in (("alice", "wrong"), ("nobody", "s3cret")):
        desk = registrar()
        outcome = desk.register(signed(desk, register(f"Contact: {CONTACT}", user=user), secret, user), 1.0)
        assert isinstance(outcome, Response)
        answers.append((outcome.status, outcome.headers.keys(), len(outcome.www_authenticate)))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401


def test_nobody_registers_as_another() -> None:
    desk = registrar()
    for to in ("<sip:bob@home.arpa>", "<tel:5>"):
        request = signed(desk, register(f"Contact: {CONTACT}"))
        request.headers.set("To", to)
        outcome = desk.register(request, 1.0)
        assert isinstance(outcome, Response)
        assert outcome.status == 403


def test_a_registration_is_not_replayed() -> None:
    desk = registrar()
    request = signed(desk, register(f"Contact: {CONTACT}"))
    assert isinstance(desk.register(request, 1.0), Registered)
    again = desk.register(request, 1.0)
    assert isinstance(again, Response)
    assert again.www_authenticate[0].parameters["stale"] == "true"


def test_requests_that_are_wrong() -> None:
    desk = registrar()
    outcome = desk.register(register("Require: gin"), 0.0)
    assert isinstance(outcome, Response)
    assert outcome.status == 420
    request = register()
    request.headers.remove("Via")
    with pytest.raises(SipError, match="via is missing"):
        desk.register(request, 0.0)


def test_anything_else_is_challenged() -> None:
    response = registrar().challenge(register(method="INVITE"), 0.0)
    assert response.status == 401
    assert len(response.www_authenticate) == 2


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=60))
def test_whatever_the_contact_is_it_is_answered_or_refused(contact: str) -> None:
    desk = registrar()
    request = register("Contact: <sip:a@b>")
    request = signed(desk, request)
    with suppress(SipError, LocalProtocolError):  # the other is of what no header can hold
        request.headers.set("Contact", contact)
        assert isinstance(desk.register(request, 1.0), Registered | Response)


def test_any_other_request_may_prove_who_sent_it() -> None:
    desk = registrar()
    call = register(method="OPTIONS")
    refused = desk.authenticate(call, 0.0)
    assert isinstance(refused, Response)
    client = DigestClient("alice", "s3cret", ("SHA-256", "MD5"), predictable())
    assert client.challenged(refused.www_authenticate)
    call.headers.add("Authorization", str(client.authorize("OPTIONS", str(call.uri))))
    assert desk.authenticate(call, 0.0) == "alice"
