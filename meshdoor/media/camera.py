"""The camera of this node: one source, one encoder a codec, and a thread of its own in which they work.

The thread sleeps while nobody looks. It wakes for the first sink (or for `warm`), opens the source, and makes the first
picture a key frame. While a source is gone, those who look see a card that says so, and it is tried again.

A stream that is passed through makes no key frame when somebody begins to look, so the pictures since its last one are
kept: who looks while the source is open already sees a picture at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import av

from meshdoor.errors import EngineError
from meshdoor.media.card import Card
from meshdoor.media.encoder import Coded, Encoder, Picture
from meshdoor.media.feed import Feed
from meshdoor.media.messages import Device, VideoFormat
from meshdoor.media.outlet import KeyFrameRequests
from meshdoor.media.source import CardSource, Pause, Source
from meshdoor.media.video_stream import PASSED_THROUGH

log = logging.getLogger(__name__)

# Ours, in seconds.
STALL = 2.0  # a source that gives nothing for so long is gone
PATIENCE = 1.0  # to be opened, before a card says that there is no picture yet
OPENING = 15.0  # and before it is given up
RETRY = 3.0
NO_PICTURE_INTERVAL = 0.2
LINGER = 10.0  # a source stays open so long after the last one looked
JOIN_TIMEOUT = 2.0

CODECS = ("H264", "VP8")


@dataclass(slots=True)
class CameraCounters:
    frames: int = 0
    key_frames: int = 0
    encode_time: float = 0.0  # s, of all frames


@dataclass(slots=True, eq=False)
class _Track:
    """One codec: whether anybody looks, and what makes it."""

    wanted: bool = False
    requests: KeyFrameRequests = field(default_factory=KeyFrameRequests)
    encoder: Encoder | None = None


class Camera:
    """`open_` opens the source, or raises EngineError. `deliver` is called in the camera's thread with each access unit
    and its codec, `report` with what happens to the device."""

    def __init__(
        self,
        open_: Callable[[Pause], Source],
        video: VideoFormat,
        deliver: Callable[[str, Coded], None],
        report: Callable[[Device], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counters = CameraCounters()
        self._open = open_
        self._video = video
        self._deliver = deliver
        self._report = report
        self._clock = clock
        self._tracks = {codec: _Track() for codec in CODECS}
        self._warm = self._closed = False
        self._last: Picture | Coded | None = None
        self._kept: list[Coded] = []  # of what is passed through: the last key frame and what followed
        self._follows = False  # who looks has had everything since a key frame
        self._state = ""
        self._changed = threading.Condition()
        self._pause = threading.Event()
        self._card: Card | None = None
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    def want(self, codec: str, on: bool) -> None:
        """Whether anybody looks at this codec."""
        with self._changed:
            self._tracks[codec].wanted = on
            self._changed.notify()

    def warm(self, on: bool) -> None:
        """Keep the source open though nobody looks."""
        with self._changed:
            self._warm = on
            self._changed.notify()

    def request_key_frame(self, codec: str) -> None:
        self._tracks[codec].requests.request()

    def picture(self) -> Callable[[], av.VideoFrame]:
        """What makes the last picture, of a stream that is passed through the last key frame; it may take long. Raises
        EngineError when there is none."""
        last = self._last
        if last is None:
            raise EngineError("the camera has no picture yet")
        return partial(decoded, last) if isinstance(last, Coded) else lambda: last.frame

    def close(self) -> None:
        """Ends the thread. One that hangs in a driver is left behind; it ends with the process."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._pause.set()
        self._thread.join(JOIN_TIMEOUT)

    @property
    def _active(self) -> bool:
        return any(track.wanted for track in self._tracks.values())

    def _run(self) -> None:
        while self._wait_for_work():
            try:
                source = self._open(self._wait)
            except EngineError as error:
                self._fail(error)
                continue
            self._use(source)

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._warm or self._active)
        return not self._closed

    def _wait(self, seconds: float) -> None:
        self._pause.wait(seconds)

    def _use(self, source: Source) -> None:
        """Until nobody looked for a while, or the source fails. The card is drawn in this thread; what may hang is read
        in another."""
        feed = None if isinstance(source, CardSource) else Feed(source)
        self._begin_anew()
        try:
            if feed is not None:
                self._wait_for_first(feed)
            self._read_on(source.read if feed is None else lambda: feed.read(STALL))
        except EngineError as error:
            self._fail(error)
        finally:
            self._last = None
            (feed or source).close()

    def _wait_for_first(self, feed: Feed) -> None:
        """It may take long to open a camera. Who looks meanwhile sees a card; at once where one was seen before."""
        began, patience = self._clock(), 0.0 if self._state == "failed" else PATIENCE
        while not self._closed and not feed.wait(patience):
            if self._clock() - began > OPENING:
                raise EngineError("the camera gives no pictures")
            self._show_no_picture()
            patience = NO_PICTURE_INTERVAL
        self._begin_anew()

    def _read_on(self, read: Callable[[], Picture | Coded]) -> None:
        looked = self._clock()
        while not self._closed and self._clock() - looked <= LINGER:
            item = read()
            self._tell("ok")
            if self._active or self._warm:
                looked = self._clock()
            self._take(item)

    def _begin_anew(self) -> None:
        """What comes next refers to nothing that went before."""
        self._kept, self._follows = [], False
        for track in self._tracks.values():
            track.encoder = None

    def _take(self, item: Picture | Coded) -> None:
        if isinstance(item, Coded):
            self._pass_through(item)
            return
        self._last = item
        for codec, track in self._tracks.items():
            if track.wanted:
                self._encode(codec, track, item)

    def _pass_through(self, unit: Coded) -> None:
        self._last = unit if unit.key else self._last
        self._keep(unit)
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

    def _encode(self, codec: str, track: _Track, picture: Picture) -> None:
        size = picture.frame.width, picture.frame.height
        if track.encoder is None or track.encoder.size != size:
            track.encoder = Encoder(codec, self._video, *size)
        now = self._clock()
        coded = track.encoder.encode(picture, track.requests.take(now))
        self.counters.encode_time += self._clock() - now
        if coded is not None:
            if coded.key:
                track.requests.made(now)
            self._give(codec, coded)

    def _give(self, codec: str, coded: Coded) -> None:
        self.counters.frames += 1
        self.counters.key_frames += coded.key
        self._deliver(codec, coded)

    def _fail(self, error: EngineError) -> None:
        """The card that says so, until it is time to try again."""
        self._tell("failed", str(error))
        self._begin_anew()
        until = self._clock() + RETRY
        while not self._closed and self._clock() < until:
            self._show_no_picture()
            self._wait(NO_PICTURE_INTERVAL)

    def _show_no_picture(self) -> None:
        if not self._active:
            return
        self._card = self._card or Card(self._video.width, self._video.height)
        try:
            self._take(Picture(self._card.no_picture(), self._clock()))
        except EngineError as error:
            log.error("cannot say that there is no picture: %s", error)

    def _tell(self, state: str, text: str = "") -> None:
        if state != self._state:
            self._state = state
            self._report(Device("camera", state, text))


def decoded(key_frame: Coded) -> av.VideoFrame:
    """The picture of an H.264 key frame. Raises EngineError."""
    decoder = av.VideoCodecContext.create("h264", "r")
    decoder.thread_type = "NONE"
    try:
        frames = [*decoder.decode(av.Packet(key_frame.data)), *decoder.decode(None)]
    except av.FFmpegError as error:
        raise EngineError(f"the camera's key frame cannot be decoded: {error.strerror}") from None
    if not frames:
        raise EngineError("the camera's key frame holds no picture")
    return frames[0]
