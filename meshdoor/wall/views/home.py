"""The clock with the state of the house, and the doors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from meshdoor.wall import layout
from meshdoor.wall.look import Look
from meshdoor.wall.model import Door, WallState
from meshdoor.wall.place import HOLD, Place, View, go
from meshdoor.wall.scene import Action, Align, Box, Scene, Weight
from meshdoor.wall.views.frame import GAP, Shape, cells, framed
from meshdoor.wall.views.paint import BODY, HEADING, Button, Painter, Type, message, thumb

BANNER: Final = 50
UPRIGHT, ACROSS = 2, 1  # banners over the doors: the rest is on the clock
ON_CLOCK: Final = 3


@dataclass(frozen=True, slots=True)
class Note:
    """What a person should know at a glance."""

    text: str
    symbol: str
    kind: str
    leads: Action | None = None


def notes(state: WallState, look: Look) -> Iterator[Note]:
    """The most important first."""
    words = look.words
    for door in state.doors:
        if door.contact in ("open", "left open"):
            key = "wall.open" if door.contact == "open" else "wall.leftopen"
            yield Note(words(key, door=door.name), "door", "warm" if door.contact == "open" else "bad")
    if state.missed:
        yield Note(words("home.missed", n=state.missed), "bell", "accent", go(View.VISITORS))
    away = [door.name for door in state.doors if door.state == "unreachable"]
    # A phone may well be away; what hangs on a wall may not.
    away += [room.name for room in state.rooms if room.state == "unreachable" and room.role != "phone"]
    if len(away) == 1:
        yield Note(words("wall.away", name=away[0]), "offline", "bad")
    elif away:
        yield Note(words("wall.away.many", n=len(away)), "offline", "bad", go(View.ROOMS))
    for door in state.doors:
        if not door.camera and door.state != "unreachable":
            yield Note(words("wall.nopicture", door=door.name), "eye", "bad")
    if not state.sound.speaker or not state.sound.microphone:
        key = "wall.nospeaker" if not state.sound.speaker else "wall.nomicrophone"
        yield Note(words(key), "muted", "bad")
    if state.quiet.now:
        yield Note(words("wall.quiet", time=state.quiet.end), "moon", "warm", go(View.SETTINGS))


def clock(place: Place, state: WallState, look: Look) -> Scene:
    """The time; a touch of it leads to the doors."""
    painter = Painter(look)
    colors, px, words = look.palette, look.px, look.words
    painter.fill(colors.paper)
    shown = list(notes(state, look))[:ON_CLOCK] or [Note(words("wall.well"), "check", "accent")]
    height = len(shown) * px(BANNER + GAP) + px(GAP)
    foot, face = layout.bottom(look.screen, height)
    painter.area(face, go(View.DOORS))
    moment = look.moment
    # It wanders, so that it does not burn in.
    drift = px((moment.minute * 7 + moment.hour * 3) % 25 - 12)
    inner = layout.inset(face, px(24), px(18))
    inner = Box(inner.x + drift, inner.y + drift // 2, inner.w, inner.h)
    under, time = layout.bottom(inner, px(92))
    painter.say(time, words.clock(moment), Type(min(168, inner.w // 4), Weight.LIGHT, Align.CENTER), colors.ink)
    date, home = layout.top(under, px(44), px(6))
    painter.say(date, words.date(moment), Type(26, Weight.REGULAR, Align.CENTER), colors.soft)
    painter.say(home, " · ".join(filter(None, (state.me.home, state.me.name))), BODY.centred, colors.quiet)
    strip = layout.middle(foot, min(foot.w - 2 * px(16), px(640)), foot.h - 2 * px(GAP))
    for box, note in zip(layout.rows(strip, len(shown), px(GAP)), shown, strict=True):
        painter.banner(box, note.text, note.symbol, note.kind, note.leads)
    return painter.scene()


def doors(place: Place, state: WallState, look: Look) -> Scene:
    """A card each: its last picture, looking through it, opening it."""
    painter, box = framed(look, state, View.DOORS)
    px = look.px
    for note in list(notes(state, look))[: UPRIGHT if look.portrait else ACROSS]:
        line, box = layout.top(box, px(BANNER), px(GAP))
        painter.banner(line, note.text, note.symbol, note.kind, note.leads)
    if not state.doors:
        message(painter, box, "door", (look.words("home.nodoors"), look.words("home.nodoors.text")))
        return painter.scene()
    shape = Shape(300, 236, stretch=True)
    for index, cell in cells(painter, box, len(state.doors), shape, place.page):
        _door(painter, cell, state.doors[index], state)
    return painter.scene()


def _door(painter: Painter, box: Box, door: Door, state: WallState) -> None:
    look = painter.look
    px, words, colors = look.px, look.words, look.palette
    painter.rect(box, colors.card, 22)
    foot, rest = layout.bottom(layout.inset(box, px(12)), px(54), px(8))
    title, above = layout.bottom(rest, px(34), px(8))
    _last_picture(painter, above, door)
    name, standing = layout.left(title, title.w // 2, px(8))
    painter.say(name, door.name, HEADING, colors.ink)
    painter.state(standing, door.state)
    reachable = door.state != "unreachable" and door.camera
    look_at = Button(words("door.look"), "eye", Action("monitor", (door.id,)) if reachable else None, "tonal")
    if not (door.lock and state.me.can_open):
        painter.button(foot, look_at)
        return
    opens = Button(words("door.open"), "unlock", Action("open", (door.id,)), "primary", HOLD)
    first, second = layout.left(foot, foot.w * 44 // 100, px(8))
    painter.button(first, look_at)
    painter.button(second, opens)


def _last_picture(painter: Painter, box: Box, door: Door) -> None:
    look = painter.look
    px, words, colors = look.px, look.words, look.palette
    thumb(painter, box, door.picture, 14)
    if door.picture and door.picture_at:
        moment = look.local(door.picture_at)
        text = f"{words.day(moment, look.moment)}, {words.clock(moment)}"
        strip = layout.bottom(layout.inset(box, px(8)), px(28))[0]
        tag = layout.right(strip, px(200))[0]
        painter.rect(tag, colors.card, 10)
        painter.say(layout.inset(tag, px(8), 0), text, Type(14, Weight.REGULAR, Align.CENTER), colors.ink)
    if not door.picture:
        below = layout.bottom(box, min(box.h // 4, px(40)))[0]
        painter.say(below, words("door.nopicture"), Type(14, Weight.REGULAR, Align.CENTER), colors.on_warm)
