"""Somebody rings, or talks: the picture as large as it goes, the words and the buttons over it. Dark in every theme."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meshdoor.wall import layout, palette
from meshdoor.wall.look import Look
from meshdoor.wall.model import Call, Visitor, WallState
from meshdoor.wall.place import HOLD, Place, View, go
from meshdoor.wall.scene import Action, Align, Box, Scene, Weight
from meshdoor.wall.views.paint import BODY, TITLE, Button, Painter, Type
from meshdoor.wall.words import Words, left

TALKS: Final = ("connected", "asking", "talking")
CONTROLS: Final = 124  # the height of the round buttons with their words
OTHER: Final = 64  # of a row of another visitor
OTHERS: Final = 2  # rows at most: three doors at once is a busy house
WIDEST: Final = 620


def front(state: WallState) -> Visitor | Call | None:
    """Whom the view is about: who talks, else who rings."""
    if state.talking is not None:
        return state.talking
    if state.call is not None and state.call.state in TALKS:
        return state.call
    return next(iter(state.waiting), None) or state.call


def call(place: Place, state: WallState, look: Look) -> Scene:
    """The layer of a call."""
    painter = Painter(look)
    painter.fill(palette.STAGE)
    about = front(state)
    if about is None:
        return painter.scene()
    px = look.px
    head, rest = layout.top(look.screen, px(96))
    foot, rest = layout.bottom(rest, px(CONTROLS + 12))
    others = [each for each in state.waiting if each is not about][:OTHERS]
    if isinstance(about, Visitor) and state.call is not None:
        others = others[: OTHERS - 1]
    notes = list(_notes(about, state, look.words))[:2]
    under, rest = layout.bottom(rest, len(others) * px(OTHER + 8) + len(notes) * px(52))
    _picture(painter, rest if look.portrait else look.screen, about)
    if not look.portrait:
        painter.rect(head, palette.VEIL)
        painter.rect(foot, palette.VEIL)
    _head(painter, head, about)
    _under(painter, under, notes, others)
    _controls(painter, layout.top(foot, px(CONTROLS))[0], list(_buttons(about, state, look.words)))
    return painter.scene()


def _picture(painter: Painter, box: Box, about: Visitor | Call) -> None:
    look = painter.look
    side = look.px(64)
    symbol = "screen" if isinstance(about, Call) and about.kind != "monitor" else "door"
    whole = layout.middle(box, look.px(420), look.px(130))
    face, words = layout.top(whole, side, look.px(12))
    painter.icon(layout.middle(face, side, side), symbol, palette.DIM_ON_STAGE)
    if symbol == "door":
        key = "ring.nopicture" if about.picture == "coming" else "wall.nopicture"
        text = look.words(key, door=about.name) if about.picture != "live" else ""
        painter.say(words, text, BODY.centred.over(2), palette.DIM_ON_STAGE)
    if about.leg and about.picture == "live":
        # Upright, the sides are cut a little.
        upright = layout.middle(box, box.w, box.w * 3 // 4)
        painter.picture(upright if look.portrait else box, f"leg:{about.leg}", cover=look.portrait)


def _head(painter: Painter, box: Box, about: Visitor | Call) -> None:
    look = painter.look
    px = look.px
    inner = layout.inset(box, px(24), px(10))
    if isinstance(about, Visitor) and about.state != "talking":
        bell, inner = layout.right(inner, px(56), px(12))
        where = layout.middle(bell, px(56), px(56))
        painter.rect(where, palette.GLASS, 28)
        symbol = "silent" if about.silenced else "bell"
        painter.icon(layout.middle(where, px(28), px(28)), symbol, palette.ON_STAGE)
        if not about.silenced:
            painter.area(where, Action("silence", (about.number,)))
    title, line = layout.top(inner, px(36))
    painter.say(title, about.name or look.words("ring.visitor"), TITLE, palette.ON_STAGE)
    if about.state in TALKS:
        time, line = layout.right(line, px(80), px(10))
        painter.say(time, left(look.now - about.since), BODY.at_right, palette.TIME_ON_STAGE)
    elif _rings(about):
        dot, line = layout.left(line, px(10), px(8))
        painter.rect(layout.middle(dot, px(10), px(10)), palette.WAITING, 5)
    painter.say(line, told(about, look.words), BODY.over(2), palette.SOFT_ON_STAGE)


def _rings(about: Visitor | Call) -> bool:
    return about.state in ("ringing", "knocking", "alerting") and not (isinstance(about, Call) and not about.incoming)


def told(about: Visitor | Call, words: Words) -> str:
    """What goes on, in words."""
    if about.muted:
        return words("call.muted")
    if isinstance(about, Visitor):
        if about.state == "talking":
            return words("call.talking")
        return words("wall.given", name=about.giver) if about.giver else words("ring.visitor")
    if about.kind == "page":
        return words("wall.paged", name=about.name) if about.incoming else words("wall.paging")
    if about.state not in TALKS:
        return _beginning(about, words)
    looks = about.kind == "monitor" and about.state != "talking"
    return words("call.looking", door=about.name) if looks else words("call.talking")


def _beginning(about: Call, words: Words) -> str:
    if about.kind == "monitor":
        return words("ring.connecting")
    key = {"alerting": "ring.calls", "calling": "call.calling"}.get(about.state, "call.ringing")
    return words(key, name=about.name)


def _notes(about: Visitor | Call, state: WallState, words: Words) -> Iterator[tuple[str, str]]:
    """What a person should know while it goes on: a symbol and a text."""
    if not state.sound.microphone:
        yield "muted", words("call.microphone.absent")
    elif state.sound.half_duplex and about.state in TALKS:
        yield "sound", words(f"wall.floor.{state.sound.floor or 'free'}")


def _under(painter: Painter, box: Box, notes: list[tuple[str, str]], others: list[Visitor]) -> None:
    px = painter.look.px
    box = layout.middle(box, min(px(WIDEST), box.w - 2 * px(16)), box.h)
    for symbol, text in notes:
        line, box = layout.top(box, px(44), px(8))
        painter.banner(line, text, symbol, "stage")
    for other in others:
        line, box = layout.top(box, px(OTHER), px(8))
        _other(painter, line, other)


def _other(painter: Painter, box: Box, visitor: Visitor) -> None:
    """Somebody is at another door."""
    px, words = painter.look.px, painter.look.words
    painter.rect(box, palette.PANEL, 18)
    inner = layout.inset(box, px(10), px(6))
    answer, rest = layout.right(inner, px(160), px(8))
    decline, rest = layout.right(rest, px(124), px(8))
    painter.button(answer, Button(words("ring.answer"), "phone", Action("answer", (visitor.number,)), "yes"))
    painter.button(decline, Button(words("ring.decline"), "", Action("decline", (visitor.number,)), "glass"))
    painter.say(rest, words("ring.also", door=visitor.name), Type(16, Weight.BOLD, Align.LEFT, 2), palette.ON_NOTICE)


def _buttons(about: Visitor | Call, state: WallState, words: Words) -> Iterator[Button]:
    """From left to right."""
    if isinstance(about, Visitor):
        yield from _of_visitor(about, state, words)
    elif about.state == "alerting":
        yield Button(words("ring.decline"), "hangup", Action("refuse", (about.number,)), "no")
        yield Button(words("ring.answer"), "phone", Action("accept", (about.number,)), "yes")
    else:
        yield from _of_call(about, state, words)


def _of_visitor(visitor: Visitor, state: WallState, words: Words) -> Iterator[Button]:
    if visitor.state == "talking":
        yield _mute(visitor, words)
        yield from _open(visitor.door, visitor.lock, state, words)
        yield Button(words("call.handover"), "arrow", go(View.HANDOVER), "glass")
        yield Button(words("call.hangup"), "hangup", Action("hangup"), "no")
        return
    yield Button(words("ring.decline"), "hangup", Action("decline", (visitor.number,)), "no")
    yield from _open(visitor.door, visitor.lock, state, words)
    if state.me.can_talk:
        yield Button(words("ring.answer"), "phone", Action("answer", (visitor.number,)), "yes")


def _of_call(about: Call, state: WallState, words: Words) -> Iterator[Button]:
    looks = about.kind == "monitor" and about.state != "talking"
    hears = about.kind == "page" and about.incoming and about.state != "talking"
    if about.state in TALKS and not (looks or hears):
        yield _mute(about, words)
    if (looks or hears) and state.me.can_talk:
        possible = about.state == "connected"
        yield Button(words("call.speak"), "microphone", Action("talk") if possible else None, "yes")
    if about.kind == "monitor":
        yield from _open(about.peer, about.lock, state, words)
    yield Button(words("call.close" if looks or hears else "call.hangup"), "hangup", Action("hangup"), "no")


def _mute(about: Visitor | Call, words: Words) -> Button:
    if about.muted:
        return Button(words("call.unmute"), "muted", Action("mute", ("off",)), "on")
    return Button(words("call.mute"), "microphone", Action("mute", ("on",)), "glass")


def _open(door: str, lock: bool, state: WallState, words: Words) -> Iterator[Button]:
    if lock and state.me.can_open:
        yield Button(words("door.open"), "unlock", Action("open", (door,)), "glass", HOLD)


def _controls(painter: Painter, box: Box, buttons: list[Button]) -> None:
    px = painter.look.px
    width = min(box.w, len(buttons) * px(128))
    for cell, button in zip(layout.columns(layout.middle(box, width, box.h), len(buttons)), buttons, strict=True):
        painter.round(cell, button)
