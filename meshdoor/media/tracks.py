"""What is made of the camera's pictures: a track for each codec and size that somebody looks at.

A track's name is its codec, `H264` or `VP8`, and with `-small` the picture for those whose links carry less than the
house's (`adapting`). All of it happens in the camera's thread, but for `want`, `shrink` and `request_key_frame`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import av
from av.video.reformatter import VideoReformatter

from meshdoor.errors import EngineError
from meshdoor.media.adapting import smaller
from meshdoor.media.encoder import Coded, Encoder, Picture
from meshdoor.media.outlet import KeyFrameRequests
from meshdoor.media.plans import VideoFormat
from meshdoor.media.video_stream import PASSED_THROUGH

log = logging.getLogger(__name__)

CODECS: Final = ("H264", "VP8")
SMALL: Final = "-small"
TRACKS: Final = (*CODECS, *(codec + SMALL for codec in CODECS))
EARLY: Final = 0.3  # of the time between two pictures: one that comes so much too early is still taken; ours


@dataclass(slots=True)
class CameraCounters:
    frames: int = 0
    key_frames: int = 0
    encode_time: float = 0.0  # s, of all frames


@dataclass(slots=True, eq=False)
class _Track:
    """Whether anybody looks, and what makes it. Level 0 is the house's picture, at any rate that it comes in."""

    codec: str
    level: int = 0
    wanted: bool = False
    requests: KeyFrameRequests = field(default_factory=KeyFrameRequests)
    encoder: Encoder | None = None
    due: float = 0.0

    def takes(self, picture: Picture, fps: int) -> bool:
        """Whether this picture is one of so many a second."""
        if not self.level:
            return True
        interval = 1 / fps
        if picture.captured < self.due - EARLY * interval:
            return False
        self.due = max(self.due + interval, picture.captured + (1 - EARLY) * interval)
        return True


class Tracks:
    """`deliver` is called with the name of the track and each access unit of it."""

    def __init__(
        self,
        video: VideoFormat,
        deliver: Callable[[str, Coded], None],
        clock: Callable[[], float] = time.monotonic,
        *,
        hardware: bool = False,
    ) -> None:
        self.counters = CameraCounters()
        self.last: Picture | Coded | None = None
        self._video = video
        self._deliver = deliver
        self._clock = clock
        self._hardware = hardware
        self._tracks = {name: _Track(name.removesuffix(SMALL), level=name.endswith(SMALL)) for name in TRACKS}
        self._kept: list[Coded] = []  # of what is passed through: the last key frame and what followed
        self._follows = False  # who looks has had everything since a key frame
        self._viewer: _Viewer | None = None  # decodes what is passed through, for the other tracks
        self._scale = VideoReformatter()

    @property
    def active(self) -> bool:
        return any(track.wanted for track in self._tracks.values())

    def want(self, name: str, on: bool) -> None:
        self._tracks[name].wanted = on

    def shrink(self, codec: str, level: int) -> None:
        """How small the small one is."""
        self._tracks[codec + SMALL].level = level

    def request_key_frame(self, name: str) -> None:
        self._tracks[name].requests.request()

    def begin_anew(self) -> None:
        """What comes next refers to nothing that went before."""
        self._kept, self._follows, self._viewer = [], False, None
        for track in self._tracks.values():
            track.encoder = None

    def take(self, item: Picture | Coded) -> None:
        """Raises EngineError when it cannot be encoded."""
        if isinstance(item, Coded):
            self._pass_through(item)
            return
        self.last = item
        self._encode_all(item, self._tracks)

    def _pass_through(self, unit: Coded) -> None:
        self.last = unit if unit.key else self.last
        self._keep(unit)
        self._decode_for_others(unit)
        if not self._tracks["H264"].wanted:
            self._follows = False
            return
        due = [unit] if self._follows else self._kept
        self._follows = self._follows or bool(due)
        for each in due:
            self._give("H264", each)

    def _keep(self, unit: Coded) -> None:
        """As long as it is worth giving to who begins to look."""
        if unit.key:
            self._kept = [unit]
        elif self._kept and unit.captured - self._kept[0].captured <= PASSED_THROUGH:
            self._kept.append(unit)
        else:
            self._kept = []

    def _decode_for_others(self, unit: Coded) -> None:
        others = {name: track for name, track in self._tracks.items() if name != "H264" and track.wanted}
        if not others:
            self._viewer = None
            return
        begins, self._viewer = self._viewer is None, self._viewer or _Viewer()
        frame = None
        for each in self._kept if begins else [unit]:
            frame = self._viewer.see(each) or frame
        if frame is not None:
            self._encode_all(Picture(frame, unit.captured), others)

    def _encode_all(self, picture: Picture, tracks: dict[str, _Track]) -> None:
        for name, track in tracks.items():
            video = smaller(self._video, track.level)
            if track.wanted and track.takes(picture, video.fps):
                self._encode(name, track, picture, video)

    def _encode(self, name: str, track: _Track, picture: Picture, video: VideoFormat) -> None:
        now = self._clock()
        if track.level:
            picture = Picture(self._scaled(picture.frame, video), picture.captured)
        coded = self._encoded(track, picture, video, now)
        self.counters.encode_time += self._clock() - now
        if coded is not None:
            if coded.key:
                track.requests.made(now)
            self._give(name, coded)

    def _encoded(self, track: _Track, picture: Picture, video: VideoFormat, now: float) -> Coded | None:
        size = picture.frame.width, picture.frame.height
        hardware = self._hardware and not track.level and track.codec == "H264"
        try:
            encoder = track.encoder
            if encoder is None or encoder.size != size or encoder.video != video:
                encoder = track.encoder = Encoder(track.codec, video, *size, hardware=hardware)
            return encoder.encode(picture, track.requests.take(now))
        except EngineError as error:
            if not hardware:
                raise
            log.warning("the encoder of this machine cannot be used: %s", error)
            self._hardware, track.encoder = False, None
            return self._encoded(track, picture, video, now)

    def _scaled(self, frame: av.VideoFrame, video: VideoFormat) -> av.VideoFrame:
        """In the shape that the picture has, whatever was asked of the camera."""
        part = min(1.0, video.height / frame.height)
        width, height = (max(2, round(length * part / 2) * 2) for length in (frame.width, frame.height))
        return self._scale.reformat(frame, width, height, "yuv420p")

    def _give(self, name: str, coded: Coded) -> None:
        self.counters.frames += 1
        self.counters.key_frames += coded.key
        self._deliver(name, coded)


class _Viewer:
    """Decodes a stream from a key frame on; after a broken unit from the next one."""

    def __init__(self) -> None:
        self._decoder: av.VideoCodecContext | None = None

    def see(self, unit: Coded) -> av.VideoFrame | None:
        if self._decoder is None and unit.key:
            self._decoder = av.VideoCodecContext.create("h264", "r")
            self._decoder.thread_type = "NONE"
        if self._decoder is None:
            return None
        try:
            frames = self._decoder.decode(av.Packet(unit.data))
        except av.FFmpegError:
            self._decoder = None
            return None
        return frames[-1] if frames else None
