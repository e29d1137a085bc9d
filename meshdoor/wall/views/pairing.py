"""Letting a phone or another node in, and being let in."""

from __future__ import annotations

from typing import Final

from meshdoor.wall import layout
from meshdoor.wall.look import Look
from meshdoor.wall.model import Invited, Newcomer, WallState
from meshdoor.wall.place import FOUND, INVITE, Place, View, go
from meshdoor.wall.scene import Action, Align, Box, Scene, Weight
from meshdoor.wall.views.frame import GAP, Shape, cells, framed
from meshdoor.wall.views.paint import BODY, HEADING, SMALL, STRONG, TITLE, Button, Painter, Type, message
from meshdoor.wall.words import left

ROW: Final = Shape(420, 68)
SYMBOLS: Final = {"door": "door", "lock": "unlock", "screen": "screen"}


def pairing(place: Place, state: WallState, look: Look) -> Scene:
    """A phone by its QR code, a node by the code that it shows."""
    painter, box = framed(look, state, View.PAIRING)
    px, words, colors = look.px, look.words, look.palette
    if not state.me.can_admit:
        message(painter, box, "shield", (words("wall.noadmit"), words("wall.noadmit.text")))
        return painter.scene()
    top, box = layout.top(box, px(60), px(GAP))
    painter.button(top, Button(words("people.add"), "mobile", go(View.NAME, INVITE), "primary"))
    title, box = layout.top(box, px(32), px(4))
    painter.say(title, words("wall.newcomers"), HEADING, colors.soft)
    if not state.newcomers:
        message(painter, box, "plus", (words("wall.newcomers.none"), words("wall.newcomers.none.text")))
    for index, cell in cells(painter, box, len(state.newcomers), ROW, place.page):
        _newcomer(painter, cell, state.newcomers[index])
    return painter.scene()


def _newcomer(painter: Painter, box: Box, newcomer: Newcomer) -> None:
    look = painter.look
    px, words, colors = look.px, look.words, look.palette
    painter.rect(box, colors.card, 16)
    inner = layout.inset(box, px(10), px(6))
    symbol, rest = layout.left(inner, px(40), px(12))
    painter.icon(layout.middle(symbol, px(26), px(26)), SYMBOLS.get(newcomer.role, "screen"), colors.soft)
    act, rest = layout.right(rest, px(150), px(10))
    name, number = layout.top(rest, rest.h * 55 // 100)
    painter.say(name, newcomer.name, STRONG, colors.ink)
    painter.say(number, newcomer.id, SMALL, colors.soft)
    button = Button(words("wall.letin"), "check", go(View.CODE, newcomer.id), "tonal")
    painter.button(layout.middle(act, act.w, max(layout.TOUCH, act.h)), button)


def invited(place: Place, state: WallState, look: Look) -> Scene:
    """The code that a new phone scans, until it is in or its time is over."""
    words, colors = look.words, look.palette
    painter = Painter(look)
    painter.fill(colors.paper)
    box = layout.inset(look.screen, look.px(20))
    invitation = state.invited
    if invitation is None or invitation.name != place.about:
        message(painter, _done(painter, box, "action.cancel"), "mobile", (words("wall.making"), ""))
    elif invitation.joined:
        rest = _done(painter, box, "add.done")
        message(painter, rest, "check", (words("add.joined", name=invitation.name), words("add.joined.text")))
    elif invitation.expires <= look.unix:
        message(painter, _done(painter, box, "action.close"), "close", (words("add.over"), ""))
    else:
        _code(painter, box, invitation)
    return painter.scene()


def _done(painter: Painter, box: Box, key: str) -> Box:
    foot, rest = layout.bottom(box, painter.look.px(60), painter.look.px(GAP))
    across = layout.middle(foot, painter.look.px(320), foot.h)
    painter.button(across, Button(painter.look.words(key), "", Action("withdraw"), "primary"))
    return rest


def _code(painter: Painter, box: Box, invitation: Invited) -> None:
    look = painter.look
    px, words, colors = look.px, look.words, look.palette
    if look.portrait:
        code, rest = layout.top(box, min(box.w, box.h * 6 // 10), px(20))
    else:
        code, rest = layout.left(box, min(box.h, box.w * 6 // 10), px(24))
    side = min(code.w, code.h)
    painter.picture(layout.middle(code, side, side), f"qr:{invitation.url}", radius=22)
    rest = _done(painter, rest, "action.cancel")
    words_box = layout.middle(rest, rest.w, px(200))
    title, under = layout.top(words_box, px(40), px(6))
    painter.say(title, invitation.name, TITLE.centred, colors.ink)
    text, under = layout.top(under, px(84), px(6))
    painter.say(text, words("add.scan"), BODY.centred.over(3), colors.soft)
    painter.say(under, words("add.left", time=left(invitation.expires - look.unix)), STRONG.centred, colors.ink)


def newcomer(place: Place, state: WallState, look: Look) -> Scene:
    """This node is in no home: the code that lets it in, or a home of its own."""
    painter = Painter(look)
    px, words, colors = look.px, look.words, look.palette
    painter.fill(colors.paper)
    box = layout.inset(look.screen, px(24), px(20))
    foot, box = layout.bottom(box, px(60), px(GAP))
    across = layout.middle(foot, px(380), foot.h)
    painter.button(across, Button(words("wall.found"), "door", go(View.NAME, FOUND), "tonal"))
    pairing_now = state.pairing
    code = "" if pairing_now is None else pairing_now.code
    wait = 0.0 if pairing_now is None else pairing_now.until - look.now
    whole = layout.middle(box, box.w, px(300))
    title, rest = layout.top(whole, px(44), px(4))
    painter.say(title, state.me.name, TITLE.centred, colors.ink)
    digits, rest = layout.top(rest, px(110), px(6))
    painter.say(digits, code, Type(min(84, digits.w // 7), Weight.BOLD, Align.CENTER), colors.accent_deep)
    text, rest = layout.top(rest, px(80), px(4))
    told = words("wall.unpaired.wait", time=left(wait)) if wait > 0 else words("wall.unpaired")
    painter.say(text, told, BODY.centred.over(3), colors.bad if wait > 0 else colors.soft)
    homes = "" if pairing_now is None else ", ".join(pairing_now.homes)
    if homes:
        painter.say(rest, words("wall.homes", homes=homes), SMALL.centred.over(2), colors.quiet)
    return painter.scene()


