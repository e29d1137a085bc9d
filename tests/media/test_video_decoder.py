from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import av
import pytest

from meshdoor.errors import EngineError, RtpError
from meshdoor.media import card, video_decoder
from meshdoor.media.card import Card
from meshdoor.media.encoder import Encoder, Picture
from meshdoor.media.plans import VideoFormat
from meshdoor.media.video_decoder import MAX_WAITING, DecoderOwner, DecoderThread, VideoDecoder
from meshdoor.rtp.access_unit import AccessUnit
from meshdoor.rtp.nal import IDR, ParameterSets, join_annex_b, nal_type, split_annex_b
from tests.patience import wait_for

SIZE = (160, 96)


def units(count: int, codec: str = "H264", size: tuple[int, int] = SIZE) -> list[AccessUnit]:
    drawing, encoder = Card(*size), Encoder(codec, VideoFormat(*size, 30, 300_000), *size)
    coded = [encoder.encode(Picture(drawing.draw(number, ""), number / 30)) for number in range(count)]
    return [AccessUnit(one.data, 0, one.key, True) for one in coded if one is not None]


@pytest.mark.parametrize("codec", ["H264", "VP8"])
def test_each_unit_gives_its_picture_at_once(codec: str) -> None:
    decoder = VideoDecoder(codec)
    assert [card.read(decoder.decode(unit)) for unit in units(4, codec)] == [0, 1, 2, 3]


def test_after_junk_it_goes_on_with_a_key_frame() -> None:
    decoder, (key, after, *_) = VideoDecoder("H264"), units(2)
    for data in (b"", b"\0\0\0\1\x65\x88" + b"\xaa" * 99, b"junk", key.data[:40]):
        with pytest.raises(RtpError):
            decoder.decode(AccessUnit(data, 0, True, True))
        assert card.read(decoder.decode(key)) == 0
    with pytest.raises(RtpError):
        decoder.decode(AccessUnit(b"junk", 0, False, True))
    assert card.read(decoder.decode(after)) == 1


def test_parameter_sets_from_the_session_description() -> None:
    (unit,) = units(1)
    nals = split_annex_b(unit.data)
    sets = ParameterSets.of(nals)
    bare = AccessUnit(join_annex_b([nal for nal in nals if nal_type(nal) == IDR]), 0, True, True)
    assert card.read(VideoDecoder("H264", f"packetization-mode=1; sprop-parameter-sets={sets}").decode(bare)) == 0
    for fmtp in ("", "packetization-mode=1", "sprop-parameter-sets=AAAA", "sprop-parameter-sets=!"):
        with pytest.raises(RtpError):
            VideoDecoder("H264", fmtp).decode(bare)


def test_pictures_larger_than_any_screen_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_decoder, "MAX_PIXELS", 100 * 100)
    with pytest.raises(RtpError):
        VideoDecoder("H264").decode(units(1)[0])


def test_codecs() -> None:
    with pytest.raises(EngineError, match="AV1"):
        VideoDecoder("AV1")


class Owner:
    """Counts what a thread tells; `work` is done with each picture."""

    def __init__(self, work: Callable[[], None] = lambda: None) -> None:
        self.shown: list[int | None] = []
        self.failures = self.ends = 0
        self._work = work
        owner = DecoderOwner(self._show, self._failed, self._ended)
        self.thread = DecoderThread(VideoDecoder("H264"), owner, "decoder")

    def _show(self, frame: av.VideoFrame) -> None:
        self._work()
        self.shown.append(card.read(frame))

    def _failed(self) -> None:
        self.failures += 1

    def _ended(self) -> None:
        self.ends += 1


def test_what_follows_a_failure_waits_for_a_key_frame() -> None:
    owner, made = Owner(), units(4)
    again = units(2)
    for unit in (made[1], made[0], made[1], AccessUnit(b"junk", 0, False, True), made[2], *again):
        assert owner.thread.submit(unit)
    wait_for(lambda: len(owner.shown) == 4)
    owner.thread.close()
    wait_for(lambda: owner.ends == 1)
    assert owner.shown == [0, 1, 0, 1]
    assert owner.failures == 1


def test_who_is_too_slow_leaves_pictures_out() -> None:
    go = threading.Event()

    def wait() -> None:
        go.wait(5)

    owner, (unit,) = Owner(wait), units(1)
    accepted = [owner.thread.submit(unit) for _ in range(MAX_WAITING + 5)]
    assert not accepted[-1]
    assert accepted.count(False) in {4, 5}
    owner.thread.close()
    go.set()
    wait_for(lambda: owner.ends == 1)
    assert len(owner.shown) <= 1


def test_a_display_that_breaks(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL):
        owner = Owner(lambda: list[None]().pop())
        owner.thread.submit(units(1)[0])
        wait_for(lambda: owner.failures == 1)
        owner.thread.close()
        wait_for(lambda: owner.ends == 1)
