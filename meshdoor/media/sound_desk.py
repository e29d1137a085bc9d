"""The sound of this node: which microphone and speaker there are, what keeps it from hearing itself, and what rings.

With `auto` a sound card is used where there is one or a sound server, else something stands in, and it is said so.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from meshdoor.errors import EngineError
from meshdoor.media import echo, microphone, speaker, tones
from meshdoor.media.audio_sender import Talk
from meshdoor.media.background import Background
from meshdoor.media.card_sound import CardMicrophone, CardSpeaker
from meshdoor.media.cards import Cards, Tell
from meshdoor.media.messages import Chime, Hello, Ring, SoundCommand, Sounds
from meshdoor.media.playout import Playout
from meshdoor.media.reports import FAILED, OK, STAND_IN, Device
from meshdoor.media.ringer import Ringer, Ringing
from meshdoor.media.sdl_audio import SdlDriver, is_likely

log = logging.getLogger(__name__)

AUTO, CARD = "auto", "sdl"
MAX_TONES = 16  # kept ready; ours

Report = Callable[[Device], None]
D = TypeVar("D")


class SoundDesk:
    """Made in the loop; closed with `close`."""

    def __init__(self, hello: Hello, out_dir: Path | None, report: Report) -> None:
        """`report` is called in the loop with what happens to the devices."""
        self._loop = asyncio.get_running_loop()
        self._report = report
        self._cards = Cards(SdlDriver())
        self._work = Background("sounds")
        self._tones: dict[str, bytes] = {}
        self._wish = ""  # the tone that is to ring, while it is being made
        self.microphone = self._microphone(hello)
        self._speaker = self._loudspeaker(hello, out_dir)
        tell_microphone = partial(self._told, isinstance(self.microphone, CardMicrophone) or hello.microphone == AUTO)
        tell_speaker = partial(self._told, isinstance(self._speaker, CardSpeaker) or hello.speaker == AUTO)
        self.talk = Talk(self.microphone, time.monotonic, tell_microphone)
        self.playout = Playout(self._speaker, time.monotonic, tell_speaker)
        self._ringer = Ringer(self.playout, self._set_volume)
        self._choose_duplex(hello.echo)

    def handle(self, command: SoundCommand) -> None:
        """Sounds are made in the background, unless they are ready."""
        match command:
            case Sounds(volume, names):
                self._ringer.speak(volume)
                for name in names:
                    self._with_tone(name, lambda samples: None)
            case Ring(tone):
                self._wish = tone
                self._with_tone(tone, partial(self._ring, command))
            case Chime(tone, volume, yields):
                self._with_tone(tone, lambda samples: self._ringer.chime(samples, volume, yields))
            case _:
                self._wish = ""
                self._ringer.hush()

    def close(self) -> None:
        self.talk.close()
        self.playout.close()
        self._cards.close()
        self._work.close()

    def _microphone(self, hello: Hello) -> microphone.Microphone | None:
        kind, _, name = hello.microphone.partition(":")
        if kind == CARD or (kind == AUTO and is_likely(capture=True)):
            return CardMicrophone(self._cards, name, self._tell("microphone"))
        if kind == AUTO and is_likely(capture=False):
            self._report(Device("microphone", FAILED, "there is a speaker, but no microphone"))
            return microphone.SilentMicrophone()
        if kind == AUTO:
            self._report(Device("microphone", STAND_IN, "a tone: there is no sound card"))
        wanted = "tone" if kind == AUTO else hello.microphone
        return self._found("microphone", lambda: microphone.named(wanted, hello.name))

    def _loudspeaker(self, hello: Hello, out_dir: Path | None) -> speaker.Speaker | None:
        kind, _, name = hello.speaker.partition(":")
        if kind == CARD or (kind == AUTO and is_likely(capture=False)):
            return CardSpeaker(self._cards, name, self._tell("speaker"))
        if kind == AUTO:
            self._report(Device("speaker", STAND_IN, "silence: there is no sound card"))
        wanted = "null" if kind == AUTO else hello.speaker
        return self._found("speaker", lambda: speaker.named(wanted, out_dir))

    def _found(self, kind: str, make: Callable[[], D | None]) -> D | None:
        """A device that is not there is missed in calls; it does not keep them from being made."""
        try:
            return make()
        except EngineError as error:
            log.error("no %s: %s", kind, error)
            self._report(Device(kind, FAILED, str(error)))
            return None

    def _tell(self, kind: str) -> Tell:
        """For the thread of the cards."""
        return lambda state, text: self._in_loop(partial(self._report, Device(kind, state, text)))

    def _told(self, minded: bool, device: Device) -> None:
        """What Talk and Playout tell. Of a card it is the card that tells; what stands in was told of once."""
        if not minded:
            self._report(device)

    def _choose_duplex(self, wish: str) -> None:
        """Only a real microphone hears a real speaker."""
        if not isinstance(self.microphone, CardMicrophone) or not isinstance(self._speaker, CardSpeaker):
            return
        name = echo.chosen(wish)
        if name == echo.CANCEL:
            # Until it is loaded one side talks at a time.
            self._take_duplex(echo.named(echo.HALF_DUPLEX))
            self._work.do(lambda: self._in_loop(partial(self._take_duplex, echo.named(name))))
        else:
            self._take_duplex(echo.named(name))

    def _take_duplex(self, duplex: echo.Duplex) -> None:
        self.talk.duplex = self.playout.duplex = duplex
        self._report(Device("echo", OK, echo.DESCRIBED[duplex.name]))

    def _set_volume(self, volume: float) -> None:
        if isinstance(self._speaker, CardSpeaker):
            self._speaker.volume = volume

    def _ring(self, command: Ring, samples: bytes) -> None:
        if self._wish == command.tone:
            self._ringer.ring(Ringing(samples, command.volume, command.louder, command.louder_after))

    def _with_tone(self, name: str, use: Callable[[bytes], None]) -> None:
        """At once if it is kept ready, else when it was made."""
        ready = self._tones.get(name)
        if ready is not None:
            use(ready)
        else:
            self._work.do(lambda: self._make_tone(name, use))

    def _make_tone(self, name: str, use: Callable[[bytes], None]) -> None:
        """A sound file that cannot be read rings as the first tone of ours does: nobody is to miss a visitor."""
        samples = self._tones.get(name)
        if samples is None:
            try:
                samples = tones.named(name)
            except EngineError as error:
                log.error("%s", error)
                self._tell("tone")(FAILED, str(error))
                samples = tones.named(tones.FALLBACK)
        self._in_loop(partial(self._keep_tone, name, samples, use))

    def _keep_tone(self, name: str, samples: bytes, use: Callable[[bytes], None]) -> None:
        self._tones[name] = samples
        while len(self._tones) > MAX_TONES:
            del self._tones[next(iter(self._tones))]
        use(samples)

    def _in_loop(self, call: Callable[[], None]) -> None:
        """From a thread; what comes while the loop closes is of no use any more."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)


