from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import SdpError
from meshdoor.sdp.answer import Answer, Capabilities, TrackCapability, answer_offer
from meshdoor.sdp.attributes import Direction
from meshdoor.sdp.codec import Codec
from meshdoor.sdp.crypto import Crypto
from meshdoor.sdp.description import SessionDescription
from meshdoor.sdp.negotiation import AVP, AVPF, SAVP, SAVPF, MediaPlan, Track, TrackPlan
from meshdoor.sdp.offer import apply_answer, make_offer
from tests.sdp.samples import BARESIP, LINPHONE

CM, GCM = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"
OPUS, PCMU = Codec(96, "opus", 48_000, 2, "useinbandfec=1"), Codec(0, "PCMU", 8000)
EVENT_48, EVENT_8 = (Codec(number, "telephone-event", rate, 1, "0-15") for number, rate in ((101, 48_000), (102, 8000)))
H264 = Codec(97, "H264", 90_000, 1, "profile-level-id=42e01f;packetization-mode=1", ("nack", "nack pli", "ccm fir"))
H264_MODE_0 = replace(H264, payload_type=98, parameters="profile-level-id=42e01f")
VP8 = Codec(99, "VP8", 90_000)
AUDIO = TrackPlan("audio", 4000, (OPUS, PCMU, EVENT_48, EVENT_8), ptime=20)
VIDEO = TrackPlan("video", 4002, (H264,), direction=Direction.SENDONLY, rtcp_mux=True)
SCREEN = Capabilities(
    "10.0.0.2",
    (
        TrackCapability("audio", 5000, (PCMU, OPUS, EVENT_8, EVENT_48), (GCM, CM)),
        TrackCapability("video", 5002, (H264, H264_MODE_0, VP8), (GCM, CM), direction=Direction.RECVONLY),
    ),
    session_id=2,
)


def plan(*tracks: TrackPlan) -> MediaPlan:
    return MediaPlan("10.0.0.1", tracks, session_id=1)


def secured(track: TrackPlan, profile: str = SAVP) -> TrackPlan:
    cryptos = tuple(Crypto.generate(tag, suite) for tag, suite in ((1, GCM), (2, CM)))
    return replace(track, profile=profile, cryptos=cryptos)


def wire(description: SessionDescription) -> SessionDescription:
    return SessionDescription.parse(bytes(description))


def changed(description: SessionDescription, old: str, new: str) -> SessionDescription:
    text = str(description)
    assert old in text
    return SessionDescription.parse(text.replace(old, new).encode())


def agree(
    planned: MediaPlan, capabilities: Capabilities = SCREEN
) -> tuple[tuple[Track | None, ...], tuple[Track | None, ...]]:
    """What offerer and answerer make of it."""
    answer = answer_offer(wire(make_offer(planned)), capabilities)
    return apply_answer(planned, wire(answer.description)), answer.tracks


def answered(text: str, capabilities: Capabilities = SCREEN) -> Answer:
    return answer_offer(SessionDescription.parse(text.encode()), capabilities)


def only(tracks: tuple[Track | None, ...]) -> Track:
    (track,) = tracks
    assert track is not None
    return track


def test_both_sides_agree_on_the_press() -> None:
    (door_audio, door_video), (audio, video) = agree(plan(secured(AUDIO), secured(VIDEO)))
    assert door_audio is not None
    assert door_video is not None
    assert audio is not None
    assert video is not None
    assert (door_audio.send.name, audio.send.name) == ("opus", "opus")
    assert (door_video.direction, video.direction) == (Direction.SENDONLY, Direction.RECVONLY)
    assert (door_audio.direction, audio.direction) == (Direction.SENDRECV, Direction.SENDRECV)
    assert (door_video.address, door_video.port, door_video.rtcp_port) == ("10.0.0.2", 5002, 5002)
    assert (audio.address, audio.port, audio.rtcp_address, audio.rtcp_port) == ("10.0.0.1", 4000, "10.0.0.1", 4001)
    assert (door_video.rtcp_mux, door_audio.rtcp_mux) == (True, False)
    assert door_video.send.feedback == H264.feedback
    for one, other in ((door_audio, audio), (door_video, video)):
        assert one.local_crypto == other.remote_crypto
        assert one.remote_crypto == other.local_crypto
        assert one.local_crypto is not None
        assert one.local_crypto.suite == GCM
        assert one.local_crypto != one.remote_crypto


@given(
    st.sampled_from([AVP, AVPF, SAVP, SAVPF]),
    st.permutations([OPUS, PCMU, EVENT_8, EVENT_48]),
    st.sampled_from(Direction),
)
def test_whatever_is_offered_both_see_the_same(profile: str, codecs: list[Codec], direction: Direction) -> None:
    offered = replace(AUDIO, codecs=tuple(codecs), direction=direction, profile=profile)
    offered = secured(offered, profile) if profile in {SAVP, SAVPF} else offered
    ours, theirs = map(only, agree(plan(offered)))
    assert ours.send.means(theirs.send)
    assert (ours.direction.sends, ours.direction.receives) == (theirs.direction.receives, theirs.direction.sends)
    assert ours.profile == theirs.profile == profile
    assert ours.send_dtmf is not None
    assert ours.send_dtmf.clock_rate == ours.send.clock_rate


