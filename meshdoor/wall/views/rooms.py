"""The rooms and phones that can be called, and to whom a visitor can be handed over."""

from __future__ import annotations

from typing import Final

from meshdoor.wall import layout
from meshdoor.wall.look import Look
from meshdoor.wall.model import Room, WallState
from meshdoor.wall.place import Place, View
from meshdoor.wall.scene import Action, Box, Scene
from meshdoor.wall.views.frame import GAP, Shape, alone, cells, framed
from meshdoor.wall.views.paint import STRONG, Button, Painter, message

ROW: Final = Shape(420, 68)
CALLABLE: Final = ("ready", "ringing", "in call")
READY: Final = ("ready", "free")


def rooms(place: Place, state: WallState, look: Look) -> Scene:
    """Calling one, speaking to all, and quiet hours."""
    painter, box = framed(look, state, View.ROOMS)
    px, words = look.px, look.words
    top, box = layout.top(box, px(56), px(GAP))
    first, second = layout.columns(top, 2, px(GAP))
    someone = any(room.role == "screen" and room.state in CALLABLE for room in state.rooms)
    painter.button(first, Button(words("wall.page.all"), "sound", _talks(state, someone, Action("page")), "tonal"))
    painter.button(second, _quiet(state, look))
    if not state.rooms:
        message(painter, box, "screen", (words("wall.norooms"), words("wall.norooms.text")))
    for index, cell in cells(painter, box, len(state.rooms), ROW, place.page):
        room = state.rooms[index]
        act = _talks(state, room.state in CALLABLE, Action("call", (room.id,)))
        _row(painter, cell, room, Button(words("people.call"), "phone", act, "tonal"))
    return painter.scene()


def _talks(state: WallState, possible: bool, action: Action) -> Action | None:
    return action if possible and state.me.can_talk else None


def _quiet(state: WallState, look: Look) -> Button:
    """On or off now, whatever hours were set."""
    quiet, words = state.quiet, look.words
    text = words("wall.quiet.on", time=quiet.end) if quiet.on else words("wall.quiet.off")
    switch = Action("set", ("quiet", "off" if quiet.on else "on"))
    return Button(text, "moon", switch, "primary" if quiet.on else "plain")


def handover(place: Place, state: WallState, look: Look) -> Scene:
    """Whoever takes the visitor over."""
    painter, box = alone(look, look.words("call.handover.to"))
    ready = [room for room in state.rooms if room.state in READY]
    if not ready:
        message(painter, box, "screen", (look.words("call.handover.none"), ""))
    for index, cell in cells(painter, box, len(ready), ROW, place.page):
        act = Action("handover", (ready[index].id,))
        _row(painter, cell, ready[index], Button(look.words("call.handover"), "arrow", act, "tonal"))
    return painter.scene()


def _row(painter: Painter, box: Box, room: Room, button: Button) -> None:
    px, colors = painter.look.px, painter.look.palette
    painter.rect(box, colors.card, 16)
    inner = layout.inset(box, px(10), px(6))
    symbol, rest = layout.left(inner, px(40), px(12))
    painter.icon(layout.middle(symbol, px(26), px(26)), "mobile" if room.role == "phone" else "screen", colors.soft)
    act, rest = layout.right(rest, px(172), px(10))
    name, standing = layout.top(rest, rest.h * 55 // 100)
    painter.say(name, room.name, STRONG, colors.ink)
    painter.state(standing, room.state, room.at)
    painter.button(layout.middle(act, act.w, max(layout.TOUCH, act.h)), button)
