"""RFC 4475 and RFC 5118: what each message comes to, at a UAS that also takes REGISTER."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.sip.accessors import Accessors
from meshdoor.sip.fields import Headers
from meshdoor.sip.framer import Broken, Framer
from meshdoor.sip.message import Request, Response, parse_message
from meshdoor.sip.uri import SipUri, unescape
from meshdoor.sip.validate import DEFAULT, Capabilities, Verdict, judge
from tests.sip.torture import Case, load

REGISTRAR = Capabilities(methods=(*DEFAULT.methods, "REGISTER"))
CASES = {case.name: case for rfc in ("rfc4475", "rfc5118") for case in load(rfc)}


def outcome(verdict: Verdict) -> str:
    if verdict.message is not None:
        return "accept"
    return "drop" if verdict.answer is None else str(verdict.answer.status)


def parsed(name: str) -> Request | Response:
    return parse_message(CASES[name].wire)


def test_all_messages_of_both_rfcs_are_there() -> None:
    assert len(load("rfc4475")) == 49
    assert len(load("rfc5118")) == 12


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_outcome(case: Case) -> None:
    verdict = judge(case.wire, REGISTRAR)
    assert outcome(verdict) == case.outcome, verdict.why
    if verdict.answer is not None:
        check_answer(verdict.answer, case)


def check_answer(answer: Response, case: Case) -> None:
    """The answer goes back over the request's Via and can be read by whoever sent it."""
    again = parse_message(bytes(answer))
    assert isinstance(again, Response)
    assert again.headers.get_lines("via")
    if case.header is not None:
        name, _, value = case.header.partition(": ")
        assert again.headers.get(name) == value


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_accepted_messages_round_trip(case: Case) -> None:
    message = judge(case.wire, REGISTRAR).message
    if message is not None:
        again = parse_message(bytes(message))
        assert again.body == message.body
        assert without_length(again.headers) == without_length(message.headers)


def without_length(headers: Headers) -> list[str]:
    return [field.line for field in headers.fields() if field.key != "content-length"]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_stream_comes_to_the_same(case: Case) -> None:
    framer = Framer(initiator=False)
    framer.receive(case.wire)
    event = framer.next_event()
    if isinstance(event, bytes):
        assert outcome(judge(event, REGISTRAR)) == case.outcome
    else:
        assert case.name in ("clerr", "ncl", "mcl01", "inv2543")
        assert event is None or isinstance(event, Broken)


@pytest.mark.parametrize("name", ["escnull", "dblreq", "unksm2", "regaut01", "cparam01", "regescrt"])
def test_register_is_405_where_there_is_no_registrar(name: str) -> None:
    answer = judge(CASES[name].wire).answer
    assert answer is not None
    assert answer.status == 405
    assert "INVITE" in answer.allow


@pytest.mark.parametrize("case", load("rfc5118"), ids=lambda case: case.name)
def test_bare_line_feeds_as_in_the_archive_of_rfc_5118(case: Case) -> None:
    head, blank, body = case.wire.partition(b"\r\n\r\n")
    wire = (head + blank).replace(b"\r\n", b"\n") + body
    assert outcome(judge(wire, REGISTRAR)) == case.outcome


def test_wsinv() -> None:
    message = parsed("wsinv")
    assert message.from_.display == 'J Rosenberg \\"'
    assert message.from_.tag == "98asjd8"
    assert message.to.tag == "1918181833n"
    assert message.max_forwards == 68
    assert (message.cseq.number, message.cseq.method) == (9, "INVITE")
    assert [via.branch for via in message.vias] == ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]
    assert message.contacts[0].display == 'Quoted string ""'
    assert message.contacts[0].parameter("q") == "0.33"
    assert message.headers.get("Subject") == ""
    assert message.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert message.headers.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"


def test_intmeth() -> None:
    message = parsed("intmeth")
    assert message.to.display == "BEL:\a NUL:\0 DEL:\x7f"
    assert message.from_.display == "token1~` token2'+_ token3*%!.-"
    assert message.from_.parameter("fromparam''~+*_!.-%") == "работающий"
    assert message.headers.get("extensionHeader-!.%*+_`'~") == "\ufeff大停電"


def test_esc01_decodes_once() -> None:
    message = parsed("esc01")
    assert isinstance(message, Request)
    assert isinstance(message.uri, SipUri)
    assert unescape(message.uri.user or "") == "sips:user@example.com"
    assert message.to.uri.equivalent(SipUri("sip", "user", None, "example.com"))
    assert unescape("v%61lue%25%34%31") == "value%41"


def test_esc02_is_not_decoded() -> None:
    message = parsed("esc02")
    assert len(message.contacts) == 2
    assert message.to.display == "%Z%45"
    assert message.via.branch == "z9hG4bK209%fzsnel234"


def test_cparam() -> None:
    one, two = parsed("cparam01").contacts[0], parsed("cparam02").contacts[0]
    assert one.parameter("unknownparam") == ""
    assert one.uri.parameter("unknownparam") is None
    assert two.uri.parameter("unknownparam") == ""


def test_ports_and_addresses_of_rfc_5118() -> None:
    ambiguous, clear = parsed("port-ambiguous"), parsed("port-unambiguous")
    assert str(getattr(ambiguous, "uri", "")) == "sip:[2001:db8::10:5070]"
    assert getattr(getattr(clear, "uri", None), "port", 0) == 5070
    for name in ("via-received-param-with-delim", "via-received-param-no-delim"):
        assert parsed(name).via.received == "2001:db8::9:255"


PIECES = [*'"\\\0,;<>=%[]:@ ', "\r\n", "\n", "\r", "\xff", "\u212a", "\x1c"]
DAMAGE = st.tuples(st.floats(0, 1), st.integers(0, 4), st.lists(st.sampled_from(PIECES), max_size=4).map("".join))


@given(st.sampled_from(list(CASES)), st.lists(DAMAGE, min_size=1, max_size=4))
@settings(max_examples=200)
def test_damaged_messages_are_judged_without_a_slip(name: str, damages: list[tuple[float, int, str]]) -> None:
    """Nothing raises, and of what goes on every value can be read and written again."""
    wire = CASES[name].wire
    for where, length, junk in damages:
        place = int(where * len(wire))
        wire = wire[:place] + junk.encode() + wire[place + length :]
    verdict = judge(wire, REGISTRAR)
    for message in (verdict.message, verdict.answer):
        if message is not None:
            assert parse_message(bytes(message)).headers.keys()
    if verdict.message is not None:
        read_everything(verdict.message)


def read_everything(message: Request | Response) -> None:
    for name in dir(Accessors):
        if not name.startswith("_"):
            getattr(message, name, None)
    headers = Headers([("To", str(message.to.with_parameter("tag", "x"))), ("From", str(message.from_))])
    for value in (*message.vias, *message.contacts, *message.routes, *message.record_routes, *message.reasons):
        headers.add("X", str(value))
