"""What is offered and answered where media are sent on."""

from __future__ import annotations

import pytest

from meshdoor.calls.clients import Client, Keying
from meshdoor.errors import SdpError
from meshdoor.media.reports import LegOpened
from meshdoor.node import media_plan
from meshdoor.node.media_plan import NOTHING, Place, Streams
from meshdoor.node.relay_plan import able_of, answer_station, narrowed, offer_station
from meshdoor.sdp.attributes import Direction
from meshdoor.sdp.description import SessionDescription

OPENED = LegOpened(4000, 4002, 1, 2)
PLACE = Place("192.168.1.2", OPENED, "192.168.1.40")
OFFER = b"""v=0
o=- 1 1 IN IP4 192.168.1.40
s=-
c=IN IP4 192.168.1.40
t=0 0
m=audio 7000 RTP/AVP 8 0 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
m=video 7002 RTP/AVP 99
a=rtpmap:99 H264/90000
a=fmtp:99 profile-level-id=640028;packetization-mode=0;sprop-parameter-sets=Z0LAHw==,aM4xUg==
a=sendrecv
""".replace(b"\n", b"\r\n")


def rung(offer: bytes = OFFER) -> Streams:
    return answer_station(offer, PLACE, plain=True)[1]


def test_a_station_chooses_the_codecs() -> None:
    body, streams = answer_station(OFFER, PLACE, plain=True)
    assert streams.audio is not None
    assert (streams.audio.codec, streams.audio.payload_type, streams.audio.dtmf_payload_type) == ("PCMA", 8, 101)
    assert streams.video is not None
    assert (streams.video.codec, streams.video.direction) == ("H264", "recvonly")
    assert "sprop-parameter-sets=Z0LAHw==" in streams.video.fmtp
    assert b"m=audio 4000 RTP/AVP 8 101" in body


def test_one_that_must_encrypt_may_not_speak_in_the_clear() -> None:
    with pytest.raises(SdpError):
        answer_station(OFFER, PLACE, plain=False)


def test_branches_are_offered_what_comes_and_nothing_else() -> None:
    plan = narrowed(media_plan.offer("192.168.1.2", OPENED), rung())
    sound, pictures = plan.tracks
    assert [codec.name for codec in sound.codecs] == ["PCMA", "telephone-event"]
    assert [codec.name for codec in pictures.codecs] == ["H264"]
    assert (sound.direction, pictures.direction) == (Direction.SENDRECV, Direction.SENDONLY)


def test_a_panel_without_a_camera_sends_sound_alone() -> None:
    streams = rung(OFFER[: OFFER.index(b"m=video")])
    assert streams.video is None
    sound, pictures = narrowed(media_plan.offer("192.168.1.2", OPENED), streams).tracks
    assert (sound.direction, pictures.direction) == (Direction.SENDRECV, Direction.INACTIVE)
    assert able_of(streams).video == ()
    assert able_of(NOTHING) == ((), (), False)


def test_a_station_may_know_pictures_without_fragments_only() -> None:
    plan = offer_station(PLACE, Client(Keying.PLAIN, "192.168.1.40"))
    _, pictures = plan.tracks
    assert [codec.packetization_mode for codec in pictures.codecs] == [1, 0]
    assert (pictures.direction, pictures.profile) == (Direction.RECVONLY, "RTP/AVP")


def test_who_looks_is_answered_with_what_comes() -> None:
    offer = media_plan.offer_body(media_plan.offer("192.168.1.3", OPENED, media_plan.RUNG))
    body, streams = media_plan.answer(offer, PLACE, media_plan.PRESSED, b"", able_of(rung()))
    assert streams.audio is not None
    assert (streams.audio.codec, streams.video is not None) == ("PCMA", True)
    assert len(SessionDescription.parse(body).media) == 2
