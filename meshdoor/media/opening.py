"""From what `[media] camera` says to a source that is open. The settings of the camera hold for each."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from meshdoor.errors import EngineError
from meshdoor.media import cameras, pipe, streams
from meshdoor.media.cameras import FoundCamera
from meshdoor.media.plans import VideoFormat
from meshdoor.media.source import CardSource, LateSource, Pause, Source, StandIn
from meshdoor.settings.camera import CameraConfig

AUTO, CARD, NONE = "auto", "card", "none"


def open_source(
    camera: str, video: VideoFormat, pause: Pause = time.sleep, settings: CameraConfig | None = None
) -> Source:
    """`pause` waits for so many seconds, or less when the source is closed. Raises EngineError.

    A camera that may keep us waiting is opened by the first `read`."""
    settings = settings or CameraConfig()
    only = bool(settings.masks)
    if camera == CARD:
        return CardSource(video, pause)
    if camera.startswith(cameras.RPICAM):
        return LateSource(lambda: pipe.open_rpicam(camera, video, settings.options))
    if camera.startswith("rtsp://"):
        return LateSource(lambda: streams.open_rtsp(camera, pictures_only=only))
    if camera.startswith("/dev/"):
        return LateSource(lambda: streams.open_device(camera, video, pictures_only=only))
    if not Path(camera).is_file():
        raise EngineError(f"there is no camera or file {camera}")
    return streams.open_file(camera, pause, pictures_only=only)


class Opener:
    """Opens the camera of the settings, again and again. `auto` is what is there then: the test card stands in where
    there has never been one; one that was there and is gone is missed. To look for cameras takes a second on a Pi, so
    it is done when one may have come or gone."""

    def __init__(
        self,
        camera: str,
        video: VideoFormat,
        settings: CameraConfig,
        found: Callable[[], tuple[FoundCamera, ...]] = cameras.found,
        present: Callable[[], frozenset[str]] = cameras.present,
    ) -> None:
        self._camera = camera
        self._video = video
        self._settings = settings
        self._found = found
        self._present = present
        self._had: FoundCamera | None = None
        self._known: frozenset[str] | None = None  # what was present when it was found

    @property
    def is_real(self) -> bool:
        """Whether it can be missing or break, so that it is worth a look before anybody wants to see something."""
        return self._camera != CARD and not Path(self._camera).is_file()

    def __call__(self, pause: Pause) -> Source:
        if self._camera != AUTO:
            return open_source(self._camera, self._video, pause, self._settings)
        before = self._present()
        chosen, why = self._had, ""
        if chosen is None or before != self._known:
            chosen, why = cameras.choose(self._found())
        if chosen is not None:
            self._had, self._known = chosen, before
            return open_source(chosen.path, self._video, pause, self._settings)
        self._known = None
        if self._had is not None:
            raise EngineError(f"{self._had.name} is gone")
        return StandIn(self._video, pause, why, lambda: self._present() != before)

    def presence(self) -> object:
        """Cheap to ask; when it is another than before, it is worth looking at the camera again."""
        if self._camera == AUTO:
            return self._present()
        return Path(self._camera).exists()
