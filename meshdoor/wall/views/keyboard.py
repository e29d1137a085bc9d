"""Typing on a wall: eight digits, or a name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from meshdoor.wall import layout
from meshdoor.wall.look import Look
from meshdoor.wall.model import WallState
from meshdoor.wall.place import ENTER, ERASE, FOUND, INVITE, LAYER, TYPE, Place
from meshdoor.wall.scene import Action, Align, Box, Color, Scene, Weight
from meshdoor.wall.typing import CODE, complete
from meshdoor.wall.views.frame import GAP, alone
from meshdoor.wall.views.paint import BODY, Button, Painter, Type

DIGITS: Final = ("123", "456", "789")
LETTERS: Final = {
    "en": ("qwertyuiop", "asdfghjkl", "zxcvbnm"),
    "de": ("qwertzuiop", "asdfghjkl", "yxcvbnm"),
    "fr": ("azertyuiop", "qsdfghjklm", "wxcvbn'"),
}
OTHERS: Final = {
    "en": ("1234567890", "-'.,&/()+", "éèüöäñç"),
    "de": ("1234567890", "äöüß-'.,&", "/()+éàè"),
    "fr": ("1234567890", "éèêëàâçùû", "îïôœ-.&"),
}
NEXT: Final = {"upper": "lower", "lower": "upper", "others": "lower"}
ASKS: Final = {INVITE: "add.name.hint", FOUND: "wall.found.name"}
KEY: Final = 2  # pixels between what is drawn of two keys; what can be touched has no gaps


def code(place: Place, state: WallState, look: Look) -> Scene:
    """The digits that a newcomer shows."""
    who = next((each.name for each in state.newcomers if each.id == place.about), place.about)
    painter, box = alone(look, look.words("wall.letin"))
    px, words, colors = look.px, look.words, look.palette
    if look.portrait:
        shown, pad = layout.top(box, px(190), px(GAP))
    else:
        shown, pad = layout.left(box, box.w * 45 // 100, px(24))
    asked, rest = layout.top(layout.middle(shown, shown.w, px(180)), px(72), px(GAP))
    painter.say(asked, words("wall.code", name=who), BODY.centred.over(3), colors.soft)
    field = layout.top(rest, px(80))[0]
    painter.rect(field, colors.card, 16)
    blank = place.typed.ljust(CODE, "·")
    painter.say(
        layout.inset(field, px(8)), f"{blank[:4]}-{blank[4:]}", Type(40, Weight.BOLD, Align.CENTER), colors.ink
    )
    _pad(painter, layout.middle(pad, min(pad.w, px(420)), min(pad.h, px(440))), place)
    return painter.scene()


def _pad(painter: Painter, box: Box, place: Place) -> None:
    *upper, last = layout.rows(box, 4)
    for row, digits in zip(upper, DIGITS, strict=True):
        for cell, digit in zip(layout.columns(row, 3), digits, strict=True):
            _key(painter, cell, digit, Action(TYPE, (digit,)))
    erase, zero, done = layout.columns(last, 3)
    _symbol(painter, erase, "back", Action(ERASE))
    _key(painter, zero, "0", Action(TYPE, ("0",)))
    _enter(painter, done, place)


def name(place: Place, state: WallState, look: Look) -> Scene:
    """A keyboard."""
    words, colors, px = look.words, look.palette, look.px
    painter, box = alone(look, words(ASKS.get(place.about, "wall.name")))
    keys, above = layout.bottom(Box(0, box.y, look.size.w, look.size.h - box.y), min(px(300), box.h * 7 // 10), px(GAP))
    field = layout.middle(layout.inset(above, px(16), 0), px(640), px(72))
    painter.rect(field, colors.card, 16)
    painter.say(layout.inset(field, px(14), px(6)), f"{place.typed}|", Type(30), colors.ink)
    first, second, third, last = layout.rows(keys, 4)
    table = OTHERS if place.layer == "others" else LETTERS
    lines = [line.upper() if place.layer == "upper" else line for line in table[words.language]]
    _keys(painter, first, lines[0])
    _keys(painter, second, lines[1])
    width = third.w * 3 // 20
    shift, rest = layout.left(third, width)
    erase, rest = layout.right(rest, width)
    _key(painter, shift, "ABC" if place.layer != "upper" else "abc", Action(LAYER, (NEXT[place.layer],)))
    _keys(painter, rest, lines[2])
    _symbol(painter, erase, "back", Action(ERASE))
    _last(painter, last, place)
    return painter.scene()


def _last(painter: Painter, box: Box, place: Place) -> None:
    layer = "lower" if place.layer == "others" else "others"
    other, rest = layout.left(box, box.w // 5)
    done, space = layout.right(rest, box.w // 4)
    _key(painter, other, "abc" if place.layer == "others" else "123", Action(LAYER, (layer,)))
    _key(painter, space, painter.look.words("wall.space"), Action(TYPE, (" ",)))
    _enter(painter, done, place)


def _keys(painter: Painter, box: Box, line: Sequence[str]) -> None:
    for cell, letter in zip(layout.columns(box, len(line)), line, strict=True):
        _key(painter, cell, letter, Action(TYPE, (letter,)))


def _key(painter: Painter, box: Box, text: str, action: Action) -> None:
    colors = painter.look.palette
    _face(painter, box, colors.card)
    painter.say(layout.inset(box, KEY), text, Type(22, Weight.REGULAR, Align.CENTER), colors.ink)
    painter.area(box, action)


def _symbol(painter: Painter, box: Box, name: str, action: Action) -> None:
    colors, px = painter.look.palette, painter.look.px
    _face(painter, box, colors.line)
    painter.icon(layout.middle(box, px(26), px(26)), name, colors.ink)
    painter.area(box, action)


def _enter(painter: Painter, box: Box, place: Place) -> None:
    action = Action(ENTER) if complete(place) else None
    painter.button(box, Button(painter.look.words("add.done"), "", action, "primary"))


def _face(painter: Painter, box: Box, color: Color) -> None:
    painter.rect(layout.inset(box, KEY), color, 10)
