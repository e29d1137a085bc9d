"""Phones that are attached to a screen: rung from every door, calling doors, cut when they are revoked."""

from __future__ import annotations

from typing import Any

import pytest

from meshdoor.calls.hosts import host_of
from meshdoor.errors import AttachError, RemoteProtocolError
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.frames import State as Busy
from meshdoor.node import calls as module
from meshdoor.node.attachments import MAX_PHONES
from meshdoor.node.verbs import Verbs
from meshdoor.sip import events as sip
from meshdoor.sip.flow import Target
from meshdoor.sip.message import Response, parse_message
from meshdoor.sip.proxy import ASSERTED
from meshdoor.sip.stack import Stack
from meshdoor.sip.uri import SipUri
from meshdoor.transport.links import link_flow
from meshdoor.trust.roster import Member
from tests.node.attached import Phone, homes, sees, state
from tests.node.test_calls import Node, RunningEngine, busy
from tests.patience import until
from tests.sip.wire import OFFER
from tests.trust.house import DEVICES, key, revoke


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Engine", RunningEngine)


async def test_a_door_rings_a_phone_that_answers_and_ends_it() -> None:
    async with homes("Gate", "Hall", "Kitchen") as (gate, hall, kitchen):
        alice = Phone().attach(hall)
        await sees(gate, "Alice", "ready")
        said = gate.calls.ring()
        assert set(said["rings"]) == {"Hall", "Kitchen", "Alice"}
        assert {"name": "Bob", "why": "its page is not open"} in said["silent"]
        invite = await alice.rung()
        assert str(invite.request.uri) == f"sip:phone@{alice.host('Alice')}"
        assert invite.request.headers.get("Meshdoor-Press") == said["press"]
        await gate.tells("step", member="Alice", step="early")
        await sees(gate, "Alice", "ringing")
        hall.calls.attachments.shown(alice.key, invite.request.call_id)
        await gate.tells("step", member="Alice", step="first picture")
        alice.answer(invite)
        await gate.tells("step", member="Alice", step="answered")
        for screen in (hall, kitchen):
            await screen.tells("over", why="answered elsewhere")
        await sees(kitchen, "Alice", "in_call")
        assert len(alice.all(sip.Confirmed)) == 1
        alice.act(lambda now: invite.session.bye((), now))
        await gate.tells("over", why="answered")
        await sees(gate, "Alice", "ready")


async def test_the_door_ends_it() -> None:
    async with homes("Gate", "Hall") as (gate, hall):
        alice = Phone().attach(hall)
        await sees(gate, "Alice", "ready")
        gate.calls.ring()
        alice.answer(await alice.rung())
        await gate.tells("step", member="Alice", step="answered")
        gate.calls.hang_up()
        assert (await alice.one(sip.Ended)).remote


async def test_a_phone_that_declines_is_out_and_the_others_ring_on() -> None:
    async with homes("Gate", "Hall") as (gate, hall):
        alice = Phone().attach(hall)
        await sees(gate, "Alice", "ready")
        gate.calls.ring()
        invite = await alice.rung()
        alice.act(lambda now: invite.session.reject(603, now))
        await gate.tells("step", member="Alice", step="ended", detail="declined")
        assert busy(gate) is Busy.RINGING


async def test_two_phones_of_which_one_answers() -> None:
    async with homes("Gate", "Hall", "Kitchen") as (gate, hall, kitchen):
        alice, bob = Phone().attach(hall), Phone("Bob").attach(kitchen)
        for name in ("Alice", "Bob"):
            await sees(gate, name, "ready")
        gate.calls.ring()
        first, _ = await alice.rung(), await bob.rung()
        alice.answer(first)
        cancelled = await bob.one(sip.Cancelled)
        assert [(each.cause, each.text) for each in cancelled.reasons] == [(200, "Call completed elsewhere")]


async def test_messages_and_digits_pass_in_a_call() -> None:
    async with homes("Gate", "Hall") as (gate, hall):
        alice = Phone().attach(hall)
        await sees(gate, "Alice", "ready")
        gate.calls.ring()
        invite = await alice.rung()
        alice.answer(invite)
        await gate.tells("step", member="Alice", step="answered")
        alice.act(lambda now: invite.session.info(b"Signal=5\r\n", "application/dtmf-relay", now))
        await gate.tells("dtmf", digit="5")
        assert (await alice.one(sip.ResponseReceived)).response.status == 200
        talk = gate.calls.pressing.talks()[0]
        with gate.calls.endpoint.acting() as now:
            talk.session.request("MESSAGE", (("Content-Type", "text/plain"),), b"hello", now)
        assert (await alice.one(sip.RequestReceived)).request.body == b"hello"


