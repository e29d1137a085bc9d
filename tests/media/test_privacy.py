"""What is masked is in no picture that leaves, whatever made it and whoever looks."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.media import still
from meshdoor.media.camera import Camera, Care, decoded
from meshdoor.media.encoder import Coded, Encoder, Picture
from meshdoor.media.opening import open_source
from meshdoor.media.plans import VideoFormat
from meshdoor.media.privacy import BLACK, GREY, burn_in
from meshdoor.media.source import Pause, Source
from meshdoor.settings.camera import CameraConfig, Mask
from tests.media.test_source import film
from tests.patience import wait_for

VIDEO = VideoFormat(320, 192, 30, 600_000)
QUARTER = Mask(0, 0, 25, 100)


def white(width: int, height: int) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane in frame.planes:
        memoryview(plane).cast("B")[:] = b"\xeb" * plane.buffer_size
    return frame


def rows(frame: av.VideoFrame, plane: int = 0) -> list[bytes]:
    part = frame.planes[plane]
    data = bytes(memoryview(part))
    return [data[row * part.line_size :][: part.width] for row in range(part.height)]


def is_black(frame: av.VideoFrame) -> bool:
    """The left quarter, but for its last columns: encoders blur an edge."""
    inside = frame.width // 4 - 8
    return max(max(row[:inside]) for row in rows(frame)) < 40


@settings(max_examples=100)
@given(
    st.integers(1, 60).map(lambda n: 2 * n),
    st.integers(1, 60).map(lambda n: 2 * n),
    st.tuples(*[st.integers(0, 999)] * 4).map(
        lambda p: Mask(p[0] / 10, p[1] / 10, (p[2] % (1000 - p[0]) + 1) / 10, (p[3] % (1000 - p[1]) + 1) / 10)
    ),
)
def test_every_dot_that_a_mask_touches_is_black_and_few_others(width: int, height: int, mask: Mask) -> None:
    frame = white(width, height)
    burn_in(frame, (mask,))
    black = {(x, y) for y, row in enumerate(rows(frame)) for x, value in enumerate(row) if value == BLACK}
    left, right = mask.left * width / 100, mask.right * width / 100
    top, bottom = mask.top * height / 100, mask.bottom * height / 100
    touched = {(x, y) for x in range(width) for y in range(height) if x + 1 > left + 1e-9 and x < right - 1e-9
               and y + 1 > top + 1e-9 and y < bottom - 1e-9}  # fmt: skip
    assert touched <= black
    assert all(left - 3 < x < right + 3 and top - 3 < y < bottom + 3 for x, y in black)
    colours = {(x, y) for y, row in enumerate(rows(frame, 1)) for x, value in enumerate(row) if value == GREY}
    assert {(x // 2, y // 2) for x, y in black} == colours


def test_no_mask_changes_nothing() -> None:
    frame = white(32, 32)
    burn_in(frame, ())
    assert set(b"".join(rows(frame))) == {0xEB}


def test_a_decoder_goes_on_from_what_it_had(tmp_path: Path) -> None:
    """A mask in the picture that the next one refers to would stay in it."""
    path = film(tmp_path / "a.mp4", frames=10, gop=10)
    plain = [rows(item.frame) for item in pictures(path, 8)]
    first, *others = pictures(path, 8, burn=1)
    assert is_black(first.frame)
    assert [rows(item.frame) for item in others] == plain[1:]


def pictures(path: str, count: int, *, burn: int = 0) -> list[Picture]:
    """The first ones are masked."""
    source = open_source(path, VIDEO, lambda seconds: None, CameraConfig(masks=(str(QUARTER),)))
    read = []
    for number in range(count):
        item = source.read()
        assert isinstance(item, Picture)
        if number < burn:
            burn_in(item.frame, (QUARTER,))
        read.append(item)
    source.close()
    return read


class Bright:
    """A camera in the glare."""

    stand_in = ""

    def __init__(self) -> None:
        self.number = 0

    def read(self) -> Picture:
        self.number += 1
        return Picture(white(320, 192), self.number / 30)

    def stop(self) -> None:
        """It never waits."""

    def close(self) -> None:
        """It has nothing."""


@pytest.mark.parametrize("track", ["H264", "VP8", "H264-small", "VP8-small"])
def test_no_track_has_what_is_masked(track: str) -> None:
    units: list[Coded] = []

    def open_(pause: Pause) -> Source:
        return Bright()

    camera = Camera(open_, VIDEO, lambda name, coded: units.append(coded), lambda device: None, Care((QUARTER,)))
    try:
        camera.want(track, True)
        wait_for(lambda: len(units) > 2)
        snapshot = camera.picture()()
    finally:
        camera.close()
    assert is_black(snapshot)
    assert still.encode(snapshot, ".jpg")
    frame = decoded(units[0]) if track.startswith("H264") else first_vp8(units[0])
    assert is_black(frame)
    assert frame.width == (160 if track.endswith("small") else 320)


def first_vp8(unit: Coded) -> av.VideoFrame:
    decoder = av.VideoCodecContext.create("vp8", "r")
    (frame,) = decoder.decode(av.Packet(unit.data))
    return frame


def test_a_stream_that_could_be_passed_through_is_not(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")
    assert isinstance(open_source(path, VIDEO, lambda seconds: None).read(), Coded)
    assert all(isinstance(item, Picture) for item in pictures(path, 2))


def test_an_encoder_keeps_the_edge_where_it_is() -> None:
    frame = white(320, 192)
    burn_in(frame, (QUARTER,))
    coded = Encoder("H264", VIDEO, 320, 192).encode(Picture(frame, 0.0), key=True)
    assert coded is not None
    seen = rows(decoded(coded))[96]
    assert max(seen[:72]) < 40
    assert min(seen[88:]) > 200
