"""What a person sets on the screen on the wall; kept in `wall.json`, and as in the settings until then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Final

from meshdoor.config import Config
from meshdoor.control import Json
from meshdoor.errors import UserError
from meshdoor.node.wishes import Quiet
from meshdoor.settings.screen import MAX_SLEEP, THEMES
from meshdoor.settings.sound import TONES, hours_of
from meshdoor.wall import model

LANGUAGES: Final = ("en", "de", "fr")
MOST: Final = 10
NIGHT: Final = ("22:00", "07:00")
SWITCH: Final = {"on": True, "off": False}


@dataclass(frozen=True, slots=True)
class WallWishes:
    """`volume` and `brightness` go to 10; `sleep` in seconds."""

    volume: int = 8
    brightness: int = MOST
    tone: str = "chime"
    theme: str = "auto"
    language: str = ""
    sleep: int = 300
    quiet: bool = False
    quiet_from: str = NIGHT[0]
    quiet_to: str = NIGHT[1]

    @classmethod
    def of(cls, config: Config) -> WallWishes:
        """As the settings say."""
        screen, sound = config.screen, config.sound
        hours = hours_of(sound.quiet)
        begin, end = hours or NIGHT
        language = screen.language[:2]
        return cls(
            volume=round(sound.volume * MOST),
            tone=sound.tone,
            theme=screen.theme,
            language=language if language in LANGUAGES else "",
            sleep=screen.sleep,
            quiet=hours is not None,
            quiet_from=begin,
            quiet_to=end,
        )

    def with_stored(self, stored: Mapping[str, Json]) -> WallWishes:
        """What cannot be read of it is as it was."""
        wishes = self
        known = {field.name for field in fields(self)}
        for name, value in stored.items():
            if name in known and type(value) is type(getattr(self, name)):
                try:
                    wishes = wishes.set(name, _text(value))
                except UserError:
                    continue
        return wishes

    def set(self, name: str, value: str) -> WallWishes:
        """One of `meshdoor.wall.model.SETTINGS`, but for the name. Raises UserError."""
        choices: dict[str, Callable[[str], object]] = {
            "volume": lambda text: _number(text, 0, MOST),
            "brightness": lambda text: _number(text, 1, MOST),
            "tone": lambda text: _one_of(text, (*TONES, self.tone)),
            "theme": lambda text: _one_of(text, THEMES),
            "language": lambda text: _one_of(text, ("", *LANGUAGES)),
            "sleep": lambda text: _number(text, 0, MAX_SLEEP),
            "quiet": lambda text: SWITCH[_one_of(text, tuple(SWITCH))],
            "quiet_from": lambda text: _hours(text, self.quiet_to)[0],
            "quiet_to": lambda text: _hours(self.quiet_from, text)[1],
        }
        if name not in choices:
            raise UserError(f"{name}: no such setting")
        changed: dict[str, object] = {name: choices[name](value)}
        return replace(self, **changed)  # type: ignore[arg-type]

    def to_json(self) -> dict[str, Json]:
        return asdict(self)

    def hours(self) -> model.Quiet:
        """`now` is what the clock says."""
        return model.Quiet(self.quiet, self.quiet_from, self.quiet_to)

    def is_quiet(self, unix_now: float) -> bool:
        return self.quiet and self._span().covers(unix_now)

    def until_change(self, unix_now: float) -> float | None:
        """Seconds until quiet hours begin or end; None if there are none."""
        return self._span().until_change(unix_now) if self.quiet else None

    def settings(self) -> model.Settings:
        """As the wall shows them."""
        tones = TONES if self.tone in TONES else (*TONES, self.tone)
        return model.Settings(
            volume=self.volume,
            brightness=self.brightness,
            tone=self.tone,
            tones=tones,
            theme=self.theme,
            language=self.language,
            languages=LANGUAGES,
            sleep=self.sleep,
        )

    def _span(self) -> Quiet:
        return Quiet.parse(self.quiet_from, self.quiet_to, None)


def _text(value: Json) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _number(text: str, least: int, most: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise UserError(f"a number from {least} to {most} is needed")
    return int(text)


def _one_of(text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise UserError(f"{text!r} is none of {', '.join(filter(None, choices))}")
    return text


def _hours(begin: str, end: str) -> tuple[str, str]:
    _ = Quiet.parse(begin, end, None)
    return begin, end