def test_an_offer_as_written() -> None:
    text = str(make_offer(plan(replace(AUDIO, codecs=(PCMU,), rtcp_port=4009))))
    assert text == (
        "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
        "a=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=rtcp:4009\r\na=sendrecv\r\n"
    )


def test_link_local_scopes_stay_at_home() -> None:
    text = str(make_offer(replace(plan(AUDIO), address="fe80::1%eth0")))
    assert "c=IN IP6 fe80::1\r\n" in text


def test_linphone_over_srtp() -> None:
    answer = answered(LINPHONE)
    audio, video = answer.tracks
    assert audio is not None
    assert video is not None
    assert (audio.send.name, audio.send.payload_type, audio.send_dtmf) == (
        "opus",
        96,
        replace(EVENT_48, payload_type=101),
    )
    assert audio.remote_crypto is not None
    assert (audio.remote_crypto.tag, audio.remote_crypto.suite) == (1, CM)
    assert (video.send.name, video.send.payload_type) == ("VP8", 96)
    assert str(answer.description).count("a=crypto:1 " + CM) == 2


def test_baresip_gets_the_mode_with_fragments() -> None:
    answer = answered(BARESIP)
    audio, video = answer.tracks
    assert audio is not None
    assert video is not None
    assert (video.send.payload_type, video.send.packetization_mode) == (98, 1)
    assert (video.rtcp_address, video.rtcp_port) == ("fd00::8", 10003)
    assert (audio.rtcp_mux, audio.rtcp_port) == (True, 10000)
    assert video.send.feedback == ("nack", "nack pli")
    assert answer.description.media[1].attribute("mid") == "v"


def test_mode_0_alone_is_answered_in_mode_0() -> None:
    text = LINPHONE.replace("96 VP8", "96 theora")
    video = answered(text).tracks[1]
    assert video is not None
    assert (video.send.payload_type, video.send.packetization_mode) == (97, 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("m=video 9078", "m=video 0"),
        ("m=video 9078 RTP/SAVP", "m=video 9078 UDP/TLS/RTP/SAVPF"),
        ("m=video 9078 RTP/SAVP 96 97", "m=video 9078 RTP/SAVP 98"),
        ("m=video", "m=application"),
    ],
)
def test_what_we_cannot_do_gets_port_0(old: str, new: str) -> None:
    answer = answered(LINPHONE.replace(old, new))
    assert answer.tracks[1] is None
    assert answer.description.media[1].port == 0
    assert answer.description.media[1].formats
    assert not answer.is_empty


def test_a_second_medium_of_a_kind_gets_port_0() -> None:
    text = "v=0\nc=IN IP4 1.1.1.1\n" + "m=audio 9 RTP/AVP 0\n" * 2
    assert [media.port for media in answered(text).description.media] == [5000, 0]


def test_no_common_suite_or_no_key_at_all() -> None:
    weak = LINPHONE.replace("HMAC_SHA1_80", "HMAC_SHA1_32")
    assert answered(weak).is_empty
    assert answered(LINPHONE.replace("a=crypto:", "a=x-crypto:")).is_empty
    audio = TrackCapability("audio", 5000, (PCMU,), (GCM,))
    assert answered(LINPHONE, Capabilities("10.0.0.2", (audio,), 2)).is_empty


def test_a_broken_key_is_passed_over() -> None:
    broken = LINPHONE.replace(
        "a=crypto:1 AES_CM", "a=crypto:9 AES_CM_128_HMAC_SHA1_80 inline:short\r\na=crypto:1 AES_CM"
    )
    assert not answered(broken).is_empty


def test_the_clear_may_be_refused() -> None:
    audio = TrackCapability("audio", 5000, (PCMU,), (CM,), plain=False)
    assert answered(BARESIP, Capabilities("10.0.0.2", (audio,), 2)).is_empty


def test_without_telephone_event() -> None:
    text = "v=0\nc=IN IP4 1.1.1.1\nm=audio 9 RTP/AVP 0\n"
    track = only(answered(text).tracks)
    assert track.send_dtmf is None
    assert track.receive == (PCMU,)
    assert track.ptime == 20


