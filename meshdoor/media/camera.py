"""The camera of this node: one source, one encoder a codec, and a thread of its own in which they work.

The thread sleeps while nobody looks. It wakes for the first sink (or for `warm`), opens the source, and makes the first
picture a key frame. While a source is gone, those who look see a card that says so, and it is tried again.

A stream that is passed through makes no key frame when somebody begins to look, so the pictures since its last one are
kept: who looks while the source is open already sees a picture at once.

A real camera is looked at once in the beginning, and whenever one came or went, and now and then while it does not
work: so a house knows that a door sees nothing before somebody stands there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import av

from meshdoor.errors import CameraChanged, EngineError
from meshdoor.media.card import Card
from meshdoor.media.daylight import Daylight, luma
from meshdoor.media.encoder import Coded, Picture
from meshdoor.media.feed import Feed
from meshdoor.media.plans import VideoFormat
from meshdoor.media.privacy import burn_in
from meshdoor.media.reports import FAILED, OK, STAND_IN, Device
from meshdoor.media.source import CardSource, Pause, Source
from meshdoor.media.tracks import CameraCounters, Tracks
from meshdoor.settings.camera import Mask

log = logging.getLogger(__name__)

# Ours, in seconds.
STALL = 2.0  # a source that gives nothing for so long is gone
PATIENCE = 1.0  # to be opened, before a card says that there is no picture yet
OPENING = 15.0  # and before it is given up
RETRY = 3.0
GLANCE = 5.0  # between looks whether a camera came or went, while nobody looks
CHECK = 30.0  # between looks at a camera that does not work, while nobody looks
NO_PICTURE_INTERVAL = 0.2
LINGER = 10.0  # a source stays open so long after the last one looked
JOIN_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True)
class Care:
    """`masks` are blackened. With `presence` the camera is looked at though nobody wants to see anything: whenever that
    gives something else. `hardware`: this machine may have an encoder of its own."""

    masks: Sequence[Mask] = ()
    presence: Callable[[], object] | None = None
    hardware: bool = False


class Camera:
    """`open_` opens the source, or raises EngineError. `deliver` is called in the camera's thread with each access unit
    and its track, `report` with what happens to the device."""

    def __init__(
        self,
        open_: Callable[[Pause], Source],
        video: VideoFormat,
        deliver: Callable[[str, Coded], None],
        report: Callable[[Device], None],
        care: Care | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        care = care or Care()
        self._open = open_
        self._video = video
        self._report = report
        self._clock = clock
        self._masks = care.masks
        self._presence = care.presence
        self._present: object = None
        self._check_at = clock() if care.presence is not None else float("inf")
        self._tracks = Tracks(video, deliver, clock, hardware=care.hardware)
        self._daylight = Daylight()
        self._warm = self._closed = False
        self._state, self._told = "", ("", "")
        self._changed = threading.Condition()
        self._pause = threading.Event()
        self._card: Card | None = None
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    @property
    def counters(self) -> CameraCounters:
        return self._tracks.counters

    def want(self, track: str, on: bool) -> None:
        """Whether anybody looks at this track."""
        with self._changed:
            self._tracks.want(track, on)
            self._changed.notify()

    def shrink(self, codec: str, level: int) -> None:
        """How small the second picture of a codec is to be."""
        self._tracks.shrink(codec, level)

    def warm(self, on: bool) -> None:
        """Keep the source open though nobody looks."""
        with self._changed:
            self._warm = on
            self._changed.notify()

    def request_key_frame(self, track: str) -> None:
        self._tracks.request_key_frame(track)

    def picture(self) -> Callable[[], av.VideoFrame]:
        """What makes the last picture, of a stream that is passed through the last key frame; it may take long. Raises
        EngineError when there is none."""
        last = self._tracks.last
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
        return self._tracks.active

    def _run(self) -> None:
        while self._wait_for_work():
            try:
                source = self._open(self._wait)
                self._use(source)
            except EngineError as error:
                self._fail(error)
            except Exception as error:  # whatever it is: the next visitor is to be seen
                log.exception("the camera failed")
                self._fail(EngineError(f"{type(error).__name__}: {error}"))

    def _wait_for_work(self) -> bool:
        """Until somebody looks, or it is time for a look of our own. False when closed."""
        while not self._is_wanted():
            glance = None if self._presence is None else min(GLANCE, max(0.0, self._check_at - self._clock()))
            with self._changed:
                self._changed.wait_for(self._is_wanted, glance)
            if self._presence is not None and self._worth_a_look(self._presence()):
                break
        return not self._closed

    def _is_wanted(self) -> bool:
        return self._closed or self._warm or self._active

    def _worth_a_look(self, present: object) -> bool:
        before, self._present = self._present, present
        if present == before and self._clock() < self._check_at:
            return False
        self._check_at = float("inf")
        return True

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
            self._read_on(source, source.read if feed is None else lambda: feed.read(STALL))
        except CameraChanged as error:
            log.info("%s", error)
        finally:
            # Given back before anything else is tried, so that it can be opened again.
            self._tracks.last = None
            (feed or source).close()

    def _wait_for_first(self, feed: Feed) -> None:
        """It may take long to open a camera. Who looks meanwhile sees a card; at once where one was seen before."""
        began, patience = self._clock(), 0.0 if self._state == FAILED else PATIENCE
        while not self._closed and not feed.wait(patience):
            if self._clock() - began > OPENING:
                raise EngineError("the camera gives no pictures")
            self._show_no_picture()
            patience = NO_PICTURE_INTERVAL
        self._begin_anew()

    def _read_on(self, source: Source, read: Callable[[], Picture | Coded]) -> None:
        """A look of our own ends with the first picture."""
        looked = self._clock() if self._active or self._warm else float("-inf")
        while not self._closed:
            item = read()
            self._tell(STAND_IN if source.stand_in else OK, source.stand_in)
            if self._active or self._warm:
                looked = self._clock()
            self._take(item)
            if self._clock() - looked > LINGER:
                return

    def _begin_anew(self) -> None:
        self._tracks.begin_anew()

    def _take(self, item: Picture | Coded) -> None:
        if isinstance(item, Picture):
            burn_in(item.frame, self._masks)
        self._look_for_daylight(item)
        self._tracks.take(item)

    def _look_for_daylight(self, item: Picture | Coded) -> None:
        """Of a stream that is passed through, only what a key frame shows is known."""
        if (isinstance(item, Coded) and not item.key) or not self._daylight.due(item.captured):
            return
        try:
            frame = decoded(item) if isinstance(item, Coded) else item.frame
        except EngineError:
            return
        if self._daylight.seen(luma(frame)):
            self._report(Device("scene", "dark" if self._daylight.dark else OK))

    def _fail(self, error: EngineError) -> None:
        """The card that says so, until it is time to try again."""
        self._tell(FAILED, str(error))
        self._begin_anew()
        if self._presence is not None:
            self._check_at = self._clock() + CHECK
        until = self._clock() + RETRY
        while not self._closed and self._clock() < until:
            self._show_no_picture()
            self._wait(NO_PICTURE_INTERVAL)

    def _show_no_picture(self) -> None:
        if not self._active:
            return
        self._card = self._card or Card(self._video.width, self._video.height)
        try:
            self._tracks.take(Picture(self._card.no_picture(), self._clock()))
        except EngineError as error:
            log.error("cannot say that there is no picture: %s", error)

    def _tell(self, state: str, text: str = "") -> None:
        if (state, text) != self._told:
            self._state, self._told = state, (state, text)
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
