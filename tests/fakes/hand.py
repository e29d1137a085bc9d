"""A hand at the wall: it knows where on a view what can be touched."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from meshdoor.media import page_files
from meshdoor.media.wall import local
from meshdoor.wall import model, views
from meshdoor.wall.look import Look
from meshdoor.wall.model import WallState
from meshdoor.wall.palette import palette
from meshdoor.wall.place import Place
from meshdoor.wall.scene import Area, Size
from tests.fakes.xvfb import Screen
from tests.wall import houses

BRIGHT = model.Settings(brightness=10)


def look(size: Size, language: str = "en") -> Look:
    """As the wall draws now, as far as it matters to a finger."""
    now, colors = time.monotonic(), palette("light", 12)
    return Look(size, houses.measure, local, page_files.words(language), colors, now, time.time())


def area(size: Size, place: Place, state: WallState, *action: str) -> Area:
    """What does this; the verb, and the first of its arguments if more than one does it."""
    verb, *args = action
    found = views.draw(place, replace(state, settings=BRIGHT), look(size)).touch
    return next(each for each in found if each.action.verb == verb and list(each.action.args[: len(args)]) == args)


@dataclass(frozen=True)
class Hand:
    """At one screen."""

    screen: Screen

    def touch(self, place: Place, state: WallState, *action: str) -> None:
        """What a finger does there: it stays where it must."""
        where = area(Size(*self.screen.size), place, state, *action)
        x, y = where.box.x + where.box.w // 2, where.box.y + where.box.h // 2
        self.screen.tap(x, y, where.hold + 0.4 if where.hold else 0.0)
