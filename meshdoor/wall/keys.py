"""A keyboard at a wall: the focus goes from area to area; some keys mean what the view asks for (state machine)."""

from __future__ import annotations

from typing import Final

from meshdoor.wall.place import BACK, Place, View
from meshdoor.wall.scene import Action, Area, Scene
from meshdoor.wall.typing import typable

AGAIN: Final = 4.0  # seconds in which a second press confirms what a finger would hold; as on the page of phones
STEPS: Final = {"tab": 1, "right": 1, "down": 1, "left": -1, "up": -1}
PRESSES: Final = ("return", "space")

STAYS_PUT: Final = frozenset({View.CALL, View.ALARM, View.NEWCOMER})  # there is no way back from these

# What these keys do while somebody rings or talks, the first that can be touched now.
SHORTCUTS: Final = {
    "return": ("answer", "accept"),
    "escape": ("decline", "refuse", "hangup"),
    "o": ("open",),
    "m": ("mute",),
    "s": ("silence",),
    "t": ("talk",),
}


class Keys:
    """`scene` is always the one that shows."""

    def __init__(self) -> None:
        self._focus: Area | None = None
        self._armed: tuple[Action, float] | None = None

    def focused(self, scene: Scene) -> Area | None:
        """Where the focus is."""
        return None if self._focus is None else scene.again(self._focus)

    def armed(self, now: float) -> bool:
        """Would a second press now do what wants to be held?"""
        return self._armed is not None and now < self._armed[1]

    def next_deadline(self) -> float | None:
        """When that is over."""
        return None if self._armed is None else self._armed[1]

    def handle_timer(self, now: float) -> bool:
        """True if it is over now."""
        over = self._armed is not None and now >= self._armed[1]
        if over:
            self._armed = None
        return over

    def forget(self) -> None:
        """A finger is used instead, or another view is there."""
        self._focus = self._armed = None

    def pressed(self, name: str, place: Place, scene: Scene, now: float) -> Action | None:
        """What a key does."""
        if name in STEPS:
            self._step(scene, STEPS[name])
            return None
        focused = self.focused(scene)
        if focused is not None and name in PRESSES:
            return self._confirmed(focused, now)
        typing = typable(place, name)
        if typing is not None:
            return typing
        if name == "escape" and place.view not in STAYS_PUT:
            return Action(BACK)
        area = _first(scene, SHORTCUTS.get(name, ())) if place.view is View.CALL else None
        return None if area is None else self._confirmed(area, now)

    def _step(self, scene: Scene, by: int) -> None:
        focused = self.focused(scene)
        if focused is not None:
            self._focus = scene.touch[(scene.touch.index(focused) + by) % len(scene.touch)]
        elif scene.touch:
            self._focus = scene.touch[0 if by > 0 else -1]

    def _confirmed(self, area: Area, now: float) -> Action | None:
        if not area.hold or (self.armed(now) and self._armed is not None and self._armed[0] == area.action):
            self._armed = None
            return area.action
        self._armed = area.action, now + AGAIN
        return None


def _first(scene: Scene, verbs: tuple[str, ...]) -> Area | None:
    return next((area for verb in verbs for area in scene.touch if area.action.verb == verb), None)