@pytest.mark.parametrize(
    ("session", "media", "direction"),
    [
        ("c=IN IP4 1.1.1.1", "a=sendonly", Direction.RECVONLY),
        ("c=IN IP4 1.1.1.1", "a=inactive", Direction.INACTIVE),
        ("c=IN IP4 1.1.1.1\na=recvonly", "a=x", Direction.SENDONLY),
        ("c=IN IP4 0.0.0.0", "a=sendrecv", Direction.RECVONLY),
        ("c=IN IP6 ::", "a=recvonly", Direction.INACTIVE),
    ],
)
def test_hold(session: str, media: str, direction: Direction) -> None:
    text = f"v=0\n{session}\nm=audio 9 RTP/AVP 0\n{media}\n"
    answer = answered(text)
    assert only(answer.tracks).direction is direction
    assert answer.description.media[0].attribute(direction) == ""


def test_the_next_offer_has_the_next_version() -> None:
    held = plan(AUDIO).again(replace(AUDIO, direction=Direction.INACTIVE))
    assert "o=- 1 2 IN IP4" in str(make_offer(held))
    assert only(agree(held)[0]).direction is Direction.INACTIVE


@pytest.mark.parametrize("mux", [False, True])
def test_the_answer_says_where_rtcp_is_when_it_is_elsewhere(mux: bool) -> None:
    audio = replace(SCREEN.tracks[0], rtcp_port=7009)
    offer = make_offer(plan(replace(AUDIO, rtcp_mux=mux)))
    answer = answer_offer(wire(offer), replace(SCREEN, tracks=(audio,))).description
    assert answer.media[0].attribute("rtcp") == (None if mux else "7009")


def test_packet_times_go_each_its_way() -> None:
    audio = replace(SCREEN.tracks[0], ptime=40)
    ours, theirs = agree(plan(replace(AUDIO, ptime=10)), replace(SCREEN, tracks=(audio,)))
    assert (only(ours).ptime, only(theirs).ptime) == (40, 10)


def test_a_rejected_track_is_none() -> None:
    ours, theirs = agree(plan(AUDIO, replace(VIDEO, port=0)))
    assert ours[0] is not None
    assert (ours[1], theirs[1]) == (None, None)


def test_an_answer_may_use_other_numbers() -> None:
    planned = plan(AUDIO)
    answer = answer_offer(make_offer(planned), SCREEN).description
    answer = changed(changed(answer, "RTP/AVP 96", "RTP/AVP 120"), ":96 ", ":120 ")
    track = only(apply_answer(planned, answer))
    assert track.send.payload_type == 120
    assert OPUS in track.receive


def test_an_answer_that_changes_the_profile_of_h264_is_taken() -> None:
    planned = plan(VIDEO)
    answer = changed(
        answer_offer(make_offer(planned), SCREEN).description, "profile-level-id=42e01f", "profile-level-id=4d001f"
    )
    assert only(apply_answer(planned, answer)).send.profile_level_id == "4d001f"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("m=audio", "m=video"),
        ("RTP/SAVP", "RTP/AVP"),
        ("m=audio 5000 RTP/SAVP 96 101", "m=audio 5000 RTP/SAVP 8 101"),
        ("a=crypto:1", "a=crypto:7"),
        ("a=crypto:1", "a=x:1"),
        ("c=IN IP4 10.0.0.2\r\n", ""),
        ("t=0 0\r\n", "t=0 0\r\nm=audio 0 RTP/AVP 0\r\n"),
    ],
)
def test_answers_that_answer_something_else(old: str, new: str) -> None:
    planned = plan(secured(AUDIO))
    answer = answer_offer(make_offer(planned), SCREEN).description
    broken = changed(answer, old, new)
    with pytest.raises(SdpError):
        apply_answer(planned, broken)


def test_keys_are_not_shown() -> None:
    answer = answer_offer(make_offer(plan(secured(AUDIO))), SCREEN, lambda length: b"k" * length)
    assert "inline" not in repr(answer)
    assert "kkkk" not in repr(answer)


@given(st.lists(st.sampled_from([line + "\r\n" for line in (LINPHONE + BARESIP).split("\r\n") if line]), max_size=30))
def test_any_mixture_of_lines_is_answered_or_refused(lines: list[str]) -> None:
    try:
        answer = answered("v=0\r\n" + "".join(lines))
    except SdpError:
        return
    assert len(answer.tracks) == len(answer.description.media)
    assert wire(answer.description) == answer.description


def test_a_later_answer_goes_on_with_the_key_of_the_first() -> None:
    offer = wire(make_offer(plan(secured(AUDIO))))
    first = only(answer_offer(offer, SCREEN).tracks)
    assert first.local_crypto is not None
    audio = replace(SCREEN.tracks[0], kept=(first.local_crypto,))
    assert only(answer_offer(offer, replace(SCREEN, tracks=(audio,))).tracks).local_crypto == first.local_crypto
    other = replace(audio, kept=(replace(first.local_crypto, tag=9),))
    assert only(answer_offer(offer, replace(SCREEN, tracks=(other,))).tracks).local_crypto != first.local_crypto
