"""How the parts of all views look: buttons, rows, banners, states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from meshdoor.wall import layout, palette
from meshdoor.wall.layout import Style
from meshdoor.wall.look import Look
from meshdoor.wall.scene import Action, Align, Area, Box, Color, Icon, Item, Picture, Rect, Scene, Text, Weight

SMALLEST: Final = 11  # pixels: smaller text cannot be read
LEAST: Final = 0.66  # of its size, before text is cut off
ROUND: Final = 74  # the face of a round button, and its icon
ROUND_ICON: Final = 32


@dataclass(frozen=True, slots=True)
class Type:
    """How text is set; the size is for a display of 480."""

    size: float
    weight: Weight = Weight.REGULAR
    align: Align = Align.LEFT
    lines: int = 1

    @property
    def centred(self) -> Type:
        return replace(self, align=Align.CENTER)

    @property
    def at_right(self) -> Type:
        return replace(self, align=Align.RIGHT)

    def over(self, lines: int) -> Type:
        """Of up to so many lines."""
        return replace(self, lines=lines)


TITLE: Final = Type(26, Weight.BOLD)
HEADING: Final = Type(20, Weight.BOLD)
STRONG: Final = Type(18, Weight.BOLD)
BODY: Final = Type(18)
LABEL: Final = Type(17, Weight.BOLD)
SMALL: Final = Type(15)
TINY: Final = Type(13, Weight.BOLD)


@dataclass(frozen=True, slots=True)
class Button:
    """`kind` is primary, tonal, danger or plain; in a call yes, no, on or glass. Without an action it is
    there and cannot be used. `hold` as in Area."""

    label: str
    symbol: str = ""
    action: Action | None = None
    kind: str = "plain"
    hold: float = 0.0


class Painter:
    """Collects a scene."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.items: list[Item] = []
        self.touch: list[Area] = []

    def scene(self) -> Scene:
        return Scene(tuple(self.items), tuple(self.touch))

    def fill(self, color: Color) -> None:
        """The whole screen."""
        self.items.append(Rect(self.look.screen, color))

    def rect(self, box: Box, color: Color, radius: float = 0) -> None:
        self.items.append(Rect(box, color, self.look.px(radius)))

    def icon(self, box: Box, name: str, color: Color) -> None:
        self.items.append(Icon(box, name, color))

    def picture(self, box: Box, source: str, *, cover: bool = False, radius: float = 0) -> None:
        self.items.append(Picture(box, source, cover, self.look.px(radius)))

    def say(self, box: Box, text: str, kind: Type, color: Color) -> Text:
        """Text that fits."""
        size = self.look.px(kind.size)
        least = max(SMALLEST, round(size * LEAST))
        item = layout.fit(
            self.look.measure, box, text, Style(color, size, least, kind.weight, kind.align, kind.lines)
        )
        self.items.append(item)
        return item

    def width(self, text: Text) -> int:
        """Of its widest line."""
        return max(self.look.measure(line, text.size, text.weight) for line in text.lines)

    def area(self, box: Box, action: Action, hold: float = 0.0) -> None:
        self.touch.append(Area(box, action, hold))

    def button(self, box: Box, button: Button) -> None:
        """An icon and a word, in the middle of it."""
        back, front = self._colors(button)
        self.rect(box, back, 16)
        px = self.look.px
        inner = layout.inset(box, px(10), px(4))
        side = min(px(24), inner.h) if button.symbol else 0
        gap = px(8) if button.symbol and button.label else 0
        room = Box(inner.x + side + gap, inner.y, max(0, inner.w - side - gap), inner.h)
        text = self.say(room, button.label, LABEL.over(2), front)
        free = (room.w - self.width(text)) // 2
        if button.symbol:
            self.icon(Box(inner.x + free, inner.y + (inner.h - side) // 2, side, side), button.symbol, front)
        self.items[self.items.index(text)] = replace(text, box=Box(room.x + free, room.y, room.w - free, room.h))
        if button.action is not None:
            self.area(box, button.action, button.hold)

    def _colors(self, button: Button) -> tuple[Color, Color]:
        colors = self.look.palette
        if button.action is None:
            return colors.line, colors.soft
        return {
            "primary": (colors.accent, colors.on_accent),
            "tonal": (colors.tint, colors.on_tint),
            "danger": (colors.bad, colors.paper),
            "plain": (colors.card, colors.ink),
            "glass": (palette.GLASS, palette.ON_STAGE),
            "yes": (palette.YES, palette.ON_STAGE),
            "no": (palette.NO, palette.ON_STAGE),
        }[button.kind]

    def round(self, box: Box, button: Button) -> None:
        """A round face with its word below, as in a call. The whole box can be touched."""
        px = self.look.px
        words, above = layout.bottom(box, min(px(38), box.h // 3), px(4))
        side = min(px(ROUND), above.w, above.h)
        face = Box(above.x + (above.w - side) // 2, above.bottom - side, side, side)
        back, front = {
            "yes": (palette.YES, palette.ON_STAGE),
            "no": (palette.NO, palette.ON_STAGE),
            "on": (palette.ON_STAGE, palette.STAGE),
            "glass": (palette.GLASS, palette.ON_STAGE),
        }[button.kind]
        if button.hold:
            self.items.append(Rect(face, palette.HOLDING, side))
            self.items.append(Rect(layout.inset(face, px(2)), palette.STAGE, side))
        self.items.append(Rect(face, back if button.action is not None else palette.GLASS, side))
        icon = min(px(ROUND_ICON), side)
        self.icon(layout.middle(face, icon, icon), button.symbol, front)
        self.say(layout.inset(words, px(2), 0), button.label, Type(15, Weight.BOLD, Align.CENTER, 2), palette.ON_STAGE)
        if button.action is not None:
            self.area(box, button.action, button.hold)

    def banner(self, box: Box, text: str, symbol: str, kind: str, action: Action | None = None) -> None:
        """Something to know; a touch may lead to it. `kind` is warm, bad, accent or stage."""
        colors, px = self.look.palette, self.look.px
        back, front = {
            "warm": (colors.warm, colors.on_warm),
            "bad": (colors.bad_tint, colors.on_bad_tint),
            "accent": (colors.tint, colors.on_tint),
            "stage": (palette.PANEL, palette.ON_NOTICE),
        }[kind]
        self.rect(box, back, 16)
        symbol_box, rest = layout.left(layout.inset(box, px(12), px(4)), px(24), px(10))
        self.icon(symbol_box, symbol, front)
        if action is not None:
            arrow, rest = layout.right(rest, px(22), px(8))
            self.icon(arrow, "arrow", front)
            self.area(box, action)
        self.say(rest, text, SMALL.over(2), front)

    def state(self, box: Box, state: str, at: str = "") -> None:
        """What a member does, as a dot and a word."""
        words, colors, px = self.look.words, self.look.palette, self.look.px
        name = state.replace(" ", "_")
        text = words.or_else(f"state.{name}", words("state.unreachable"))
        if at and name != "unreachable":
            text = f"{text} {words('state.at', node=at)}"
        dot, rest = layout.left(box, px(10), px(8))
        side = px(10)
        shown = Box(dot.x, dot.y + (dot.h - side) // 2, min(side, dot.w), min(side, dot.h))
        color = DOTS.get(name, colors.bad if name == "unreachable" else colors.quiet)
        self.items.append(Rect(shown, color, side))
        self.say(rest, text, SMALL, colors.soft)


DOTS: Final = {
    "ready": palette.FREE_DOT,
    "free": palette.FREE_DOT,
    "ringing": palette.BUSY_DOT,
    "in_call": palette.BUSY_DOT,
}


def thumb(painter: Painter, box: Box, path: str, radius: float = 12) -> None:
    """A picture, or a door where there is none."""
    colors, px = painter.look.palette, painter.look.px
    painter.rect(box, colors.warm, radius)
    side = min(box.h // 2, px(56))
    painter.icon(layout.middle(box, side, side), "door", colors.on_warm)
    if path:
        painter.picture(box, f"file:{path}", cover=True, radius=radius)


def message(painter: Painter, box: Box, symbol: str, lines: Iterable[str]) -> None:
    """An icon, a title and a text, in the middle."""
    colors, px = painter.look.palette, painter.look.px
    title, text = lines
    whole = layout.middle(box, px(460), px(210))
    symbol_box, rest = layout.top(whole, px(64), px(14))
    face = layout.middle(symbol_box, px(64), px(64))
    painter.rect(face, colors.warm, 32)
    painter.icon(layout.middle(face, px(32), px(32)), symbol, colors.on_warm)
    above, below = layout.top(rest, px(36), px(4))
    painter.say(above, title, HEADING.centred, colors.ink)
    painter.say(below, text, SMALL.centred.over(3), colors.soft)
