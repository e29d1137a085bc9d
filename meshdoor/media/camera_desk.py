"""The camera of this node, and the streams that are made of it: what the legs share of it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import av

from meshdoor.errors import EngineError
from meshdoor.media import v4l2
from meshdoor.media.camera import Camera, Care
from meshdoor.media.channel import Channel, Sender
from meshdoor.media.encoder import Coded
from meshdoor.media.leg import Emit
from meshdoor.media.messages import Hello
from meshdoor.media.opening import NONE, Opener
from meshdoor.media.plans import StreamPlan
from meshdoor.media.renditions import Renditions, VideoSender
from meshdoor.media.tracks import CODECS, SMALL, TRACKS, CameraCounters
from meshdoor.media.video_stream import VideoStream, packetizer

T = TypeVar("T")


class CameraDesk:
    """Made in the loop; closed with `close`. Without a camera it gives no senders."""

    def __init__(self, hello: Hello, ssrc: int, emit: Emit) -> None:
        self._loop = asyncio.get_running_loop()
        self._ssrc = ssrc
        self._emit = emit
        self._camera: Camera | None = None
        offset = secrets.randbits(32)  # RFC 3550 §5.1: timestamps begin anywhere
        self._streams = {track: self._stream(track, offset) for track in TRACKS}
        if hello.camera != NONE:
            self._camera = self._made(hello)
            adapt = hello.pictures.adapt
            self._renditions = {codec: self._both(codec, self._camera, adapt) for codec in CODECS}

    @property
    def counters(self) -> CameraCounters:
        return self._camera.counters if self._camera is not None else CameraCounters()

    def sender(self, channel: Channel, plan: StreamPlan) -> Sender | None:
        """Raises EngineError for a codec that is not known."""
        if plan.codec not in CODECS:
            raise EngineError(f"no pictures in {plan.codec}")
        return VideoSender(channel, self._renditions[plan.codec]) if self._camera is not None else None

    def key_frame(self) -> None:
        for stream in self._streams.values():
            stream.outlet.want_key_frame()

    def capture(self, on: bool) -> None:
        if self._camera is not None:
            self._camera.warm(on)

    def picture(self) -> Callable[[], av.VideoFrame]:
        """See `Camera.picture`. Raises EngineError when there is none."""
        if self._camera is None:
            raise EngineError("there is no camera")
        return self._camera.picture()

    def close(self) -> None:
        if self._camera is not None:
            self._camera.close()

    def _made(self, hello: Hello) -> Camera:
        opener = Opener(hello.camera, hello.video, hello.pictures)
        care = Care(
            hello.pictures.parsed_masks(),
            opener.presence if opener.is_real else None,
            hello.pictures.encoder == "auto" and v4l2.has_encoder(),
        )
        return Camera(opener, hello.video, self._coded, partial(self._in_loop, self._emit), care)

    def _both(self, codec: str, camera: Camera, adapt: bool) -> Renditions:
        streams = self._streams[codec], self._streams[codec + SMALL]
        return Renditions(*streams, partial(camera.shrink, codec), adapt=adapt)

    def _stream(self, track: str, offset: int) -> VideoStream:
        def want_key_frame() -> None:
            if self._camera is not None:
                self._camera.request_key_frame(track)

        def watched(on: bool) -> None:
            if self._camera is not None:
                self._camera.want(track, on)

        return VideoStream(packetizer(track.removesuffix(SMALL)), self._ssrc, want_key_frame, watched, offset)

    def _coded(self, track: str, coded: Coded) -> None:
        self._in_loop(self._streams[track].deliver, coded)

    def _in_loop(self, function: Callable[[T], None], argument: T) -> None:
        """From the camera's thread; what comes while the loop closes is of no use any more."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, argument)
