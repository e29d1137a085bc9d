"""What comes over the other views: an alarm, what just happened, and what a finger or a key is at."""

from __future__ import annotations

from collections.abc import Iterable

from meshdoor.wall import layout, palette
from meshdoor.wall.look import Look
from meshdoor.wall.model import Alarm, Notice, WallState
from meshdoor.wall.place import Place
from meshdoor.wall.scene import Action, Align, Area, Box, Item, Rect, Scene, Weight
from meshdoor.wall.views.paint import Button, Painter, Type

EDGE = 4  # pixels, of the focus
BAR = 8  # pixels, of a hold


def alarm(place: Place, state: WallState, look: Look) -> Scene:
    """Something is wrong at the house, until a person says that it was seen."""
    painter = Painter(look)
    px, words, colors = look.px, look.words, look.palette
    painter.fill(colors.bad_tint)
    box = layout.inset(look.screen, px(28))
    foot, above = layout.bottom(box, px(66), px(16))
    what = next((each for each in state.alarms if each.id == place.about), Alarm(place.about, ""))
    seen = Button(words("wall.alarm.ok"), "check", Action("dismiss", (what.id,)), "danger")
    painter.button(layout.middle(foot, px(420), foot.h), seen)
    whole = layout.middle(above, above.w, px(260))
    symbol, text = layout.top(whole, px(110), px(18))
    painter.icon(symbol, "warning", colors.bad)
    told = words.or_else(f"alarm.{what.kind}", what.text or what.name, name=what.name)
    painter.say(text, told, Type(34, Weight.BOLD, Align.CENTER, 3), colors.on_bad_tint)
    return painter.scene()


def notices(shown: Iterable[Notice], look: Look) -> tuple[Item, ...]:
    """At the top, where nothing is touched in a hurry."""
    painter = Painter(look)
    px, words = look.px, look.words
    rest = layout.middle(look.screen, px(460), look.size.h - 2 * px(10))
    for notice in shown:
        box, rest = layout.top(rest, px(58), px(8))
        painter.rect(box, palette.NOTICE, 18)
        symbol, inner = layout.left(layout.inset(box, px(14), px(6)), px(24), px(10))
        color = palette.BAD_ON_NOTICE if notice.kind == "bad" else palette.GOOD_ON_NOTICE
        painter.icon(symbol, {"bad": "warning", "good": "check"}.get(notice.kind, "bell"), color)
        text = words.or_else(notice.key, notice.text, **dict(notice.values))
        painter.say(inner, text, Type(16, Weight.BOLD, Align.LEFT, 2), palette.ON_NOTICE)
    return tuple(painter.items)


def pressed(area: Area, progress: float, look: Look) -> tuple[Item, ...]:
    """It is felt; what is held shows for how long."""
    box, radius = area.box, look.px(16)
    items: tuple[Item, ...] = (Rect(box, palette.PRESSED, radius),)
    if progress:
        bar = layout.bottom(box, look.px(BAR))[0]
        items += (Rect(bar._replace(w=round(bar.w * progress)), palette.HOLDING, look.px(BAR) // 2),)
    return items


def focus(area: Area, look: Look) -> tuple[Item, ...]:
    """A frame around it."""
    box, color = area.box, look.palette.accent
    sides = (
        layout.top(box, EDGE)[0],
        layout.bottom(box, EDGE)[0],
        Box(box.x, box.y, EDGE, box.h),
        Box(box.right - EDGE, box.y, EDGE, box.h),
    )
    return tuple(Rect(side, color) for side in sides)
