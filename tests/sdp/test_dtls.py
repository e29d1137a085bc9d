"""DTLS-SRTP without ICE."""

from __future__ import annotations

import pytest

from meshdoor.errors import SdpError
from meshdoor.sdp.answer import Answer, Capabilities, TrackCapability, answer_offer
from meshdoor.sdp.attributes import Fingerprint
from meshdoor.sdp.bundle import DTLS, DTLS_PROFILES, Setup
from meshdoor.sdp.codec import Codec
from meshdoor.sdp.description import SessionDescription
from meshdoor.sdp.dtls import Dtls
from meshdoor.sdp.negotiation import MediaPlan, TrackPlan
from meshdoor.sdp.offer import apply_answer, make_offer

OURS = Dtls(Fingerprint("sha-256", bytes(32)))
THEIRS = Dtls(Fingerprint("sha-256", bytes(range(32))), Setup.ACTIVE)
PLAN = MediaPlan(
    "192.168.1.20", (TrackPlan("audio", 40000, (Codec(0, "PCMU", 8000),), DTLS, rtcp_mux=True, dtls=OURS),), 7
)


def answer(*lines: str, session: str = "") -> SessionDescription:
    """What a client without BUNDLE, ICE and rtcp-mux says."""
    text = f"v=0\r\no=- 1 1 IN IP4 10.0.0.3\r\ns=-\r\nc=IN IP4 10.0.0.3\r\nt=0 0\r\n{session}m=audio 7078 {DTLS} 0\r\n"
    return SessionDescription.parse((text + "".join(f"{line}\r\n" for line in lines)).encode())


def test_an_offer_says_the_fingerprint_of_each_medium_and_nothing_of_ice() -> None:
    offer = make_offer(PLAN)
    assert Dtls.of(offer, offer.media[0]) == OURS
    assert offer.session.attribute("group") is None
    assert offer.media[0].attribute("ice-ufrag") is None


@pytest.mark.parametrize("of_session", [False, True])
def test_the_answer_says_who_opens_the_association(of_session: bool) -> None:
    lines = [f"a=fingerprint:{THEIRS.fingerprint}", "a=setup:active"]
    said = answer(session="".join(f"{line}\r\n" for line in lines)) if of_session else answer(*lines)
    (track,) = apply_answer(PLAN, said)
    assert track is not None
    assert (track.local_dtls, track.remote_dtls) == (OURS, THEIRS)
    assert track.remote_bundle is None
    assert (track.port, track.rtcp_port, track.rtcp_mux) == (7078, 7079, False)


@pytest.mark.parametrize("missing", [0, 1])
def test_without_a_fingerprint_or_a_part_there_are_no_keys(missing: int) -> None:
    lines = [f"a=fingerprint:{THEIRS.fingerprint}", "a=setup:active"]
    del lines[missing]
    with pytest.raises(SdpError):
        apply_answer(PLAN, answer(*lines))


def test_the_part_may_change() -> None:
    assert THEIRS.with_setup(Setup.PASSIVE) == Dtls(THEIRS.fingerprint, Setup.PASSIVE)


def answered(profile: str = DTLS, setup: str = "actpass", ours: Dtls | None = OURS, plain: bool = True) -> Answer:
    """What comes of an offer of sound and pictures that names a group, as some do who have no other transport."""
    told = f"a=fingerprint:{THEIRS.fingerprint}\r\na=setup:{setup}\r\n"
    text = "v=0\r\no=- 1 1 IN IP4 10.0.0.3\r\ns=-\r\nc=IN IP4 10.0.0.3\r\nt=0 0\r\na=group:BUNDLE a\r\n"
    text += f"m=audio 7078 {profile} 0\r\na=mid:a\r\n{told}m=video 9078 {profile} 96\r\na=rtpmap:96 VP8/90000\r\n{told}"
    sound = TrackCapability("audio", 40000, (Codec(0, "PCMU", 8000),), plain=plain, dtls=ours)
    pictures = TrackCapability("video", 40002, (Codec(97, "VP8", 90000),), plain=plain, dtls=ours)
    able = Capabilities("192.168.1.20", (sound, pictures), 7)
    return answer_offer(SessionDescription.parse(text.encode()), able)


@pytest.mark.parametrize("profile", sorted(DTLS_PROFILES))
def test_each_medium_of_an_offer_is_answered_by_itself(profile: str) -> None:
    made = answered(profile)
    said = made.description
    assert [media.profile for media in said.media] == [profile] * 2
    assert [media.port for media in said.media] == [40000, 40002]
    assert [Dtls.of(said, media) for media in said.media] == [OURS.with_setup(Setup.ACTIVE)] * 2
    assert said.session.attribute("group") is None
    for track in made.tracks:
        assert track is not None
        assert (track.local_dtls, track.remote_dtls) == (
            OURS.with_setup(Setup.ACTIVE),
            THEIRS.with_setup(Setup.ACTPASS),
        )
        assert track.local_crypto is None


def test_who_had_a_part_keeps_it() -> None:
    (sound, _) = answered(ours=OURS.with_setup(Setup.PASSIVE)).tracks
    assert sound is not None
    assert sound.local_dtls == OURS.with_setup(Setup.PASSIVE)


def test_nobody_opens_an_association_on_hold() -> None:
    assert answered(setup="holdconn").is_empty


@pytest.mark.parametrize("profile", ["RTP/AVP", "RTP/SAVP"])
def test_a_leg_of_dtls_does_nothing_else(profile: str) -> None:
    assert answered(profile).is_empty


@pytest.mark.parametrize("profile", sorted(DTLS_PROFILES))
def test_another_leg_does_no_dtls(profile: str) -> None:
    assert answered(profile, ours=None).is_empty
