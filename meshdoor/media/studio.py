"""The devices of this node and the streams made from them: what the legs share (`leg.Studio`)."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from pathlib import Path

from meshdoor.errors import EngineError
from meshdoor.media import still
from meshdoor.media.background import Background
from meshdoor.media.camera import CODECS, Camera, CameraCounters
from meshdoor.media.channel import Channel, Receiver, Sender
from meshdoor.media.encoder import Coded
from meshdoor.media.leg import Emit
from meshdoor.media.messages import Device, Hello, StreamPlan
from meshdoor.media.video_stream import PASSED_THROUGH, VideoSender, VideoStream


class NodeStudio:
    """Made in the loop; closed with `close`."""

    def __init__(self, hello: Hello, emit: Emit) -> None:
        self.audio_ssrc, self.video_ssrc = secrets.randbits(32), secrets.randbits(32)
        self._loop = asyncio.get_running_loop()
        self._emit = emit
        self._files = Background("files")
        self._camera: Camera | None = None
        self._streams = {codec: self._stream(codec) for codec in CODECS}
        if hello.camera != "none":
            self._camera = Camera(hello.camera, hello.video, self._coded, self._report)
        if hello.camera.startswith("rtsp://") or Path(hello.camera).is_file():
            self._streams["H264"].outlet.replay = PASSED_THROUGH

    @property
    def counters(self) -> CameraCounters:
        return self._camera.counters if self._camera is not None else CameraCounters()

    def video_sender(self, channel: Channel, plan: StreamPlan) -> Sender | None:
        stream = self._streams.get(plan.codec)
        if stream is None:
            raise EngineError(f"no pictures in {plan.codec}")
        return VideoSender(channel, stream) if self._camera is not None else None

    def audio_sender(self, channel: Channel, plan: StreamPlan) -> Sender | None:
        return None

    def audio_receiver(self, leg: str, channel: Channel, plan: StreamPlan, emit: Emit) -> Receiver | None:
        return None

    def video_receiver(self, leg: str, channel: Channel, plan: StreamPlan, emit: Emit) -> Receiver | None:
        return None

    def key_frame(self) -> None:
        for stream in self._streams.values():
            stream.outlet.want_key_frame()

    def capture(self, on: bool) -> None:
        if self._camera is not None:
            self._camera.warm(on)

    def snapshot(self, path: Path) -> None:
        """Writes the last picture of the camera, in the background. Raises EngineError when there is none."""
        frame = self._camera.last if self._camera is not None else None
        if frame is None:
            raise EngineError("the camera has no picture yet")
        self._files.do(partial(still.write, frame, path))

    def close(self) -> None:
        if self._camera is not None:
            self._camera.close()
        self._files.close()

    def _stream(self, codec: str) -> VideoStream:
        def want_key_frame() -> None:
            if self._camera is not None:
                self._camera.request_key_frame(codec)

        def watched(on: bool) -> None:
            if self._camera is not None:
                self._camera.want(codec, on)

        return VideoStream(codec, self.video_ssrc, want_key_frame, watched)

    def _coded(self, codec: str, coded: Coded) -> None:
        self._in_loop(self._streams[codec].deliver, coded)

    def _report(self, device: Device) -> None:
        self._in_loop(self._emit, device)

    def _in_loop(self, function: object, argument: object) -> None:
        """From the camera's thread; what comes while the loop closes is of no use any more."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, argument)  # type: ignore[arg-type]
