from __future__ import annotations

import pytest

from meshdoor.errors import SdpError
from meshdoor.sdp.codec import Codec, codecs_of
from meshdoor.sdp.description import Media, SessionDescription
from tests.sdp.samples import BARESIP, LINPHONE


def h264(parameters: str = "packetization-mode=1;profile-level-id=42e01f") -> Codec:
    return Codec(96, "H264", 90_000, 1, parameters)


def media(text: str) -> tuple[Media, ...]:
    return SessionDescription.parse(text.encode()).media


def test_codecs_in_the_order_of_the_media_line() -> None:
    audio, video = media(BARESIP)
    assert [(codec.payload_type, codec.name) for codec in codecs_of(audio)] == [
        (96, "opus"), (0, "PCMU"), (8, "PCMA"), (9, "G722"), (101, "telephone-event"),
    ]  # fmt: skip
    assert codecs_of(audio)[0] == Codec(96, "opus", 48_000, 2, "stereo=1;sprop-stereo=1")
    assert codecs_of(video)[1].feedback == ("nack", "nack pli")
    assert [codec.packetization_mode for codec in codecs_of(video)] == [0, 1]


def test_each_media_line_has_its_own_numbers() -> None:
    audio, video = media(LINPHONE)
    assert (codecs_of(audio)[0].name, codecs_of(video)[0].name) == ("opus", "VP8")
    assert codecs_of(video)[1].profile_level_id == "42801f"


def test_what_nothing_describes_is_left_out() -> None:
    (audio,) = media("v=0\nm=audio 9 RTP/AVP 3 x 99 1000 8\na=rtcp-fb:8 nack\na=rtcp-fb:9 nack\n")
    assert codecs_of(audio) == (Codec(8, "PCMA", 8000, feedback=("nack",)),)


def test_a_broken_rtpmap_raises() -> None:
    (audio,) = media("v=0\nm=audio 9 RTP/AVP 96\na=rtpmap:96\n")
    with pytest.raises(SdpError):
        codecs_of(audio)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (h264("packetization-mode=1;profile-level-id=42801F"), True),
        (h264("profile-level-id=42e01f"), False),
        (h264("packetization-mode=1;profile-level-id=640028"), False),
        (h264("packetization-mode=1"), True),  # Baseline is the default
        (h264("packetization-mode=1;profile-level-id=zz"), True),
        (h264("packetization-mode=x"), False),
        (Codec(96, "VP8", 90_000), False),
    ],
)
def test_h264_needs_profile_and_mode_to_agree(other: Codec, same: bool) -> None:
    assert h264().means(other) is same


def test_names_are_compared_without_case() -> None:
    assert Codec(96, "opus", 48_000, 2).means(Codec(111, "OPUS", 48_000, 2, "useinbandfec=1"))
    assert not Codec(96, "opus", 48_000, 2).means(Codec(111, "OPUS", 48_000))


def test_the_answer_takes_their_number_and_the_lower_level() -> None:
    offered = Codec(102, "H264", 90_000, 1, "packetization-mode=1;profile-level-id=428014", ("nack pli", "ccm fir"))
    ours = Codec(96, "H264", 90_000, 1, "profile-level-id=42e01f;packetization-mode=1", ("nack", "nack pli"))
    answer = offered.answer(ours)
    assert answer == Codec(102, "H264", 90_000, 1, "profile-level-id=428014;packetization-mode=1", ("nack pli",))


def test_lines_parse_back() -> None:
    codec = Codec(102, "H264", 90_000, 1, "packetization-mode=1", ("nack", "nack pli"))
    text = "v=0\nm=video 9 RTP/AVP 102\n" + "".join(map(str, codec.lines()))
    assert codecs_of(media(text)[0]) == (codec,)
    assert [line.value for line in Codec(0, "PCMU", 8000).lines()] == ["rtpmap:0 PCMU/8000"]
