"""What rings at this node, and how loud: the media engine is told what is to be heard besides voices.

A visitor rings with the tone of this node and another room with its own; after a while it gets louder. In quiet hours
all of it is as loud as the settings say, which may be silent, and never gets louder. An alarm is heard at any time.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final, Protocol

from meshdoor.config import Config
from meshdoor.errors import EngineError
from meshdoor.media import messages as media
from meshdoor.media import reports
from meshdoor.node import journal
from meshdoor.node.wallwishes import WallWishes
from meshdoor.trust.grants import Result
from meshdoor.trust.permissions import Role

LOOK_AGAIN: Final = 30.0  # seconds while it rings: quiet hours may begin, and the clock may be set
LOUDEST: Final = 1.0
KNOCK, OPENED, PAGE, ALARM = "knock", "opened", "page", "alarm"

Event = dict[str, Any]


class Engine(Protocol):
    async def sound(self, command: media.SoundCommand) -> None:
        """Raises EngineError."""


class Sounding:
    """Told of all events of calls (`heard`) and of the media engine (`told`); `run` carries out what follows."""

    def __init__(self, config: Config, role: Role, engine: Engine) -> None:
        self._sound = config.sound
        self._role = role
        self._engine = engine
        self._wishes = WallWishes.of(config)
        self._bell = self._silenced = False
        self._rooms: set[int] = set()
        self._paged = -1
        self._ordered: media.Ring | media.Hush = media.Hush()
        self._commands: asyncio.Queue[media.SoundCommand] = asyncio.Queue()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_AGAIN if self._rings else None):
                    command = await self._commands.get()
            except TimeoutError:
                self._look()
                continue
            try:
                await self._engine.sound(command)
            except EngineError as error:
                journal.warn("sound", f"{error}")

    def heard(self, event: Event) -> None:
        """Something happened to a call."""
        match event:
            case {"event": "bell", "on": on}:
                self._bell, self._silenced = on, False
            case {"event": "visitor"}:
                self._silenced = False
            case {"event": "ring", "call": int(call), "on": on}:
                (self._rooms.add if on else self._rooms.discard)(call)
            case _:
                self._chime(event)
        self._look()

    def told(self, event: reports.Event) -> None:
        """An engine that is new knows nothing yet."""
        if isinstance(event, reports.EngineReady):
            tones = (self._wishes.tone, self._sound.room_tone, KNOCK, OPENED)
            door = (self._sound.door_tone,) if self._sound.door_tone else ()
            ready = door if self._role is Role.DOOR else tones
            self._put(media.Sounds(self._sound.talk_volume, ready))
            self._ordered = media.Hush()
            self._look()

    def wished(self, wishes: WallWishes) -> None:
        """A person set something at the screen on the wall."""
        self._wishes = wishes
        self._look()

    def silenced(self, visit: int) -> None:
        """A person does not want to hear this visitor; the next one is heard."""
        self._silenced = True
        self._look()

    @property
    def _rings(self) -> bool:
        return (self._bell and not self._silenced) or bool(self._rooms)

    def _chime(self, event: Event) -> None:
        match event:
            case {"event": "knock"}:
                self._once(KNOCK, self._volume())
            case {"event": "pressed"} if self._sound.door_tone and self._role is Role.DOOR:
                self._once(self._sound.door_tone, self._sound.volume, yields=True)
            case {"event": "lock", "result": Result.OPENED}:
                self._once(OPENED, self._sound.volume)
            case {"event": "alarm", "on": True}:
                self._once(ALARM, LOUDEST)
            case {"event": "monitored", "on": True}:
                self._once(PAGE, self._sound.volume)
            case {"event": "call", "kind": "page", "called": True, "call": int(call), "state": "connected" | "talking"}:
                if call != self._paged:
                    self._paged = call
                    self._once(PAGE, self._volume())

    def _once(self, tone: str, volume: float, *, yields: bool = False) -> None:
        if volume:
            self._put(media.Chime(tone, volume, yields))

    def _look(self) -> None:
        """Does what rings still ring as it should?"""
        wanted = self._wanted()
        if wanted != self._ordered:
            self._ordered = wanted
            self._put(wanted)

    def _wanted(self) -> media.Ring | media.Hush:
        volume = self._volume()
        if not self._rings or not volume:
            return media.Hush()
        visitor = self._bell and not self._silenced
        louder = volume if self._is_quiet() else max(volume, LOUDEST)
        return media.Ring(
            (self._wishes.tone if visitor else self._sound.room_tone) or self._wishes.tone,
            volume,
            louder,
            self._sound.louder_after,
        )

    def _volume(self) -> float:
        """Of what rings now; 0 for nothing at all."""
        wanted = self._wishes.volume / 10
        return min(wanted, self._sound.quiet_volume) if self._is_quiet() else wanted

    def _is_quiet(self) -> bool:
        return self._wishes.is_quiet(time.time())

    def _put(self, command: media.SoundCommand) -> None:
        self._commands.put_nowait(command)
