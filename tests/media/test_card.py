"""The number on a card survives what happens to pictures on their way."""

from __future__ import annotations

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.media.card import FRAMES, Card, frame_number, read
from meshdoor.media.encoder import Encoder, Picture
from meshdoor.media.plans import VideoFormat

CARD = Card(320, 192)


@settings(max_examples=50)
@given(st.integers(0, 0xFFFFFFFF))
def test_any_number_is_read_back(number: int) -> None:
    assert read(CARD.draw(number, "12:34:56.789")) == number


@pytest.mark.parametrize("size", [(1280, 720), (640, 352), (320, 192), (16 * 9, 16 * 15)])
def test_at_any_size(size: tuple[int, int]) -> None:
    assert read(Card(*size).draw(0xDEADBEEF, "00:00:00.000")) == 0xDEADBEEF


@pytest.mark.parametrize(("width", "height"), [(160, 96), (1280, 720), (402, 226)])
def test_however_it_was_scaled(width: int, height: int) -> None:
    frame = CARD.draw(1234567, "12:00").reformat(width, height, "yuv420p")
    assert read(frame) == 1234567


@pytest.mark.parametrize("pixels", ["rgb24", "nv12", "yuvj420p", "gray"])
def test_in_other_formats(pixels: str) -> None:
    assert read(CARD.draw(99, "12:00").reformat(format=pixels)) == 99


def test_after_h264_at_a_low_rate() -> None:
    encoder = Encoder("H264", VideoFormat(320, 192, 30, 40_000), 320, 192)
    decoder = av.VideoCodecContext.create("h264", "r")
    decoder.thread_type = "NONE"
    shown = []
    for number in range(5000, 5030):
        coded = encoder.encode(Picture(CARD.draw(number, "12:34:56"), number / 30))
        if coded is not None:
            shown += [read(frame) for frame in decoder.decode(av.Packet(coded.data))]
    assert shown == list(range(5000, 5030))


@pytest.mark.parametrize("shade", [0, 16, 128, 235, 255])
def test_a_plain_picture_has_no_number(shade: int) -> None:
    frame = av.VideoFrame(320, 192, "yuv420p")
    for plane in frame.planes:
        plane.update(bytes((shade,)) * plane.buffer_size)
    assert read(frame) is None


def test_the_card_without_a_picture_has_no_number() -> None:
    assert read(CARD.no_picture()) is None


def test_a_card_stays_for_a_while() -> None:
    drawn = [CARD.draw(number, "12:00") for number in range(FRAMES)]
    assert [read(frame) for frame in drawn] == list(range(FRAMES))


def test_the_number_is_the_time() -> None:
    assert frame_number(10.5, 30) == 315
    assert frame_number((1 << 32) / 30 + 1, 30) == 30
