"""What the first press would find cold: the codecs' code, their tables, their memory. Gone through once, beforehand."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from meshdoor.errors import MeshdoorError
from meshdoor.media import audio_decoder, audio_encoder
from meshdoor.media.background import Worker
from meshdoor.media.card import Card
from meshdoor.media.encoder import Encoder, Picture
from meshdoor.media.plans import VideoFormat
from meshdoor.media.sound import PIECE
from meshdoor.media.video_decoder import VideoDecoder
from meshdoor.rtp.access_unit import AccessUnit

log = logging.getLogger(__name__)


def begin(video: VideoFormat) -> None:
    """In a thread, which ends after one picture and one piece of sound."""
    Worker(partial(rehearse, video), "rehearsal").start()


def load_webrtc(then: Callable[[], None] = lambda: None) -> None:
    """In a thread: the code of ICE and DTLS, which takes a second on a Pi; then call, from that thread."""

    def load() -> None:
        from meshdoor.media import webrtc

        webrtc.rehearse()
        then()

    Worker(load, "loading WebRTC").start()


def rehearse(video: VideoFormat) -> None:
    """A picture and a piece of sound, there and back."""
    try:
        frame = Card(video.width, video.height).draw(0, "")
        coded = Encoder("H264", video, video.width, video.height).encode(Picture(frame, 0.0), key=True)
        if coded is not None:
            VideoDecoder("H264").decode(AccessUnit(coded.data, 0, key=True, intact=True))
        audio_decoder.decoder("OPUS").decode(audio_encoder.encoder("OPUS").encode(bytes(PIECE)))
    except MeshdoorError as error:
        log.warning("the rehearsal failed: %s", error)  # so will the first press, and it says so to a person
