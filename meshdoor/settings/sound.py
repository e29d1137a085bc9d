"""How a node sounds.

    [sound]
    tone = "chime"              # how a visitor rings: chime, bell, gong, marimba, buzzer, or a sound file
    room_tone = "marimba"       # how another room rings
    volume = 0.8                # of what rings, 0 to 1
    talk_volume = 1.0           # of who speaks
    louder_after = 15.0         # seconds of ringing after which it is as loud as can be; 0 for never
    quiet = "22:00-07:00"       # quiet hours, by the clock of this node; "" for none
    quiet_volume = 0.0          # of what rings in them; 0 is silent
    door_tone = "chime"         # what a visitor hears after the press; "" for nothing
    echo = "auto"               # aec, half-duplex (one side talks at a time), off (a handset)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from meshdoor.errors import ConfigError

TONES: Final = ("chime", "bell", "gong", "marimba", "buzzer")
ECHO: Final = ("auto", "aec", "half-duplex", "off")
MAX_LOUDER_AFTER: Final = 120.0

_HOURS = re.compile(r"(([01]\d|2[0-3]):[0-5]\d)-(([01]\d|2[0-3]):[0-5]\d)")


@dataclass(frozen=True, slots=True)
class SoundConfig:
    """See above."""

    tone: str = "chime"
    room_tone: str = "marimba"
    volume: float = 0.8
    talk_volume: float = 1.0
    louder_after: float = 15.0
    quiet: str = ""
    quiet_volume: float = 0.0
    door_tone: str = "chime"
    echo: str = "auto"

    def __post_init__(self) -> None:
        for name in ("volume", "talk_volume", "quiet_volume"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"sound.{name}: {getattr(self, name)} is not from 0 to 1")
        if not 0.0 <= self.louder_after <= MAX_LOUDER_AFTER:
            raise ConfigError(f"sound.louder_after: not from 0 to {MAX_LOUDER_AFTER:.0f} seconds")
        if self.echo not in ECHO:
            raise ConfigError(f"sound.echo: {self.echo!r} is none of {', '.join(ECHO)}")
        for tone in (self.tone, self.room_tone, self.door_tone):
            check_tone(tone)
        hours_of(self.quiet)


def check_tone(tone: str) -> str:
    """One of ours, a path, or nothing at all. Raises ConfigError."""
    if tone and tone not in TONES and "/" not in tone:
        raise ConfigError(f"sound: {tone!r} is none of {', '.join(TONES)}", "a sound file is given with its path")
    return tone


def hours_of(text: str) -> tuple[str, str] | None:
    """The beginning and the end of quiet hours; None for none. Raises ConfigError."""
    if not text:
        return None
    found = _HOURS.fullmatch(text)
    if found is None or found[1] == found[3]:
        raise ConfigError(f"sound.quiet: {text!r} are no hours", "for example: 22:00-07:00")
    return found[1], found[3]
