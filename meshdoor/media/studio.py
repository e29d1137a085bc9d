"""The devices of this node and the streams made from them: what the legs share (`leg.Studio`)."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from meshdoor.errors import EngineError
from meshdoor.media import display, still
from meshdoor.media.audio_receiver import AudioReceiver
from meshdoor.media.background import Background
from meshdoor.media.camera_desk import CameraDesk
from meshdoor.media.channel import Channel, Receiver, Sender
from meshdoor.media.leg import Emit
from meshdoor.media.messages import Hello
from meshdoor.media.plans import StreamPlan
from meshdoor.media.reports import Device, Event
from meshdoor.media.sound_desk import SoundDesk
from meshdoor.media.video_receiver import VideoReceiver

if TYPE_CHECKING:
    from meshdoor.media.wall import Wall

log = logging.getLogger(__name__)

D = TypeVar("D")
T = TypeVar("T")


class NodeStudio:
    """Made in the loop; closed with `close`."""

    def __init__(self, hello: Hello, emit: Emit) -> None:
        self.audio_ssrc = secrets.randbits(32)
        self.video_ssrc = self.audio_ssrc ^ 1  # never the same: browsers are sent both under one key
        self._loop = asyncio.get_running_loop()
        self._emit = emit
        self._files = Background("files")
        self.camera = CameraDesk(hello, self.video_ssrc, emit)
        out_dir = _made(hello.out_dir)
        self.wall = self._on_the_wall(hello)
        self._display = self.wall or self._found("display", lambda: display.named(hello.display, out_dir))
        self.sound = SoundDesk(hello, out_dir, emit)

    def video_sender(self, channel: Channel, plan: StreamPlan) -> Sender | None:
        return self.camera.sender(channel, plan)

    def audio_sender(self, channel: Channel, plan: StreamPlan) -> Sender | None:
        return self.sound.talk.sender(channel, plan) if self.sound.microphone is not None else None

    def audio_receiver(self, leg: str, channel: Channel, plan: StreamPlan, emit: Emit) -> Receiver | None:
        return AudioReceiver(leg, plan, self.sound.playout, emit)

    def video_receiver(self, leg: str, channel: Channel, plan: StreamPlan, emit: Emit) -> Receiver | None:
        return VideoReceiver(leg, channel, plan, self._display, emit) if self._display is not None else None

    def snapshot(self, path: Path) -> None:
        """Writes the last picture of the camera, in the background. Raises EngineError when there is none."""
        picture = self.camera.picture()
        self._files.do(lambda: still.write(picture(), path))

    def close(self) -> None:
        self.sound.close()
        self.camera.close()
        if self.wall is not None:
            self.wall.close()
        self._files.close()

    def _found(self, kind: str, make: Callable[[], D | None]) -> D | None:
        """A device that is not there is missed in calls; it does not keep them from being made."""
        try:
            return make()
        except EngineError as error:
            log.error("no %s: %s", kind, error)
            self._emit(Device(kind, "failed", str(error)))
            return None

    def _on_the_wall(self, hello: Hello) -> Wall | None:
        if hello.display not in ("sdl", "auto"):
            return None
        from meshdoor.media import wall  # a door needs none of it

        return wall.found(hello.display, hello.wall, self._report)

    def _report(self, event: Event) -> None:
        self._in_loop(self._emit, event)

    def _in_loop(self, function: Callable[[T], None], argument: T) -> None:
        """From the camera's thread; what comes while the loop closes is of no use any more."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, argument)


def _made(out_dir: str | None) -> Path | None:
    if out_dir is None:
        return None
    path = Path(out_dir)
    with suppress(OSError):  # told when the first file is written
        path.mkdir(parents=True, exist_ok=True)
    return path
