"""What the views of the menu have around them: the menu, the title, the pages of a list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from meshdoor.wall import layout
from meshdoor.wall.look import Look
from meshdoor.wall.model import WallState
from meshdoor.wall.place import BACK, ROOTS, View, go, turn
from meshdoor.wall.scene import Action, Align, Box, Weight
from meshdoor.wall.views.paint import BODY, TITLE, Button, Painter, Type

MENU: Final = {
    View.DOORS: ("door", "home.doors"),
    View.ROOMS: ("screen", "home.rooms"),
    View.VISITORS: ("history", "nav.history"),
    View.PAIRING: ("plus", "wall.pairing"),
    View.SETTINGS: ("settings", "nav.settings"),
}
HEAD: Final = 56
MARGIN: Final = 16
GAP: Final = 10
PAGER: Final = 52
BADGE: Final = 22


def framed(look: Look, state: WallState, view: View) -> tuple[Painter, Box]:
    """The menu and the title of a view; what is left is for what it shows."""
    painter = Painter(look)
    painter.fill(look.palette.paper)
    rest = _menu(painter, state, view)
    head, rest = layout.top(rest, look.px(HEAD))
    _head(painter, head, look.words(TITLES[view]))
    return painter, _padded(look, rest)


def alone(look: Look, title: str) -> tuple[Painter, Box]:
    """A view that is left by going back, and has no menu."""
    painter = Painter(look)
    painter.fill(look.palette.paper)
    head, rest = layout.top(look.screen, look.px(HEAD))
    back, room = layout.left(head, look.px(72))
    painter.icon(layout.middle(back, look.px(28), look.px(28)), "back", look.palette.ink)
    painter.area(back, Action(BACK))
    painter.say(layout.inset(room, look.px(4), 0), title, TITLE, look.palette.ink)
    return painter, _padded(look, rest)


TITLES: Final = {
    View.DOORS: "home.doors",
    View.ROOMS: "people.title",
    View.VISITORS: "history.title",
    View.PAIRING: "wall.pairing.title",
    View.SETTINGS: "settings.title",
}


def _padded(look: Look, box: Box) -> Box:
    inner = layout.inset(box, look.px(MARGIN), 0)
    return layout.bottom(inner, look.px(MARGIN))[1]


def _menu(painter: Painter, state: WallState, view: View) -> Box:
    look = painter.look
    if look.portrait:
        menu, rest = layout.bottom(look.screen, look.px(72))
        cells = layout.columns(menu, len(ROOTS))
    else:
        menu, rest = layout.left(look.screen, look.px(96))
        cells = layout.rows(menu, len(ROOTS))
    painter.rect(menu, look.palette.card)
    for root, cell in zip(ROOTS, cells, strict=True):
        _entry(painter, cell, root, chosen=root is view)
        if root is View.VISITORS and state.missed:
            _badge(painter, cell, str(state.missed))
    return rest


def _entry(painter: Painter, cell: Box, root: View, *, chosen: bool) -> None:
    colors, px = painter.look.palette, painter.look.px
    symbol, key = MENU[root]
    whole = layout.middle(cell, cell.w, px(62))
    face, words = layout.top(whole, px(36), px(2))
    if chosen:
        painter.rect(layout.middle(face, px(64), px(34)), colors.tint, 17)
    painter.icon(layout.middle(face, px(26), px(26)), symbol, colors.on_tint if chosen else colors.soft)
    kind = Type(14, Weight.BOLD if chosen else Weight.REGULAR, Align.CENTER)
    painter.say(layout.inset(words, px(3), 0), painter.look.words(key), kind, colors.ink if chosen else colors.soft)
    painter.area(cell, go(root))


def _badge(painter: Painter, cell: Box, text: str) -> None:
    colors, px = painter.look.palette, painter.look.px
    whole = layout.middle(cell, cell.w, px(62))
    box = Box(cell.x + cell.w // 2 + px(6), whole.y - px(2), px(BADGE + 8), px(BADGE))
    painter.rect(box, colors.bad, BADGE / 2)
    painter.say(box, text, Type(13, Weight.BOLD, Align.CENTER), colors.paper)


def _head(painter: Painter, head: Box, title: str) -> None:
    """The title, and the time, which leads back to the clock."""
    look = painter.look
    time, room = layout.right(head, look.px(116))
    inner = layout.inset(room, look.px(MARGIN), 0)
    painter.say(inner, title, TITLE, look.palette.ink)
    text = look.words.clock(look.moment)
    painter.say(layout.right(time, look.px(100))[0], text, BODY.centred, look.palette.soft)
    painter.area(time, go(View.CLOCK))


@dataclass(frozen=True, slots=True)
class Shape:
    """Of the cells of a list: at least so wide, so high; `stretch`: they share the room that is there."""

    width: int
    height: int
    gap: int = GAP
    stretch: bool = False


def cells(painter: Painter, box: Box, count: int, shape: Shape, page: int) -> Iterator[tuple[int, Box]]:
    """Where each of the entries of this page is; the pages are turned at the foot, if one is not enough."""
    px = painter.look.px
    gap = px(shape.gap)
    across = max(1, min(count, (box.w + gap) // (px(shape.width) + gap)))
    down = _down(painter.look, box, shape)
    if count > across * down:
        foot, box = layout.bottom(box, px(PAGER), gap)
        down = _down(painter.look, box, shape)
        pages = -(-count // (across * down))
        page = min(page, pages - 1)
        _pager(painter, foot, page, pages)
    else:
        page = 0
    first = page * across * down
    shown = min(count - first, across * down)
    used = max(1, -(-shown // across)) if shape.stretch else down
    high = box.h if shape.stretch else min(box.h, down * (px(shape.height) + gap) - gap)
    places = layout.grid(Box(box.x, box.y, box.w, high), across, used, gap)
    yield from zip(range(first, first + shown), places, strict=False)


def _down(look: Look, box: Box, shape: Shape) -> int:
    gap = look.px(shape.gap)
    return max(1, (box.h + gap) // (look.px(shape.height) + gap))


def _pager(painter: Painter, foot: Box, page: int, pages: int) -> None:
    px, words = painter.look.px, painter.look.words
    before, rest = layout.left(foot, px(120))
    after, rest = layout.right(rest, px(120))
    painter.button(before, Button("", "back", turn(page - 1) if page else None, "tonal"))
    painter.button(after, Button("", "arrow", turn(page + 1) if page + 1 < pages else None, "tonal"))
    painter.say(rest, words("wall.page", n=page + 1, of=pages), BODY.centred, painter.look.palette.soft)
