"""Who was there: those whom nobody has seen yet come first."""

from __future__ import annotations

from typing import Final

from meshdoor.wall import layout
from meshdoor.wall.look import Look
from meshdoor.wall.model import Visit, WallState
from meshdoor.wall.place import BACK, Place, View, go
from meshdoor.wall.scene import Action, Align, Box, Scene, Weight
from meshdoor.wall.views.frame import GAP, Shape, alone, cells, framed
from meshdoor.wall.views.paint import BODY, SMALL, STRONG, Button, Painter, Type, message, thumb

ROW: Final = Shape(420, 80)
MISSED: Final = ("missed", "cancelled", "interrupted")


def is_new(visit: Visit) -> bool:
    """Was it missed, and not seen since?"""
    return visit.result in MISSED and not visit.seen


def visitors(place: Place, state: WallState, look: Look) -> Scene:
    """The history. A touch of a visit shows its picture."""
    painter, box = framed(look, state, View.VISITORS)
    if not state.visits:
        message(painter, box, "history", (look.words("history.empty"), look.words("history.empty.text")))
    ordered = sorted(state.visits, key=lambda visit: (not is_new(visit), -visit.at))
    for index, cell in cells(painter, box, len(ordered), ROW, place.page):
        _row(painter, cell, ordered[index])
    return painter.scene()


def _row(painter: Painter, box: Box, visit: Visit) -> None:
    look = painter.look
    px, words, colors = look.px, look.words, look.palette
    painter.rect(box, colors.card, 16)
    inner = layout.inset(box, px(8))
    small, rest = layout.left(inner, inner.h * 4 // 3, px(12))
    thumb(painter, small, visit.picture)
    when, rest = layout.right(rest, px(146), px(8))
    name, result = layout.top(rest, rest.h // 2)
    painter.say(name, visit.door, STRONG, colors.ink)
    painter.say(result, told(visit, look), SMALL.over(2), colors.bad if visit.result in MISSED else colors.soft)
    day, time = layout.top(when, when.h // 2)
    moment = look.local(visit.at)
    painter.say(day, words.day(moment, look.moment), SMALL.at_right, colors.soft)
    text = words.clock(moment)
    if is_new(visit):
        tag = layout.left(time, px(62), px(6))[0]
        mark = layout.middle(tag, tag.w, px(24))
        painter.rect(mark, colors.accent, 8)
        painter.say(mark, words("history.new"), Type(13, Weight.BOLD, Align.CENTER), colors.on_accent)
        time = layout.left(time, px(62), px(6))[1]
    painter.say(time, text, SMALL.at_right, colors.ink)
    if visit.picture:
        painter.area(box, go(View.VISIT, visit.id))


def told(visit: Visit, look: Look) -> str:
    """What became of it, in words."""
    words = look.words
    if visit.result == "answered":
        names = " → ".join((visit.by, *visit.then)) if visit.by else ""
        return words("history.answered", name=names) if names else words("history.answered.nobody")
    return words.or_else(f"history.{visit.result}", words("history.missed"))


def visit(place: Place, state: WallState, look: Look) -> Scene:
    """Its picture, as large as it goes."""
    painter, box = alone(look, look.words("history.title"))
    found = next((each for each in state.visits if each.id == place.about), None)
    if found is None:
        message(painter, box, "door", (look.words("history.empty"), ""))
        return painter.scene()
    px, words, colors = look.px, look.words, look.palette
    foot, above = layout.bottom(box, px(56), px(GAP))
    thumb(painter, above, "")
    painter.picture(above, f"file:{found.picture}", radius=12)
    close, caption = layout.right(foot, px(180), px(GAP))
    moment = look.local(found.at)
    when = f"{words.day(moment, look.moment)}, {words.clock(moment)}"
    upper, lower = layout.top(caption, caption.h // 2)
    painter.say(upper, words("history.picture", door=found.door, time=when), BODY, colors.ink)
    painter.say(lower, told(found, look), SMALL, colors.soft)
    painter.button(close, Button(words("action.close"), "close", Action(BACK), "tonal"))
    return painter.scene()
