"""What is heard: at each beat a piece of all voices together, given to the speaker."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from meshdoor.errors import EngineError
from meshdoor.media.echo import Duplex, Open
from meshdoor.media.metronome import Metronome
from meshdoor.media.reports import Device
from meshdoor.media.sound import mix
from meshdoor.media.speaker import Speaker

log = logging.getLogger(__name__)


class Voice(Protocol):
    """Sound from one peer. What it keeps in store against jitter is its own affair."""

    def pull(self, now: float) -> bytes | None:
        """The next piece; None when there is nothing to hear."""
        ...


class Stage(Protocol):
    """Where voices are heard: a `Playout`."""

    def add(self, voice: Voice) -> None: ...

    def remove(self, voice: Voice) -> None: ...

    def has_others(self, voice: Voice) -> bool:
        """Whether other voices than this one are to be heard."""
        ...


class Playout:
    """The speaker is open while there is a voice to hear. Without a speaker, voices are pulled all the same."""

    def __init__(
        self, speaker: Speaker | None, clock: Callable[[], float], tell: Callable[[Device], None] = lambda _: None
    ) -> None:
        self.metronome = Metronome(self._beat)
        self.duplex: Duplex = Open()
        self._speaker = speaker
        self._clock = clock
        self._tell = tell
        self._open = False
        self._voices: dict[Voice, None] = {}

    def add(self, voice: Voice) -> None:
        self._voices[voice] = None
        self._open_speaker()
        self.metronome.start()

    def remove(self, voice: Voice) -> None:
        """Also of one that is not there."""
        with suppress(KeyError):
            del self._voices[voice]
        if not self._voices:
            self.close()

    def has_others(self, voice: Voice) -> bool:
        return len(self._voices) > (voice in self._voices)

    def close(self) -> None:
        self._voices.clear()
        self.metronome.stop()
        if self._open and self._speaker is not None:
            self._open = False
            self._speaker.close()
            self._tell(Device("speaker", "idle"))

    def _beat(self, number: int) -> None:
        now = self._clock()
        heard = [piece for voice in tuple(self._voices) if (piece := voice.pull(now)) is not None]
        if self._open and self._speaker is not None:
            self._speaker.write(self.duplex.heard(mix(heard)))

    def _open_speaker(self) -> None:
        if self._open or self._speaker is None:
            return
        try:
            self._speaker.open()
        except EngineError as error:
            log.error("nothing can be heard: %s", error)
            self._tell(Device("speaker", "failed", str(error)))
            return
        self._open = True
        self._tell(Device("speaker", "ok"))
