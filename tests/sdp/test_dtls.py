"""DTLS-SRTP without ICE."""

from __future__ import annotations

import pytest

from meshdoor.errors import SdpError
from meshdoor.sdp.attributes import Fingerprint
from meshdoor.sdp.bundle import DTLS, Setup
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
