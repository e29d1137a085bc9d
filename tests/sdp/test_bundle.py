"""The one transport of WebRTC in SDP, with offers as browsers make them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshdoor.errors import SdpError
from meshdoor.sdp.answer import Answer, Capabilities, TrackCapability, answer_offer
from meshdoor.sdp.attributes import Direction, Fingerprint
from meshdoor.sdp.bundle import DTLS, MAX_CANDIDATE, MAX_CANDIDATES, Bundle, Setup, bundled, candidates_of
from meshdoor.sdp.codec import Codec
from meshdoor.sdp.description import Line, Media, SessionDescription
from meshdoor.sdp.negotiation import SAVPF, MediaPlan, Track, TrackPlan
from meshdoor.sdp.offer import apply_answer, make_offer
from tests.sdp.samples import CHROMIUM, FINGERPRINT
from tests.sdp.test_offer_answer import H264, OPUS, SCREEN, VP8, changed, wire

HOST = "1 1 udp 2130706431 192.168.1.20 40000 typ host"
SECOND = "2 1 UDP 2130706175 fd00::7 40002 typ host raddr :: rport 9"
OURS = Bundle("door", "p" * 22, Fingerprint.parse(FINGERPRINT), candidates=(HOST, SECOND))
THEIRS = Bundle("page", "q" * 24, Fingerprint("sha-256", bytes(range(32))), candidates=(HOST,))
SOUND = TrackPlan("audio", 40000, (OPUS,), DTLS, rtcp_mux=True, bundle=OURS, mid="0", ssrc=7)
PICTURES = replace(SOUND, kind="video", codecs=(H264, VP8), direction=Direction.SENDONLY, mid="1", ssrc=8)
PLAN = MediaPlan("192.168.1.20", (SOUND, PICTURES), 1)
DOOR = Capabilities(
    "192.168.1.20",
    (
        TrackCapability("audio", 40000, (OPUS,), plain=False, bundle=OURS, ssrc=7),
        TrackCapability("video", 40000, (H264, VP8), (), False, Direction.SENDONLY, bundle=OURS, ssrc=8),
    ),
    2,
)


def browser() -> SessionDescription:
    return SessionDescription.parse(CHROMIUM.encode())


def without(description: SessionDescription, text: str) -> SessionDescription:
    return changed(description, text + "\r\n", "")


def tracks(answer: Answer) -> list[Track]:
    return [track for track in answer.tracks if track is not None]


def medium(*attributes: str) -> Media:
    return Media.of((Line("m", f"audio 9 {DTLS} 0"), *(Line("a", each) for each in attributes)))


def test_an_offer_to_a_browser_as_written() -> None:
    plan = MediaPlan("192.168.1.20", (replace(SOUND, codecs=(Codec(0, "PCMU", 8000),)), PICTURES), 1)
    text = str(make_offer(plan))
    assert text.startswith(
        "v=0\r\no=- 1 1 IN IP4 192.168.1.20\r\ns=-\r\nc=IN IP4 192.168.1.20\r\nt=0 0\r\n"
        "a=group:BUNDLE 0 1\r\na=msid-semantic:WMS meshdoor\r\n"
        "m=audio 40000 UDP/TLS/RTP/SAVPF 0\r\na=rtpmap:0 PCMU/8000\r\na=rtcp-mux\r\na=mid:0\r\n"
        f"a=ice-ufrag:door\r\na=ice-pwd:{'p' * 22}\r\na=fingerprint:{FINGERPRINT}\r\na=setup:actpass\r\n"
        f"a=candidate:{HOST}\r\na=candidate:{SECOND}\r\na=end-of-candidates\r\n"
        "a=msid:meshdoor audio\r\na=ssrc:7 cname:meshdoor\r\na=sendrecv\r\nm=video"
    )
    assert text.count("a=candidate:") == 2
    assert text.count("a=ice-pwd:") == 2


def test_what_we_send_keeps_its_source_while_it_is_held() -> None:
    sound, pictures = (replace(each, direction=Direction.INACTIVE) for each in PLAN.tracks)
    held = wire(make_offer(PLAN.again(sound, pictures)))
    assert [media.attribute("ssrc") for media in held.media] == ["7 cname:meshdoor", "8 cname:meshdoor"]


def test_what_is_said_of_a_transport_is_understood() -> None:
    description = wire(make_offer(PLAN))
    first, second = description.media
    assert Bundle.of(description, first) == OURS
    assert Bundle.of(description, second) == replace(OURS, candidates=())
    assert bundled(description) == {"0", "1"}
    assert "pppp" not in repr(OURS)


def test_both_ends_of_a_press_agree() -> None:
    screen = replace(DOOR, tracks=tuple(replace(each, bundle=THEIRS) for each in DOOR.tracks))
    page = replace(screen.tracks[1], direction=Direction.RECVONLY, ssrc=None)
    answer = answer_offer(wire(make_offer(PLAN)), replace(screen, tracks=(screen.tracks[0], page)))
    sound, pictures = apply_answer(PLAN, wire(answer.description))
    assert sound is not None
    assert pictures is not None
    assert pictures.direction is Direction.SENDONLY
    assert (sound.local_bundle, sound.remote_bundle) == (OURS, THEIRS.with_setup(Setup.ACTIVE))
    assert pictures.remote_bundle == replace(THEIRS, candidates=(), setup=Setup.ACTIVE)
    assert (sound.local_crypto, sound.remote_crypto, sound.rtcp_mux) == (None, None, True)
    theirs = tracks(answer)
    assert [track.local_bundle for track in theirs] == [THEIRS.with_setup(Setup.ACTIVE)] * 2
    assert theirs[0].remote_bundle == OURS


def test_the_offer_of_a_browser() -> None:
    answer = answer_offer(browser(), DOOR)
    sound, pictures = tracks(answer)
    assert answer.tracks[2] is None
    assert (sound.send.name, sound.send.payload_type, sound.direction) == ("opus", 111, Direction.SENDRECV)
    assert (pictures.send.name, pictures.send.packetization_mode) == ("H264", 1)
    assert pictures.direction is Direction.SENDONLY
    assert sound.remote_bundle is not None
    assert sound.remote_bundle.candidates == (
        "2270 1 udp 2122260223 c0ffee00-1111-4222-8333-444455556666.local 51234 typ host generation 0",
    )
    text = str(answer.description)
    assert "a=group:BUNDLE 0 1\r\n" in text
    assert text.count("a=setup:active\r\n") == 2
    assert "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n" in text


def test_a_browser_without_h264_is_sent_vp8() -> None:
    answer = answer_offer(changed(browser(), "H264/90000", "AV1/90000"), DOOR)
    assert tracks(answer)[1].send.name == "VP8"


def test_what_is_bundled_may_have_no_port_of_its_own() -> None:
    bundle_only = changed(browser(), "m=video 9 ", "m=video 0 ")
    assert len(tracks(answer_offer(bundle_only, DOOR))) == 2
    assert tracks(answer_offer(changed(bundle_only, "m=audio 9 ", "m=audio 0 "), DOOR))[0].kind == "video"


def test_what_has_a_transport_of_its_own_is_rejected() -> None:
    answer = answer_offer(changed(browser(), "a=group:BUNDLE 0 1 2", "a=group:LS 0 1"), DOOR)
    assert [track.kind for track in tracks(answer)] == ["audio"]
    unnamed = without(without(browser(), "a=group:BUNDLE 0 1 2"), "a=mid:0")
    assert "group:BUNDLE" not in str(answer_offer(unnamed, DOOR).description)


def test_webrtc_is_answered_on_a_leg_for_it_and_nothing_else_is() -> None:
    assert answer_offer(browser(), SCREEN).is_empty
    plain = MediaPlan("10.0.0.1", (replace(SOUND, profile="RTP/AVP", bundle=None, mid=None),), 1)
    assert answer_offer(make_offer(plain), DOOR).is_empty
    assert DTLS != SAVPF


@pytest.mark.parametrize(
    ("offered", "kept", "answer"),
    [
        ("actpass", "actpass", "active"),
        ("actpass", "active", "active"),
        ("actpass", "passive", "passive"),
        ("active", "active", "passive"),
        ("passive", "actpass", "active"),
        ("holdconn", "actpass", "holdconn"),
    ],
)
def test_who_opens_dtls(offered: str, kept: str, answer: str) -> None:
    assert Setup.parse(offered.upper()).answer(Setup(kept)) is Setup(answer)


def test_a_transport_on_hold_is_of_no_use() -> None:
    assert answer_offer(changed(browser(), "a=setup:actpass", "a=setup:holdconn"), DOOR).is_empty


def test_a_session_may_speak_for_its_media() -> None:
    said = (f"fingerprint:{FINGERPRINT}", "ice-ufrag:abcd", f"ice-pwd:{'x' * 22}", "setup:passive", "ice-lite")
    lines = ("v=0", "o=- 1 1 IN IP4 10.0.0.1", "s=-", "c=IN IP4 10.0.0.1", "t=0 0", *(f"a={each}" for each in said))
    description = SessionDescription.parse("\r\n".join((*lines, f"m=audio 9 {DTLS} 0", "")).encode())
    bundle = Bundle.of(description, description.media[0])
    assert (bundle.ufrag, bundle.setup, bundle.lite) == ("abcd", Setup.PASSIVE, True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=ice-ufrag:9uB6\r\n", ""),
        ("a=ice-ufrag:9uB6", "a=ice-ufrag:9"),
        ("Fviy6338Vbrhrlp8Yh1h", "Fviy 338Vbrhrlp8Yh1h"),
        ("a=setup:actpass", "a=setup:both"),
        (FINGERPRINT, "sha-1 " + "5A" * 20),
        (FINGERPRINT, "sha-256 5A"),
        (FINGERPRINT, "sha-256 zz"),
    ],
)
def test_a_transport_that_breaks_the_grammar(old: str, new: str) -> None:
    with pytest.raises(SdpError):
        answer_offer(changed(browser(), old, new), DOOR)


def test_the_best_fingerprint_is_the_one_that_is_checked() -> None:
    two = changed(browser(), FINGERPRINT, f"sha-512 {'11' * 64}\r\na=fingerprint:{FINGERPRINT}")
    assert Bundle.of(two, two.media[0]).fingerprint == Fingerprint.parse(FINGERPRINT)


@pytest.mark.parametrize(
    "candidate",
    [
        "1 2 udp 1 10.0.0.1 4000 typ host",  # RTCP alone
        "1 1 tcp 1 10.0.0.1 4000 typ host tcptype active",
        "1 1 udp 1 10.0.0.1 4000",
        "1 1 udp 1 fe80::1%eth0 4000 typ host",
        "1 1 udp x 10.0.0.1 4000 typ host",
        "1 1 udp 1 10.0.0.1 65536 typ host",
        "1 1 udp 1 10.0.0.1 0 typ host",
        "1 1 udp 1 10.0.0.1 4000 typ host " + "x" * MAX_CANDIDATE,
    ],
)
def test_candidates_that_are_of_no_use(candidate: str) -> None:
    assert candidates_of(medium(f"candidate:{candidate}", f"candidate:{HOST}")) == (HOST,)


def test_candidates_are_bounded() -> None:
    assert len(candidates_of(medium(*[f"candidate:{HOST}"] * 500))) == MAX_CANDIDATES
