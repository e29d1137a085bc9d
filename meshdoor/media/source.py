"""Where pictures come from: the test card, a camera, a file, an RTSP camera.

A source is read by one thread. What it gives are pictures, which are encoded for all who watch, or access units of
H.264, which are sent as they are. Camera strings are those of `messages.Hello`.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import av
from av.bitstream import BitStreamFilterContext

from meshdoor.errors import EngineError
from meshdoor.media.card import Card, frame_number
from meshdoor.media.encoder import Coded, Picture
from meshdoor.media.messages import VideoFormat
from meshdoor.rtp.nal import IDR, SLICE, ParameterSets, is_key_frame, join_annex_b, nal_type, split_annex_b

OPEN_TIMEOUT, READ_TIMEOUT = 5.0, 3.0  # s, of RTSP cameras; ours
MIN_STEP = 0.001  # s between pictures of a camera that come all at once; two may not share a timestamp; ours
# By TCP where the camera takes it. Its frame rate is not waited for: it is of no use here, and takes 20 pictures.
RTSP = {"rtsp_flags": "prefer_tcp", "fpsprobesize": "0"}
MAX_KEY_FRAME_PERIOD = 2.0  # s: a file with rarer key frames is encoded again; ours
CONSTRAINED_BASELINE = 66  # profile_idc, ITU-T H.264 annex A

Pause = Callable[[float], None]


class Source(Protocol):
    """Open once it is made."""

    def read(self) -> Picture | Coded:
        """The next one, when it is due. Raises EngineError when there will be no more."""
        ...

    def close(self) -> None:
        """May come while another thread reads."""
        ...


def open_source(camera: str, video: VideoFormat, pause: Pause = time.sleep) -> Source:
    """`pause` waits for so many seconds, or less when the source is closed. Raises EngineError.

    A camera that may keep us waiting is opened by the first `read`."""
    if camera == "card":
        return CardSource(video, pause)
    if camera == "rpicam":
        return PipeSource(rpicam(video), video)
    if camera.startswith("rtsp://"):
        return LateSource(lambda: StreamSource(_open(camera, RTSP), pause=None))
    if camera.startswith("/dev/"):
        size = {"video_size": f"{video.width}x{video.height}", "framerate": str(video.fps)}
        return LateSource(lambda: StreamSource(_open(camera, size, "v4l2"), pause=None))
    if not Path(camera).is_file():
        raise EngineError(f"there is no camera or file {camera}")
    return StreamSource(_open(camera), pause)


class CardSource:
    """The test card, at the times that its numbers stand for."""

    def __init__(self, video: VideoFormat, pause: Pause, clock: Callable[[], float] = time.monotonic) -> None:
        self._card = Card(video.width, video.height)
        self._fps = video.fps
        self._pause = pause
        self._clock = clock
        self._due = 0.0

    def read(self) -> Picture:
        now = self._clock()
        if now < self._due:
            self._pause(self._due - now)
            now = max(self._clock(), self._due)
        number = int(now * self._fps)
        self._due = (number + 1) / self._fps
        frame = self._card.draw(frame_number(now, self._fps), clock_text(time.time()))
        return Picture(frame, number / self._fps)

    def close(self) -> None:
        pass


def clock_text(now: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(now)) + f".{int(now * 1000) % 1000:03d}"


class LateSource:
    """Opens another source when it is read."""

    def __init__(self, open_: Callable[[], Source]) -> None:
        self._open = open_
        self._source: Source | None = None

    def read(self) -> Picture | Coded:
        if self._source is None:
            self._source = self._open()
        return self._source.read()

    def close(self) -> None:
        if self._source is not None:
            self._source.close()


class _NoKeyFrames(Exception):
    """A stream that people cannot join as it is."""


class StreamSource:
    """What FFmpeg opens: a camera (live: `pause` is None), or a file (played at its speed, over and over)."""

    def __init__(self, container: av.container.InputContainer, pause: Pause | None) -> None:
        self._container = container
        self._pause = pause
        if not container.streams.video:
            container.close()
            raise EngineError(f"{_shown(container.name)} has no pictures")
        self._stream = container.streams.video[0]
        # Of one thread: others hold pictures back, and deadlock when they are dropped.
        self._stream.thread_type = "NONE"
        self.passes_through = self._suits() if pause is None else self._suits() and self._has_key_frames()
        self._items: Iterator[Picture | Coded] = self._coded() if self.passes_through else self._pictures()

    def read(self) -> Picture | Coded:
        try:
            return next(self._items)
        except _NoKeyFrames:
            self.passes_through, self._items = False, self._pictures()
            return self.read()
        except StopIteration:
            raise EngineError("the camera stopped") from None
        except av.FFmpegError as error:
            raise EngineError(f"the camera failed: {error.strerror}") from None

    def close(self) -> None:
        self._container.close()

    def _suits(self) -> bool:
        """Whether peers can take the stream as it is: no picture waits for a later one. A file is to be constrained
        baseline; of a camera, which cannot be slowed down by encoding again, other profiles are taken."""
        context = self._stream.codec_context
        if context.name != "h264" or context.has_b_frames:
            return False
        return self._pause is None or "Baseline" in (context.profile or "")

    def _has_key_frames(self) -> bool:
        """Whether a file has them often enough for people who join."""
        last, base = 0.0, self._stream.time_base or 0
        for packet in self._container.demux(self._stream):
            if packet.pts is None:
                continue
            at = float(packet.pts * base)
            last = at if packet.is_keyframe else last
            if at - last > MAX_KEY_FRAME_PERIOD:
                break
        else:
            self._rewind()
            return True
        self._rewind()
        return False

    def _rewind(self) -> None:
        self._container.seek(0)
        self._stream.codec_context.flush_buffers()

    def _coded(self) -> Iterator[Coded]:
        """Parameter sets go before each key frame, and what is no picture is left out. Raises _NoKeyFrames where a
        decoder could begin, but no IDR picture is: who joins there would see nothing."""
        annex_b = BitStreamFilterContext("h264_mp4toannexb", self._stream)
        extra = bytes(self._stream.codec_context.extradata or b"")  # Annex B, or an avcC box that the filter reads
        sets = ParameterSets.of(split_annex_b(extra)) if extra.startswith(b"\0") else None
        for packet, captured in self._timed_packets():
            if not packet.size:
                continue
            begins = packet.is_keyframe  # not known of a packet that was filtered
            for filtered in annex_b.filter(packet):
                nals = split_annex_b(bytes(filtered))
                key = is_key_frame(nals)
                if begins and not key:
                    raise _NoKeyFrames
                sets = ParameterSets.of(nals) or sets
                before = sets.nals if key and sets is not None else ()
                slices = (nal for nal in nals if nal_type(nal) in {SLICE, IDR})
                yield Coded(join_annex_b((*before, *slices)), key, captured, passed_through=True)

    def _pictures(self) -> Iterator[Picture]:
        """From the first picture on with which a decoder can begin; a camera's broken ones are left out."""
        live, begun = self._pause is None, False
        for packet, captured in self._timed_packets():
            begun = begun or not live or packet.is_keyframe
            if not begun:
                continue
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                if not live:
                    raise
                begun = False
                continue
            for frame in frames:
                assert isinstance(frame, av.VideoFrame)
                yield Picture(fitting(frame), captured)

    def _timed_packets(self) -> Iterator[tuple[av.Packet[av.VideoStream], float]]:
        """The packets, and their monotonic times. The last one is empty, and empties the decoder."""
        return self._live() if self._pause is None else self._played(self._pause)

    def _live(self) -> Iterator[tuple[av.Packet[av.VideoStream], float]]:
        last = 0.0
        for packet in self._container.demux(self._stream):
            last = max(time.monotonic(), last + MIN_STEP)
            yield packet, last

    def _played(self, pause: Pause) -> Iterator[tuple[av.Packet[av.VideoStream], float]]:
        """Packets when they are due; a file begins again at its end."""
        while True:
            began, first, seen = time.monotonic(), None, False
            for packet in self._container.demux(self._stream):
                if packet.dts is None:
                    yield packet, time.monotonic()
                    continue
                seen = True
                at = float(packet.dts * (self._stream.time_base or 0))
                first = at if first is None else first
                due = began + at - first
                if (early := due - time.monotonic()) > 0:
                    pause(early)
                yield packet, due
            if not seen:
                return
            self._rewind()


