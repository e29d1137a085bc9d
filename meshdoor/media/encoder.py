"""Encoders of pictures, one for all who watch. They answer at once: a picture in, its access unit out.

A Pi up to the fourth has an encoder for H.264 of its own (`h264_v4l2m2m`). Its key frames come without parameter sets,
which are put in front of them here; and it may answer with the picture before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.video.frame import PictureType

from meshdoor.errors import EngineError
from meshdoor.media.plans import VideoFormat
from meshdoor.rtp.nal import IDR, SLICE, ParameterSets, is_key_frame, join_annex_b, nal_type, split_annex_b

CLOCK_RATE = 90_000  # Hz, of RTP timestamps of pictures (RFC 6184 §8.2.1, RFC 7741 §4.1)
KEY_FRAME_PERIOD = 10  # s between key frames that nobody asked for; ours

# One thread: more of them hold pictures back. Slices, scene cuts and B-frames are off for the same reason.
_X264 = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "forced-idr": "1"}
_X264_PARAMETERS = "repeat-headers=1:annexb=1:scenecut=0:sliced-threads=0"
_VPX = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "error-resilient": "1"}
_NAMES = {"H264": "libx264", "VP8": "libvpx"}
_HARDWARE = "h264_v4l2m2m"
_BASELINE = {"profile": "66"}  # profile_idc


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and the monotonic time at which it was taken."""

    frame: av.VideoFrame = field(repr=False)
    captured: float


@dataclass(frozen=True, slots=True)
class Coded:
    """An access unit: of H.264 an Annex B byte stream, of VP8 a frame. Where it is passed through, nobody can have a
    key frame by asking."""

    data: bytes = field(repr=False)
    key: bool
    captured: float
    passed_through: bool = False

    @property
    def timestamp(self) -> int:
        return int(self.captured * CLOCK_RATE) & 0xFFFFFFFF


class Encoder:
    """Constrained baseline H.264 with SPS and PPS before each key frame, or VP8."""

    def __init__(
        self, codec: str, video: VideoFormat, width: int, height: int, *, hardware: bool = False
    ) -> None:
        """`width` and `height` are those of the pictures. Raises EngineError for a codec that is not there."""
        self.codec = codec
        self.video = video
        self.size = width, height
        self.hardware = hardware and codec == "H264"
        self._sets: ParameterSets | None = None
        self._last_pts = -1
        try:
            self._context = self._open(video)
        except (KeyError, av.FFmpegError) as error:
            raise EngineError(f"cannot encode {codec}: {error}") from None

    def encode(self, picture: Picture, key: bool = False) -> Coded | None:
        """None when the encoder left the picture out. Raises EngineError."""
        frame = picture.frame
        # Never backwards, whatever the clock of a camera does.
        self._last_pts = frame.pts = max(self._last_pts + 1, int(picture.captured * CLOCK_RATE))
        frame.time_base = Fraction(1, CLOCK_RATE)
        frame.pict_type = PictureType.I if key else PictureType.NONE
        try:
            packets = self._context.encode(frame)
        except av.FFmpegError as error:
            raise EngineError(f"the encoder failed: {error}") from None
        if not packets:
            return None
        data = b"".join(map(bytes, packets))
        if self.hardware:
            return self._completed(data, packets[-1].pts)
        return Coded(data, any(packet.is_keyframe for packet in packets), picture.captured)

    def _completed(self, data: bytes, pts: int | None) -> Coded | None:
        """With parameter sets before a key frame. None for parameter sets alone."""
        nals = split_annex_b(data)
        own = ParameterSets.of(nals)
        self._sets = own or self._sets
        key = is_key_frame(nals)
        if key and own is None and self._sets is not None:
            data = join_annex_b((*self._sets.nals, *nals))
        pictured = any(nal_type(nal) in {SLICE, IDR} for nal in nals)
        captured = (self._last_pts if pts is None else pts) / CLOCK_RATE
        return Coded(data, key, captured) if pictured else None

    def _open(self, video: VideoFormat) -> av.VideoCodecContext:
        context = av.CodecContext.create(_HARDWARE if self.hardware else _NAMES[self.codec], "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height = self.size
        context.pix_fmt = "yuv420p"
        context.time_base = Fraction(1, CLOCK_RATE)
        context.framerate = Fraction(video.fps, 1)
        context.bit_rate = video.bitrate
        context.gop_size = KEY_FRAME_PERIOD * video.fps
        context.max_b_frames = 0
        context.thread_count = 1
        # Half a second of bits at most in one go, so that a key frame does not fill the queues of the network.
        rate = {"maxrate": str(video.bitrate), "bufsize": str(video.bitrate // 2)}
        x264 = _BASELINE if self.hardware else {**_X264, "x264-params": _X264_PARAMETERS}
        context.options = {**(x264 if self.codec == "H264" else _VPX), **rate}
        context.open()
        return context
