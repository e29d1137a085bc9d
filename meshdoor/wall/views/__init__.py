"""The views: pure functions `(Place, WallState, Look) -> Scene`, one for each `View`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshdoor.wall.look import Look
from meshdoor.wall.model import WallState
from meshdoor.wall.place import Place, View
from meshdoor.wall.scene import Scene
from meshdoor.wall.views import call, history, home, keyboard, over, pairing, rooms, settings

VIEWS: Final[dict[View, Callable[[Place, WallState, Look], Scene]]] = {
    View.CLOCK: home.clock,
    View.DOORS: home.doors,
    View.ROOMS: rooms.rooms,
    View.VISITORS: history.visitors,
    View.VISIT: history.visit,
    View.PAIRING: pairing.pairing,
    View.CODE: keyboard.code,
    View.NAME: keyboard.name,
    View.INVITED: pairing.invited,
    View.SETTINGS: settings.settings,
    View.HANDOVER: rooms.handover,
    View.CALL: call.call,
    View.ALARM: over.alarm,
    View.NEWCOMER: pairing.newcomer,
}


def draw(place: Place, state: WallState, look: Look) -> Scene:
    """What shows there."""
    return VIEWS[place.view](place, state, look)
