"""A browser sees and hears a door over a real engine, whoever of the two makes the offer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from meshdoor.errors import EngineError
from meshdoor.media.analysis import pitch, sound
from meshdoor.media.engine_client import Engine
from meshdoor.media.messages import Hello, StartLeg
from meshdoor.media.plans import Gates, IceRemote, VideoFormat
from meshdoor.media.reports import Event, FirstPacketSent, FirstSound, LegFailed
from meshdoor.media.suites import suites
from meshdoor.node import media_plan
from meshdoor.node.media_plan import PRESSED, Place, Streams
from tests.fakes.browser import RATE, Browser, Tone, browser
from tests.patience import until

Agree = Callable[[Engine, Browser, Tone | None], Awaitable[Streams]]

HOST, LEG = "127.0.0.1", "b1"
DOOR_TONE, BROWSER_TONE = 500, 900
HELLO = Hello("door", "Front", microphone=f"tone:{DOOR_TONE}", video=VideoFormat(320, 192, 30, 300_000))
EARLY = Gates(microphone=True)
TALK = Gates(microphone=True, speaker=True)
NOBODY = IceRemote("nobody", "p" * 22, "sha-256 " + "AB:" * 31 + "AB", (), controlling=True, client=False)


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Engine, list[Event]]]:
    events: list[Event] = []
    await asyncio.to_thread(suites)  # reads a file
    async with Engine(HELLO, events.append) as engine:
        await engine.prepare()
        await engine.wait_ready()
        yield engine, events


async def we_offer(engine: Engine, phone: Browser, microphone: Tone | None = None) -> Streams:
    opened = await engine.open_webrtc(LEG, [HOST])
    plan = media_plan.offer(HOST, opened)
    answer = await phone.answer(media_plan.offer_body(plan).decode(), microphone)
    return media_plan.agreed(plan, answer.encode(), HOST)


async def it_offers(engine: Engine, phone: Browser, microphone: Tone | None = None) -> Streams:
    opened = await engine.open_webrtc(LEG, [HOST])
    offer = (await phone.offer(microphone)).encode()
    answer, streams = media_plan.answer(offer, Place(HOST, opened, HOST), PRESSED)
    await phone.accept(answer.decode())
    return streams


def seen(phone: Browser) -> list[int]:
    return [number for number in phone.numbers if number is not None]


@pytest.mark.parametrize("agree", [we_offer, it_offers])
async def test_a_browser_sees_the_visitor_and_then_talks(agree: Agree) -> None:
    async with running() as (engine, events), browser() as phone:
        streams = await agree(engine, phone, Tone(BROWSER_TONE))
        await engine.start_leg(streams.start(LEG, EARLY))
        await until(lambda: len(phone.numbers) > 5)
        numbers = seen(phone)
        assert len(numbers) == len(phone.numbers)
        assert numbers == sorted(set(numbers))
        assert {event.media for event in events if isinstance(event, FirstPacketSent)} == {"audio", "video"}
        # Nobody has answered: what the browser says is dropped.
        await until(lambda: len(phone.sound) > RATE)
        assert not [event for event in events if isinstance(event, FirstSound)]
        await engine.gate(LEG, TALK)
        await until(lambda: [event for event in events if isinstance(event, FirstSound)])
        last = await engine.close_leg(LEG)
        assert last.audio.packets_received > 10
        assert last.audio.packets_refused == last.video.packets_refused == 0
        assert last.video.packets_lost == 0
    assert pitch(sound(phone.sound, RATE), RATE) == DOOR_TONE


async def test_what_a_browser_asks_for_reaches_the_encoder() -> None:
    async with running() as (engine, _), browser() as phone:
        streams = await we_offer(engine, phone)
        await engine.start_leg(streams.start(LEG, EARLY))
        await until(lambda: len(phone.numbers) > 2)
        made = (await engine.statistics()).key_frames
        await phone.want_key_frame()
        shown = len(phone.numbers)
        await until(lambda: len(phone.numbers) > shown + 15)
        statistics = await engine.statistics()
        assert statistics.key_frames == made + 1
        assert statistics.legs[0].video.key_frames_requested == 1


async def test_one_encoding_serves_all_browsers() -> None:
    async with running() as (engine, _), browser() as one, browser() as other:
        for leg, phone in (("b1", one), ("b2", other)):
            opened = await engine.open_webrtc(leg, [HOST])
            plan = media_plan.offer(HOST, opened)
            answer = await phone.answer(media_plan.offer_body(plan).decode())
            await engine.start_leg(media_plan.agreed(plan, answer.encode(), HOST).start(leg, EARLY))
        await until(lambda: len(one.numbers) > 10 and len(other.numbers) > 10)
        statistics = await engine.statistics()
        assert statistics.frames < 1.5 * max(len(one.numbers), len(other.numbers))
        keys = {leg.leg: leg.video.packets_sent for leg in statistics.legs}
        assert keys.keys() == {"b1", "b2"}


async def test_a_browser_that_leaves_is_noticed() -> None:
    async with running() as (engine, events), browser() as phone:
        await engine.start_leg((await we_offer(engine, phone)).start(LEG, EARLY))
        await until(lambda: phone.numbers)
        await phone.connection.close()
        await until(lambda: LegFailed(LEG, "the phone is gone") in events)
        await engine.close_leg(LEG)


async def test_another_plan_goes_on_where_it_was() -> None:
    async with running() as (engine, _), browser() as phone:
        streams = await we_offer(engine, phone)
        await engine.start_leg(streams.start(LEG, EARLY))
        await until(lambda: len(phone.numbers) > 2)
        await engine.start_leg(StartLeg(LEG, None, streams.video, EARLY))
        seen_before = len(phone.numbers)
        await until(lambda: len(phone.numbers) > seen_before + 5)


async def test_who_is_not_who_the_sdp_says_gets_nothing() -> None:
    async with running() as (engine, events), browser() as phone:
        streams = await we_offer(engine, phone)
        assert streams.ice is not None
        forged = streams._replace(ice=replace(streams.ice, fingerprint=NOBODY.fingerprint))
        await engine.start_leg(forged.start(LEG, EARLY))
        await until(lambda: [event for event in events if isinstance(event, LegFailed)])
        assert (await engine.statistics()).legs[0].video.packets_sent == 0


async def test_a_leg_may_be_closed_while_it_looks_for_its_browser() -> None:
    async with running() as (engine, events):
        opened = await engine.open_webrtc(LEG, [HOST])
        assert opened.ice is not None
        assert opened.audio_port == opened.video_port
        await engine.start_leg(StartLeg(LEG, ice=NOBODY))
        await engine.gate(LEG, TALK)
        await engine.close_leg(LEG)
        await engine.open_webrtc(LEG, [HOST])
        with pytest.raises(EngineError, match="by what it says of ICE"):
            await engine.start_leg(StartLeg(LEG))
        with pytest.raises(EngineError, match="is open already"):
            await engine.open_webrtc(LEG, [HOST])
        assert not [event for event in events if isinstance(event, LegFailed)]


async def test_who_does_not_wait_for_a_leg_leaves_none_behind() -> None:
    async with running() as (engine, _):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.0):
                await engine.open_webrtc(LEG, [HOST])
        await engine.open_webrtc(LEG, [HOST])
        opening = asyncio.create_task(engine.open_webrtc("b2", [HOST]))
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert [leg.leg for leg in (await engine.statistics()).legs] == [LEG]


async def test_addresses_that_are_none_of_ours() -> None:
    async with running() as (engine, _):
        with pytest.raises(EngineError, match=r"cannot use 192\.0\.2\.1"):
            await engine.open_webrtc(LEG, ["192.0.2.1"])
        with pytest.raises(EngineError, match="there is no leg"):
            await engine.close_leg(LEG)