async def test_a_phone_that_goes_while_it_rings_is_not_waited_for_and_rings_when_it_is_back() -> None:
    async with homes("Gate", "Hall") as (gate, hall):
        alice = Phone().attach(hall)
        await sees(gate, "Alice", "ready")
        gate.calls.ring()
        await alice.rung()
        await gate.tells("step", member="Alice", step="early")
        alice.leave()
        await gate.tells("step", member="Alice", step="ended", detail="lost")
        alice.attach(hall)
        await alice.one(sip.IncomingInvite, 2)


async def test_a_phone_that_appears_while_it_rings_rings_too() -> None:
    async with homes("Gate", "Hall") as (gate, hall):
        gate.calls.ring()
        await hall.tells("visitor")
        await Phone().attach(hall).rung()
        await gate.tells("step", member="Alice", step="early")


async def test_a_phone_that_is_gone_already_ends_its_branch_at_once() -> None:
    async with homes("Gate", "Hall") as (gate, hall):
        alice = Phone().attach(hall)
        await sees(gate, "Alice", "ready")
        hall.calls._sockets.detach(alice.key)  # before anybody was told
        gate.calls.ring()
        await gate.tells("step", member="Alice", step="ended")


async def test_a_talk_goes_on_when_the_phone_comes_back_at_once() -> None:
    async with homes("Gate", "Hall") as (gate, hall):
        alice = Phone().attach(hall)
        await sees(gate, "Alice", "ready")
        gate.calls.ring()
        invite = await alice.rung()
        alice.answer(invite)
        await gate.tells("step", member="Alice", step="answered")
        alice.attach(hall)
        await sees(gate, "Alice", "ready")
        gate.calls.hang_up()
        assert (await alice.one(sip.Ended)).remote


async def test_the_node_of_a_phone_is_lost() -> None:
    async with homes("Gate", "Hall") as (gate, hall):
        alice = Phone().attach(hall)
        await sees(gate, "Alice", "ready")
        gate.calls.ring()
        await alice.rung()
        await gate.tells("step", member="Alice", step="early")
        gate.house.links.cut(key("Hall"), "the cat")
        await gate.tells("step", member="Alice", step="ended")
        await sees(gate, "Alice", "unreachable")
        assert await gate.house.links.dial(key("Hall"), [Address("127.0.0.1", hall.house.links.port)])
        await alice.one(sip.IncomingInvite, 2)


async def test_a_phone_looks_through_a_door() -> None:
    async with homes("Gate", "Hall", "Kitchen") as (gate, hall, _):
        alice = Phone().attach(hall)
        session = alice.call(alice.host("Gate"), headers=((ASSERTED, f"<sip:phone@{alice.host('Bob')}>"),))
        await alice.one(sip.Answered)
        assert (await gate.tells("call", state="connected"))["with"] == "Alice"
        assert gate.told("monitored", by="Alice", on=True)
        await sees(gate, "Alice", "in_call")
        alice.act(lambda now: session.bye((), now))
        await gate.tells("call", state="ended")


async def test_whom_a_phone_cannot_call() -> None:
    async with homes("Hall") as (hall,):
        bob = Phone("Bob").attach(hall)
        bob.call(bob.host("Lock"))
        assert (await bob.one(sip.Rejected)).response.status == 403
        bob.call("nobody.example.org")
        assert (await bob.one(sip.Rejected, 2)).response.status == 404
        bob.call(bob.host("Kitchen"))
        assert (await bob.one(sip.Rejected, 3)).response.status == 480


async def test_a_phone_calls_by_name() -> None:
    async with homes("Gate", "Hall") as (gate, hall):
        Phone().attach(hall).call("192.168.1.5", user="gate")
        await gate.tells("call", state="connected")


async def test_a_screen_and_its_own_phone_call_each_other() -> None:
    async with homes("Hall", "Kitchen") as (hall, kitchen):
        alice = Phone().attach(hall)
        calling = alice.call(alice.host("Hall"))
        assert (await hall.tells("ring", on=True))["with"] == "Alice"
        hall.calls.answer(None, None)
        await alice.one(sip.Answered)
        alice.act(lambda now: calling.bye((), now))
        await hall.tells("call", state="ended")
        hall.calls.talking.call("Alice")
        alice.answer(await alice.one(sip.IncomingInvite))
        await hall.tells("call", state="connected")
        hall.calls.hang_up()
        await alice.one(sip.Ended, 2)
        await sees(kitchen, "Alice", "ready")
        kitchen.calls.talking.call("Alice")
        await alice.one(sip.IncomingInvite, 2)
        alice.leave()
        await kitchen.tells("call", state="ended")


