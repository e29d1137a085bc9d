"""Pictures from what FFmpeg opens: USB cameras by V4L2, RTSP cameras, files."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from typing import cast

import av
from av.bitstream import BitStreamFilterContext
from av.video.reformatter import VideoReformatter

from meshdoor.errors import EngineError
from meshdoor.media import v4l2
from meshdoor.media.encoder import Coded, Picture
from meshdoor.media.plans import VideoFormat
from meshdoor.media.source import Pause
from meshdoor.rtp.nal import IDR, SLICE, ParameterSets, is_key_frame, join_annex_b, nal_type, split_annex_b

OPEN_TIMEOUT, READ_TIMEOUT = 5.0, 3.0  # s, of cameras; ours
POLL = 0.004  # s between looks whether a USB camera has a picture; ours
MIN_STEP = 0.001  # s between pictures of a camera that come all at once; two may not share a timestamp; ours
# By TCP where the camera takes it. Its frame rate is not waited for: it is of no use here, and takes 20 pictures.
RTSP = {"rtsp_flags": "prefer_tcp", "fpsprobesize": "0"}
# A device that gives nothing is not waited for in the kernel, where nobody could make an end of it.
DEVICE = {"fflags": "+4"}  # AVFMT_FLAG_NONBLOCK, which has no name there
# And where each picture stands alone, those that were looked at to know the format are not kept: they are old by then,
# and see `StreamSource._own`.
DEVICE_OF_PICTURES = {"fflags": "+4+nobuffer"}
MAX_BUFFERS = 256  # of a device; FFmpeg asks for no more
MAX_KEY_FRAME_PERIOD = 2.0  # s: a file with rarer key frames is encoded again; ours
MAX_LIVE_PERIOD = 5.0  # s: and so is a camera's stream; ours


class _NoKeyFrames(Exception):
    """A stream that people cannot join as it is, or not soon."""


Items = Generator[Picture | Coded, None, None]


class StreamSource:
    """What FFmpeg opens: a camera (live: `pause` is None), or a file (played at its speed, over and over)."""

    stand_in = ""

    def __init__(
        self, container: av.container.InputContainer, pause: Pause | None, *, pictures_only: bool = False
    ) -> None:
        """`pictures_only`: also H.264 is decoded, since something is to be done to the pictures."""
        self._container = container
        self._pause = pause
        self._stopped = False
        self._again: tuple[av.Packet[av.VideoStream], float] | None = None
        self._fit = VideoReformatter()
        self._is_device = "v4l2" in container.format.name
        if not container.streams.video:
            container.close()
            raise EngineError(f"{_shown(container.name)} has no pictures")
        self._stream = container.streams.video[0]
        # Of one thread: others hold pictures back, and deadlock when they are dropped.
        self._stream.thread_type = "NONE"
        suits = not pictures_only and self._suits()
        self.passes_through = suits if pause is None else suits and self._has_key_frames()
        self._items: Items = self._coded() if self.passes_through else self._pictures()

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

    def stop(self) -> None:
        self._stopped = True

    def close(self) -> None:
        self._items.close()
        if self._is_device:
            self._give_back()
        self._container.close()

    def _give_back(self) -> None:
        """What FFmpeg has read to know the stream, and nobody has fetched: see `_own`."""
        packets = self._container.demux(self._stream)
        with suppress(av.FFmpegError, StopIteration):
            for _ in range(MAX_BUFFERS):
                next(packets)

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

    def _coded(self) -> Items:
        """Parameter sets go before each key frame, and what is no picture is left out. Raises _NoKeyFrames where a
        decoder could begin, but no IDR picture is: who joins there would see nothing. And where a camera's key frames
        are rare."""
        annex_b = BitStreamFilterContext("h264_mp4toannexb", self._stream)
        extra = bytes(self._stream.codec_context.extradata or b"")  # Annex B, or an avcC box that the filter reads
        sets = ParameterSets.of(split_annex_b(extra)) if extra.startswith(b"\0") else None
        last_key = None
        for packet, captured in self._timed_packets():
            if not packet.size:
                continue
            begins = packet.is_keyframe  # not known of a packet that was filtered
            if begins:
                self._check_period(packet, captured, last_key)
                last_key = captured
            for filtered in annex_b.filter(packet):
                nals = split_annex_b(bytes(filtered))
                key = is_key_frame(nals)
                if begins and not key:
                    raise _NoKeyFrames
                sets = ParameterSets.of(nals) or sets
                before = sets.nals if key and sets is not None else ()
                slices = (nal for nal in nals if nal_type(nal) in {SLICE, IDR})
                yield Coded(join_annex_b((*before, *slices)), key, captured, passed_through=True)

    def _check_period(
        self, packet: av.Packet[av.VideoStream], captured: float, last_key: float | None
    ) -> None:
        """A decoder begins with this packet, which is read once more then."""
        if self._pause is None and last_key is not None and captured - last_key > MAX_LIVE_PERIOD:
            self._again = packet, captured
            raise _NoKeyFrames

    def _pictures(self) -> Items:
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
                yield Picture(fitting(frame, self._fit), captured)

    def _timed_packets(self) -> Iterator[tuple[av.Packet[av.VideoStream], float]]:
        """The packets, and their monotonic times. The last one is empty, and empties the decoder."""
        return self._live() if self._pause is None else self._played(self._pause)

    def _live(self) -> Iterator[tuple[av.Packet[av.VideoStream], float]]:
        last = 0.0
        again, self._again = self._again, None
        if again is not None:
            yield again
            last = again[1]
        for packet in map(self._own, self._demuxed()):
            last = max(time.monotonic(), last + MIN_STEP)
            yield packet, last

    def _demuxed(self) -> Iterator[av.Packet[av.VideoStream]]:
        """Waits for a device that has nothing yet, until it is stopped."""
        while True:
            try:
                yield from self._container.demux(self._stream)
                return
            except av.BlockingIOError:
                if self._stopped:
                    raise EngineError("the camera gives no pictures") from None
                time.sleep(POLL)

    def _own(self, packet: av.Packet[av.VideoStream]) -> av.Packet[av.VideoStream]:
        """What a V4L2 device gives lies in its memory, and is given back to it even when it was closed before, which
        is the end of the process."""
        if not packet.size or not self._is_device:
            return packet
        copy = cast("av.Packet[av.VideoStream]", av.Packet(bytes(packet)))
        copy.stream = self._stream
        copy.time_base, copy.pts, copy.dts = packet.time_base, packet.pts, packet.dts
        copy.is_keyframe = packet.is_keyframe
        return copy

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


def fitting(frame: av.VideoFrame, reformatter: VideoReformatter | None = None) -> av.VideoFrame:
    """As an encoder takes it: I420, at even sizes, no larger than 1280x720."""
    scale = min(1.0, 1280 / frame.width, 720 / frame.height)
    width, height = int(frame.width * scale) & ~1, int(frame.height * scale) & ~1
    if frame.format.name == "yuv420p" and (width, height) == (frame.width, frame.height):
        return frame
    return (reformatter or VideoReformatter()).reformat(frame, width, height, "yuv420p")


def open_rtsp(url: str, *, pictures_only: bool = False) -> StreamSource:
    """Raises EngineError."""
    return StreamSource(_open(url, RTSP, patient=False), None, pictures_only=pictures_only)


def open_file(path: str, pause: Pause, *, pictures_only: bool = False) -> StreamSource:
    """Raises EngineError."""
    return StreamSource(_open(path, {}), pause, pictures_only=pictures_only)


def open_device(path: str, video: VideoFormat, *, pictures_only: bool = False) -> StreamSource:
    """A V4L2 device, in the format of it that costs least. One that cannot be asked for this size or rate gives what it
    gives. Raises EngineError."""
    device = v4l2.examine(path)
    formats = [name for name in (device.formats if device else ()) if not (pictures_only and name == "h264")]
    asked = _asked_of_device(formats)
    wish = {"video_size": f"{video.width}x{video.height}", "framerate": str(video.fps)}
    try:
        container = _open(path, asked | wish, "v4l2", patient=False)
    except EngineError:
        if device is None:
            raise
        container = _open(path, asked, "v4l2", patient=False)
    return StreamSource(container, None, pictures_only=pictures_only)


def _asked_of_device(formats: Sequence[str]) -> dict[str, str]:
    if not formats:
        return DEVICE
    return (DEVICE if formats[0] == "h264" else DEVICE_OF_PICTURES) | {"input_format": formats[0]}


def _open(
    camera: str, options: dict[str, str], kind: str | None = None, *, patient: bool = True
) -> av.container.InputContainer:
    try:
        timeout = None if patient else (OPEN_TIMEOUT, READ_TIMEOUT)
        return av.open(camera, "r", format=kind, options=options, timeout=timeout)
    except (av.FFmpegError, OSError) as error:
        raise EngineError(f"cannot open {_shown(camera)}: {error.strerror}") from None


def _shown(camera: str) -> str:
    """The name of a camera without its password, which some take in the path."""
    scheme, separator, rest = camera.partition("://")
    if not separator:
        return camera
    host, slash, path = rest.rpartition("@")[2].partition("/")
    return f"{scheme}://{host}{slash}{path if not set('=?&') & set(path) else '…'}"