class PipeSource:
    """Raw I420 pictures from the output of a program."""

    def __init__(self, command: list[str], video: VideoFormat) -> None:
        self._size = video.width, video.height
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        except OSError as error:
            raise EngineError(f"cannot run {command[0]}: {error.strerror}") from None

    def read(self) -> Picture:
        width, height = self._size
        assert self._process.stdout is not None
        data = self._process.stdout.read(width * height * 3 // 2)
        if len(data) < width * height * 3 // 2:
            raise EngineError("the camera program ended")
        captured = time.monotonic()
        frame = av.VideoFrame(width, height, "yuv420p")
        at = 0
        for plane in frame.planes:
            rows = plane.height
            lines = data[at : at + plane.width * rows]
            gap = bytes(plane.line_size - plane.width)
            plane.update(b"".join(lines[row * plane.width :][: plane.width] + gap for row in range(rows)))
            at += plane.width * rows
        return Picture(frame, captured)

    def close(self) -> None:
        with suppress(OSError):
            self._process.terminate()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def rpicam(video: VideoFormat) -> list[str]:
    """The command of a Raspberry Pi's camera."""
    size = ["--width", str(video.width), "--height", str(video.height), "--framerate", str(video.fps)]
    return ["rpicam-vid", "--timeout", "0", "--nopreview", "--codec", "yuv420", *size, "--output", "-"]


def fitting(frame: av.VideoFrame) -> av.VideoFrame:
    """As an encoder takes it: I420, at even sizes, no larger than 1280x720."""
    scale = min(1.0, 1280 / frame.width, 720 / frame.height)
    width, height = int(frame.width * scale) & ~1, int(frame.height * scale) & ~1
    if frame.format.name == "yuv420p" and (width, height) == (frame.width, frame.height):
        return frame
    return frame.reformat(width, height, "yuv420p")


def _open(camera: str, options: dict[str, str] | None = None, kind: str | None = None) -> av.container.InputContainer:
    try:
        timeout = (OPEN_TIMEOUT, READ_TIMEOUT) if camera.startswith("rtsp://") else None
        return av.open(camera, "r", format=kind, options=options or {}, timeout=timeout)
    except (av.FFmpegError, OSError) as error:
        raise EngineError(f"cannot open {_shown(camera)}: {error.strerror}") from None


def _shown(camera: str) -> str:
    """The name of a camera without its password, which some take in the path."""
    scheme, separator, rest = camera.partition("://")
    if not separator:
        return camera
    host, slash, path = rest.rpartition("@")[2].partition("/")
    return f"{scheme}://{host}{slash}{path if not set('=?&') & set(path) else '…'}"
