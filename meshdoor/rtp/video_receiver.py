"""The receiving side of one video stream: packets in, pictures that can be decoded out.

A picture is handed out when it is whole and so is everything that it refers to; otherwise pictures are left
out until the next key frame, and one is asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meshdoor.rtp import h264_depacketizer, vp8
from meshdoor.rtp.access_unit import AccessUnit
from meshdoor.rtp.frame_buffer import Frame, FrameBuffer
from meshdoor.rtp.packet import RtpPacket

KEY_FRAME_INTERVAL = 0.25  # s between requests; ours
MAX_READY = 64  # pictures that nobody took; ours


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """How a payload format makes pictures of packets."""

    depacketize: Callable[[Sequence[RtpPacket]], AccessUnit]
    starts_frame: Callable[[bytes], bool]
    starts_stream: Callable[[bytes], bool]


H264 = VideoFormat(h264_depacketizer.depacketize, h264_depacketizer.starts_frame, h264_depacketizer.starts_stream)
VP8 = VideoFormat(vp8.depacketize, vp8.starts_frame, vp8.starts_frame)


class VideoReceiver:
    """Verbs: receive, next_unit, take_nacks, take_key_frame_request, next_deadline, handle_timer."""

    def __init__(self, video_format: VideoFormat, nack: bool = False) -> None:
        self._format = video_format
        self.buffer = FrameBuffer(video_format.starts_frame, nack, video_format.starts_stream)
        self._ready: deque[AccessUnit] = deque(maxlen=MAX_READY)
        self._waiting = True  # for a key frame
        self._request_at: float | None = None
        self._asked = float("-inf")
        self.pictures_lost = 0

    def receive(self, packet: RtpPacket, now: float) -> None:
        self.buffer.receive(packet, now)
        self._drain(now)

    def handle_timer(self, now: float) -> None:
        self.buffer.handle_timer(now)
        self._drain(now)

    def next_unit(self) -> AccessUnit | None:
        """The next picture to decode."""
        return self._ready.popleft() if self._ready else None

    def take_nacks(self, now: float) -> tuple[int, ...]:
        """The sequence numbers to ask for now."""
        return self.buffer.take_nacks(now)

    def take_key_frame_request(self, now: float) -> bool:
        """Whether to send a PLI (or FIR) now."""
        if self._request_at is None or now < self._request_at:
            return False
        self._asked, self._request_at = now, now + KEY_FRAME_INTERVAL
        return True

    def decoder_failed(self, now: float) -> None:
        """The decoder could not use a picture: only a key frame helps."""
        self._want_key_frame(now)

    def next_deadline(self) -> float | None:
        """When to call `handle_timer`, `take_nacks` and `take_key_frame_request`."""
        times = (self.buffer.next_deadline(), self._request_at)
        return min((time for time in times if time is not None), default=None)

    def _drain(self, now: float) -> None:
        while (frame := self.buffer.next_frame()) is not None:
            self._judge(frame, self._format.depacketize(frame.packets), now)

    def _judge(self, frame: Frame, unit: AccessUnit, now: float) -> None:
        whole = frame.intact and unit.intact and unit.data
        if whole and (unit.key or (frame.continuous and not self._waiting)):
            self._waiting, self._request_at = False, None
            self._ready.append(unit)
        else:
            self.pictures_lost += 1
            self._want_key_frame(now)

    def _want_key_frame(self, now: float) -> None:
        self._waiting = True
        if self._request_at is None:
            self._request_at = max(now, self._asked + KEY_FRAME_INTERVAL)