@pytest.mark.parametrize("there", ["Hall", "Kitchen"])
async def test_phones_call_each_other(there: str) -> None:
    async with homes("Hall", "Kitchen") as (hall, kitchen):
        alice, bob = Phone().attach(hall), Phone("Bob").attach(hall if there == "Hall" else kitchen)
        await sees(hall, "Bob", "ready")
        calling = alice.call(alice.host("Bob"))
        invite = await bob.rung()
        assert invite.request.headers.get_all(ASSERTED) == [f"<sip:phone@{alice.host('Alice')}>"]
        bob.answer(invite)
        await alice.one(sip.Answered)
        alice.act(lambda now: calling.info(b"x", "application/dtmf", now))
        await bob.one(sip.RequestReceived)
        bob.act(lambda now: invite.session.bye((), now))
        assert (await alice.one(sip.Ended)).remote


async def asked(by: Node, of: str, host: str, asserted: str = "") -> int:
    """What an INVITE over the link from one node to another is answered."""
    flow = link_flow(by.house.membership.identity.key, key(of))
    headers = ((ASSERTED, f"<sip:phone@{asserted}>"),) if asserted else ()
    stack = Stack()  # as whoever took the node over might run it
    stack.invite(Target(SipUri("sip", "x", None, host), flow), OFFER, headers, 0.0)
    ((_, invite),) = stack.data_to_send()
    answers: list[Response] = []

    def take(node: bytes, data: bytes) -> None:
        answer = parse_message(data)
        assert isinstance(answer, Response)
        answers.append(answer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by.house, "on_sip", take)
        assert by.house.links.send_sip(key(of), invite)
        await until(lambda: answers)
    return answers[-1].status


async def test_forged_identities_and_ways_are_refused() -> None:
    async with homes("Gate", "Hall", "Kitchen") as (gate, hall, kitchen):
        alice = Phone().attach(hall)
        mine = host_of(key("Alice"))
        here, bob, door = (host_of(key(name)) for name in ("Hall", "Bob", "Gate"))
        assert await asked(gate, "Hall", here, asserted=mine) == 403
        assert await asked(gate, "Hall", mine, asserted=bob) == 403
        assert await asked(kitchen, "Hall", here, asserted=door) == 403
        assert await asked(gate, "Hall", host_of(key("Bob"))) == 430
        assert await asked(gate, "Hall", host_of(key("Kitchen"))) == 430
        assert await asked(gate, "Hall", "nobody.home.arpa") == 404
        assert alice.requests == []


async def test_a_revoked_phone_is_cut_everywhere_within_a_moment() -> None:
    async with homes("Gate", "Hall", "Kitchen") as (gate, hall, kitchen):
        alice = Phone().attach(hall)
        await sees(gate, "Alice", "ready")
        gate.calls.ring()
        alice.answer(await alice.rung())
        await gate.tells("step", member="Alice", step="answered")
        state(revoke("Alice"), kitchen)  # and the others hear of it over their links
        await gate.tells("over")
        await until(lambda: gate.fake.closed)
        assert [error.code for error in alice.cuts] == ["revoked"]
        assert alice.line is not None
        alice.line.received("OPTIONS sip:x SIP/2.0\r\n\r\n")  # which nobody hears
        with pytest.raises(AttachError, match="removed"):
            alice.attach(hall)


async def test_a_revoked_phone_looks_no_more_and_rings_no_more() -> None:
    async with homes("Gate", "Hall") as (gate, hall):
        alice, bob = Phone().attach(hall), Phone("Bob").attach(hall)
        bob.call(bob.host("Gate"))
        await gate.tells("call", state="connected")
        gate.calls.ring()
        await alice.rung()
        await gate.tells("step", member="Alice", step="early")
        state(revoke("Bob"), gate)
        await gate.tells("call", state="ended")
        await until(lambda: bob.cuts)
        assert alice.cuts == []


async def test_a_guest_whose_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async with homes("Gate", "Hall") as (gate, hall):
        alice = Phone().attach(hall)
        await sees(gate, "Alice", "ready")
        alice.call(alice.host("Gate"))
        await gate.tells("call", state="connected")
        monkeypatch.setattr(Member, "expired", lambda self, now: self.name == "Alice")
        for node in (gate, hall):
            node.calls.comings.dismiss()
        await gate.tells("call", state="ended")
        assert [error.code for error in alice.cuts] == ["expired"]
        await sees(gate, "Alice", "unreachable")


