"""SIP clients that were adopted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from meshdoor.calls.clients import Keying
from meshdoor.errors import NotFound, Refused, UserError
from meshdoor.node import adopted as module
from meshdoor.node.adopted import Adopted
from meshdoor.sdp.description import SessionDescription
from meshdoor.sip import events as sip
from meshdoor.sip.flow import Flow
from meshdoor.sip.uri import SipUri
from tests.node.clients import HOST, Here, Phone, engines, here
from tests.patience import until

__all__ = ["engines"]


@pytest.mark.parametrize("transport", ["TCP", "UDP"])
async def test_an_adopted_client_rings_with_the_house_and_talks(transport: str) -> None:
    async with here(transport) as home:
        said = await home.adopt()
        assert said["joined"] == "Tablet"
        assert said["product"] == ""
        assert transport in said["warning"]
        await home.reached()
        invite = await home.press()
        assert invite.request.from_.display == "Gate"
        assert "Meshdoor-Press" not in invite.request.headers
        offer = SessionDescription.parse(invite.request.body)
        assert [media.profile for media in offer.media] == ["RTP/SAVP"] * 2
        assert home.row().state == "ringing"
        home.phone.accept(invite)
        await home.hall.tells("over", why="answered elsewhere")
        await until(lambda: home.row().state == "in_call")
        with home.phone.endpoint.acting() as now:
            invite.session.bye((), now)
        await home.gate.tells("over", why="answered")
        await until(lambda: home.row().state == "ready")


async def test_who_answers_elsewhere_is_told_to_the_client() -> None:
    async with here() as home:
        await home.adopt()
        await home.reached()
        await home.press()
        home.hall.calls.answer(None, None)
        cancelled = await home.phone.one(sip.Cancelled)
        assert str(cancelled.reasons[0]) == 'SIP;cause=200;text="Call completed elsewhere"'


async def test_a_client_declines_for_itself() -> None:
    async with here() as home:
        await home.adopt()
        await home.reached()
        invite = await home.press()
        with home.phone.endpoint.acting() as now:
            invite.session.reject(603, now)
        await home.gate.tells("step", member="Tablet", step="ended", detail="declined")
        assert not home.hall.told("over")


@asynccontextmanager
async def previewing() -> AsyncIterator[tuple[Here, sip.IncomingInvite]]:
    """A client that answers by itself shows the visitor, and the hall rings."""
    async with here() as home:
        await home.adopt(preview=True)
        await home.reached()
        home.gate.calls.ring()
        invite = await home.phone.one(sip.IncomingInvite)
        home.phone.accept(invite)
        await home.phone.one(sip.Confirmed)
        await home.gate.tells("step", member="Tablet", step="early")
        await home.hall.tells("visitor")
        assert home.row().state == "ringing"
        assert not home.gate.told("step", step="answered")
        yield home, invite


async def ask_for_sound(home: Here, invite: sip.IncomingInvite) -> None:
    said = SessionDescription.parse(invite.session.local_body)
    assert said.media[0].attribute("recvonly") is not None
    with home.phone.endpoint.acting() as now:
        invite.session.reinvite(invite.session.local_body.replace(b"a=recvonly", b"a=sendrecv"), now)
    again = SessionDescription.parse((await home.phone.one(sip.AnswerReceived)).body)
    assert again.media[0].attribute("recvonly") is None


async def test_a_preview_is_no_answer_and_who_asks_for_sound_has_answered() -> None:
    async with previewing() as (home, invite):
        await ask_for_sound(home, invite)
        await home.hall.tells("over", why="answered elsewhere")
        await home.gate.tells("step", member="Tablet", step="answered")
        await until(lambda: home.row().state == "in_call")
        with home.phone.endpoint.acting() as now:
            invite.session.bye((), now)
        await home.gate.tells("over", why="answered")


async def test_a_preview_ends_when_somebody_else_answers() -> None:
    async with previewing() as (home, _):
        home.hall.calls.answer(None, None)
        ended = await home.phone.one(sip.Ended)
        assert str(ended.reasons[0]) == 'SIP;cause=200;text="Call completed elsewhere"'
        await home.gate.tells("step", member="Tablet", step="ended", detail="answered elsewhere")
        home.gate.calls.hang_up()
        await home.gate.tells("over", why="answered")
        await until(lambda: home.row().state == "ready")


async def test_a_preview_ends_with_the_visitor() -> None:
    async with previewing() as (home, _):
        home.gate.calls.hang_up()
        await home.phone.one(sip.Ended)
        await home.gate.tells("over", why="cancelled")


async def test_who_closes_a_preview_declines_for_itself() -> None:
    async with previewing() as (home, invite):
        with home.phone.endpoint.acting() as now:
            invite.session.bye((), now)
        await home.gate.tells("step", member="Tablet", step="ended", detail="declined")
        assert not home.hall.told("over")
        assert not home.gate.told("over")


async def test_another_offer_that_wants_no_sound_is_no_answer() -> None:
    async with previewing() as (home, invite):
        with home.phone.endpoint.acting() as now:
            invite.session.reinvite(invite.session.local_body, now)
        await home.phone.one(sip.AnswerReceived)
        assert home.row().state == "ringing"
        assert not home.gate.told("step", step="answered")


async def test_requests_in_a_call_are_carried() -> None:
    async with here() as home:
        invite = await home.talking()
        with home.phone.endpoint.acting() as now:
            invite.session.info(b"Signal=5\r\nDuration=160\r\n", "application/dtmf-relay", now)
        assert (await home.phone.one(sip.ResponseReceived)).response.status == 200
        assert (await home.gate.tells("dtmf"))["from"] == "Tablet"
        with home.phone.endpoint.acting() as now:
            invite.session.request("OPTIONS", (), b"", now)
        await until(lambda: len(home.phone.all(sip.ResponseReceived)) == 2)
        assert home.phone.all(sip.ResponseReceived)[-1].response.status == 405


async def test_another_offer_in_a_call_is_carried_and_so_is_its_answer() -> None:
    async with here() as home:
        invite = await home.talking()
        said = SessionDescription.parse(invite.session.local_body)
        with home.phone.endpoint.acting() as now:
            invite.session.reinvite(invite.session.local_body.replace(b"a=sendrecv", b"a=recvonly"), now)
        again = SessionDescription.parse((await home.phone.one(sip.AnswerReceived)).body)
        assert again.media[0].attribute("sendonly") is not None
        assert said.media[0].port == 40000
        with home.phone.endpoint.acting() as now:
            invite.session.reinvite(invite.session.local_body.replace(b"RTP/SAVP", b"RTP/AVP"), now)
        assert (await home.phone.one(sip.OfferRejected)).response.status == 488


async def test_a_client_whose_connection_breaks_while_it_rings_is_lost() -> None:
    async with here() as home:
        await home.adopt()
        await home.reached()
        await home.press()
        await home.phone.transport.aclose()
        await home.gate.tells("step", member="Tablet", step="ended")
        assert not home.gate.told("over")


async def test_the_visitor_leaves() -> None:
    async with here() as home:
        await home.adopt()
        await home.reached()
        await home.press()
        home.gate.calls.hang_up()
        assert (await home.phone.one(sip.Cancelled)).reasons == ()


async def test_a_revoked_client_is_cut_off_and_forgotten() -> None:
    async with here() as home:
        await home.talking()
        home.desk.revoke("Tablet")
        await home.phone.one(sip.Ended)
        await until(lambda: home.row() is None)


async def test_a_client_that_does_not_answer_is_adopted_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    monkeypatch.setattr(module, "WHILE_AWAY", 0.05)
    monkeypatch.setattr(module, "WHILE_THERE", 0.05)
    async with here() as home:
        port = home.phone.transport.port
        await home.phone.endpoint.__aexit__(None, None, None)
        uri = f"sip:tablet@{HOST}:{port};transport=tcp"
        assert (await home.adopt(uri))["product"] is None
        assert home.row().state == "unreachable"
        async with Phone("TCP", port=port).endpoint:
            await home.reached()
        await until(lambda: home.row().state == "unreachable")


async def test_what_is_kept_is_found_again() -> None:
    async with here() as home:
        said = await home.adopt(transport="tcp", media="dtls")
        (kept,) = home.saved[-1].values()
        assert kept == {"uri": said["uri"], "media": "dtls"}
        damaged = home.saved[-1] | {"xx": kept, "ab" * 32: {"uri": "tel:5"}, "cd" * 32: 5}
        again = Adopted(home.hall.house, home.hall.calls, damaged, home.saved.append)
        with pytest.raises(Refused, match="is at"):
            await again.adopt(home.desk, module.Place(SipUri.parse(said["uri"]), Keying.DTLS), "Twin")


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"uri": "kitchen"}, UserError),
        ({"media": "zrtp"}, UserError),
        ({"transport": "pigeon"}, UserError),
        ({"name": "Hall"}, Refused),
        ({"uri": f"sips:tablet@{HOST}:1"}, NotFound),
    ],
)
async def test_what_cannot_be_adopted(wrong: dict[str, str], expected: type[UserError]) -> None:
    async with here() as home:
        with pytest.raises(expected):
            await home.adopt(**wrong)
        assert not home.saved


async def test_the_address_of_a_client_gets_what_it_is_due() -> None:
    async with here("UDP") as home:
        way = Flow("UDP", (HOST, 5060), (HOST, 9))
        assert not home.hall.calls.endpoint.proven(way)
        await home.adopt()
        await home.reached()
        assert home.hall.calls.endpoint.proven(way)
        assert not home.hall.calls.endpoint.proven(replace(way, remote=("127.0.0.2", 9)))


async def test_a_secret_has_a_user_and_a_user_one_secret() -> None:
    async with here() as home:
        with pytest.raises(UserError, match="user name"):
            await home.adopt(f"sip:{HOST}:9;transport=tcp", digest=True)
        made = await home.adopt(digest=True)
        assert made["user"] == "tablet"
        assert len(made["secret"]) > 20
        with pytest.raises(Refused, match="an account tablet already"):
            await home.adopt(f"sip:tablet@{HOST}:9;transport=tcp", name="Twin", digest=True)
        assert made["secret"] not in str(home.saved)
