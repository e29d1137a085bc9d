"""What a person may set on this screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from meshdoor.wall import layout
from meshdoor.wall.look import Look
from meshdoor.wall.model import Settings, WallState
from meshdoor.wall.place import RENAME, Place, View, go
from meshdoor.wall.scene import Action, Align, Box, Scene, Weight
from meshdoor.wall.views.frame import Shape, cells, framed
from meshdoor.wall.views.paint import SMALL, STRONG, Button, Painter, Type
from meshdoor.wall.words import Words

ROW: Final = Shape(430, 78)
THEMES: Final = ("auto", "light", "dark")
LANGUAGES: Final = {"en": "English", "de": "Deutsch", "fr": "Français"}
SLEEPS: Final = (60, 300, 900, 3600, 0)  # seconds; 0 is never
HALF_HOUR, DAY = 30, 24 * 60  # minutes


@dataclass(frozen=True, slots=True)
class Row:
    """One setting: what it is now, what is before and after it, or a button. `note` says more."""

    title: str
    value: str = ""
    less: Action | None = None
    more: Action | None = None
    button: Button | None = None
    note: str = ""


def settings(place: Place, state: WallState, look: Look) -> Scene:
    """All of them."""
    painter, box = framed(look, state, View.SETTINGS)
    rows = list(_rows(state, look.words))
    for index, cell in cells(painter, box, len(rows), ROW, place.page):
        _row(painter, cell, rows[index])
    return painter.scene()


def _rows(state: WallState, words: Words) -> Iterator[Row]:
    now, quiet = state.settings, state.quiet
    yield _level(words("wall.volume"), "volume", now.volume, 0)
    yield _level(words("wall.brightness"), "brightness", now.brightness, 1)
    yield from _tone(now, words)
    yield Row(words("settings.quiet"), button=_switch("quiet", quiet.on, words), note=words("wall.quiet.text"))
    if quiet.on:
        yield _time(words("settings.quiet.from"), "quiet_from", quiet.begin)
        yield _time(words("settings.quiet.to"), "quiet_to", quiet.end)
    yield _choice(words("settings.theme"), "theme", THEMES, now.theme, lambda each: words(f"settings.theme.{each}"))
    yield _choice(words("settings.language"), "language", ("", *now.languages), now.language, partial(_language, words))
    sleeps = [str(each) for each in sorted({*SLEEPS, now.sleep}, key=lambda each: (each == 0, each))]
    yield _choice(words("wall.sleep"), "sleep", sleeps, str(now.sleep), partial(_duration, words))
    rename = Button(words("wall.change"), "", go(View.NAME, RENAME), "tonal")
    yield Row(words("settings.about.name"), button=rename, note=state.me.name)
    yield Row(state.me.home, note=f"{state.me.id}  {state.me.version}")


def _tone(now: Settings, words: Words) -> Iterator[Row]:
    yield _choice(words("wall.tone"), "tone", now.tones, now.tone, partial(_tone_name, words))
    play = Button(words("settings.bell.play"), "bell", Action("play", (now.tone,)), "tonal")
    yield Row(words("settings.bell"), button=play, note=words("settings.bell.text"))


def _switch(name: str, on: bool, words: Words) -> Button:
    text = words("wall.on" if on else "wall.off")
    return Button(text, "", _set(name, "off" if on else "on"), "primary" if on else "tonal")


def _set(name: str, value: str) -> Action:
    return Action("set", (name, value))


def _level(title: str, name: str, value: int, least: int) -> Row:
    less = _set(name, str(value - 1)) if value > least else None
    more = _set(name, str(value + 1)) if value < 10 else None
    return Row(title, str(value), less, more)


def _choice(title: str, name: str, values: Sequence[str], now: str, say: Callable[[str], str]) -> Row:
    """It goes around; what is not among the values is before the first."""
    at = values.index(now) if now in values else -1
    before, after = (_set(name, values[(at + step) % len(values)]) for step in (-1, 1))
    return Row(title, say(now), before, after)


def _time(title: str, name: str, value: str) -> Row:
    minutes = int(value[:2]) * 60 + int(value[3:5])
    earlier, later = (_set(name, _clock((minutes + step) % DAY)) for step in (-HALF_HOUR, HALF_HOUR))
    return Row(title, value, earlier, later)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _tone_name(words: Words, tone: str) -> str:
    """A file of one's own is called by its name."""
    return words.or_else(f"tone.{tone}", tone.rpartition("/")[2])


def _language(words: Words, name: str) -> str:
    return LANGUAGES.get(name, name) if name else words("settings.language.auto")


def _duration(words: Words, seconds: str) -> str:
    return words("wall.minutes", n=max(1, int(seconds) // 60)) if int(seconds) else words("wall.never")


def _row(painter: Painter, box: Box, row: Row) -> None:
    look = painter.look
    px, colors = look.px, look.palette
    painter.rect(box, colors.card, 16)
    inner = layout.inset(box, px(12), px(6))
    if row.button is not None:
        act, inner = layout.right(inner, px(150), px(10))
        painter.button(act, row.button)
    elif row.value:
        steps, inner = layout.right(inner, px(230), px(10))
        _steps(painter, steps, row)
    title, note = layout.top(inner, inner.h * 42 // 100) if row.note else (inner, inner)
    painter.say(title, row.title, STRONG.over(2), colors.ink)
    if row.note:
        painter.say(note, row.note, SMALL.over(2), colors.soft)


def _steps(painter: Painter, box: Box, row: Row) -> None:
    """`-` and `+` are drawn as arrows: they go through what there is."""
    side = painter.look.px(54)
    less, rest = layout.left(box, side)
    more, value = layout.right(rest, side)
    painter.button(less, Button("", "back", row.less, "tonal"))
    painter.button(more, Button("", "arrow", row.more, "tonal"))
    inner = layout.inset(value, painter.look.px(4), 0)
    painter.say(inner, row.value, Type(17, Weight.BOLD, Align.CENTER, 2), painter.look.palette.ink)