async def test_quiet_hours() -> None:
    async with homes("Gate", "Hall") as (gate, hall):
        alice = Phone().attach(hall)
        hall.calls.attachments.set_quiet(alice.key, True)
        await sees(gate, "Alice", "quiet")
        assert await asked(gate, "Hall", alice.host("Alice")) == 480
        said = gate.calls.ring()
        assert {"name": "Alice", "why": "quiet hours"} in said["silent"]
        assert alice.requests == []
        hall.calls.attachments.set_quiet(alice.key, False)
        await alice.rung()


async def test_a_phone_is_where_it_was_attached_last() -> None:
    async with homes("Gate", "Hall", "Kitchen") as (gate, hall, kitchen):
        alice = Phone().attach(hall)
        await sees(kitchen, "Alice", "ready")
        old = alice.line
        assert old is not None
        alice.attach(kitchen)
        await until(lambda: alice.cuts)
        assert [error.code for error in alice.cuts] == ["moved"]
        old.closed()
        await until(lambda: where(gate) == "Kitchen" == where(hall))
        gate.calls.ring()
        await alice.rung()


def where(node: Node) -> Any:
    document = Verbs(node.house, 0.0, 0).view()
    return next(peer.where and node.calls.name_of(peer.where) for peer in document.peers if peer.key == key("Alice"))


async def test_a_phone_that_attaches_anew_is_cut_where_it_was() -> None:
    async with homes("Hall") as (hall,):
        alice = Phone().attach(hall)
        old = alice.line
        assert old is not None
        alice.attach(hall)
        assert [error.code for error in alice.cuts] == ["moved"]
        old.closed()
        assert hall.calls.attachments.is_here(alice.key)
        alice.leave()
        assert not hall.calls.attachments.is_here(alice.key)


async def test_who_is_no_phone_is_not_attached() -> None:
    async with homes("Hall") as (hall,):
        for name in ("Kitchen", "Rogue"):
            with pytest.raises(AttachError, match="does not belong"):
                hall.calls.attachments.attach(DEVICES[name].key, lambda text: None, lambda error: None)


async def test_phones_of_a_node_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_PHONES == 64
    monkeypatch.setattr("meshdoor.node.attachments.MAX_PHONES", 1)
    async with homes("Hall") as (hall,):
        alice = Phone().attach(hall)
        with pytest.raises(AttachError, match="Too many"):
            Phone("Bob").attach(hall)
        alice.attach(hall)


ALICE = {"key": key("Alice").hex(), "state": "ready", "age": 0}


@pytest.mark.parametrize(
    "phones",
    [
        None,
        [ALICE] * 89,
        [5],
        [ALICE | {"key": "xx"}],
        [ALICE | {"key": 5}],
        [ALICE | {"state": "asleep"}],
        [ALICE | {"state": "unreachable"}],
        [ALICE | {"age": -1}],
        [ALICE | {"age": "old"}],
        [ALICE | {"age": 1e300}],
    ],
)
async def test_notes_that_make_no_sense(phones: Any) -> None:
    async with homes("Hall") as (hall,):
        with pytest.raises(RemoteProtocolError):
            hall.calls.attachments._noted(key("Kitchen"), {"about": "phones", "phones": phones})
        with pytest.raises(RemoteProtocolError, match="no screen"):
            hall.calls.attachments._noted(key("Gate"), {"about": "phones", "phones": [ALICE]})


async def test_a_note_about_who_is_no_phone_attaches_nobody() -> None:
    async with homes("Hall") as (hall,):
        said = [{"key": key(name).hex(), "state": "ready", "age": 0} for name in ("Gate", "Rogue", "Bob")]
        hall.calls.attachments._noted(key("Kitchen"), {"about": "phones", "phones": said})
        assert [name for name in ("Gate", "Rogue", "Bob") if hall.calls.attachments.is_here(key(name))] == ["Bob"]


async def test_garbage_of_a_phone_ends_nothing() -> None:
    async with homes("Hall") as (hall,):
        alice = Phone().attach(hall)
        assert alice.line is not None
        alice.line.received("garbage")
        alice.line.received("\r\n\r\n")
        with pytest.raises(RemoteProtocolError, match="too large"):
            alice.line.received("x" * 70000)
        assert hall.calls.attachments.is_here(alice.key)
