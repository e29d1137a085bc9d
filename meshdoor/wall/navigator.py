"""Which view shows, and what touches, keys and time do (state machine; see the package's docstring for its inputs).

A person is at a `Place`, with a way back. Over it come by themselves, the first of these that there is: a ring or a
call, an alarm, the code of a node that is in no home. They go as they came, and the place is what it was.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from meshdoor.wall import views
from meshdoor.wall.finger import Finger
from meshdoor.wall.keys import Keys
from meshdoor.wall.look import Look, Surface
from meshdoor.wall.model import Notice, WallState
from meshdoor.wall.notices import Notices
from meshdoor.wall.palette import palette
from meshdoor.wall.place import BACK, ENTER, FOUND, GO, INVITE, LOCAL, ROOTS, TURN, Place, View
from meshdoor.wall.rest import Rest
from meshdoor.wall.rest import State as Resting
from meshdoor.wall.scene import Action, Item, Scene, Size
from meshdoor.wall.typing import complete, entered, typed
from meshdoor.wall.views import over

GUARD: Final = 0.4  # seconds in which a touch was meant for what was there before
SEEN: Final = 1.5  # seconds on the screen until a visitor counts as seen; as on the page of phones
FRAME: Final = 0.04  # seconds between pictures of a hold
SECOND, MINUTE = 1.0, 60.0
TICKS: Final = frozenset({View.CALL, View.INVITED, View.NEWCOMER})  # views that show seconds
STAYS: Final = frozenset({View.CALL, View.HANDOVER, View.ALARM, View.NEWCOMER, View.INVITED})  # never idle
CLOCK: Final = Place(View.CLOCK)


@dataclass(frozen=True, slots=True)
class Act:
    """Ask the node."""

    action: Action


@dataclass(frozen=True, slots=True)
class Redraw:
    """Take a new scene."""


@dataclass(frozen=True, slots=True)
class Wake:
    """Switch the display on."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Switch the display off."""


Command = Act | Redraw | Wake | Sleep


class Navigator:
    """Of one display."""

    def __init__(self, surface: Surface, now: float) -> None:
        self.place = CLOCK
        self.state = WallState()
        self._surface = surface
        self._trail: list[Place] = []
        self._handover: Place | None = None
        self._finger = Finger()
        self._keys = Keys()
        self._rest = Rest(now)
        self._notices = Notices()
        self._scene = Scene()
        self._front = CLOCK
        self._guard = now
        self._tick: float | None = None
        self._seen_at: float | None = None
        self._commands: deque[Command] = deque([Redraw()])

    @property
    def front(self) -> Place:
        """What shows, unless the display is dark."""
        state = self.state
        if state.call is not None or state.visitors:
            return self._handover or Place(View.CALL)
        if state.alarms:
            return Place(View.ALARM, state.alarms[0].id)
        if state.pairing is not None and (self.place.view, self.place.about) != (View.NAME, FOUND):
            return Place(View.NEWCOMER)
        return self.place

    @property
    def asleep(self) -> bool:
        return self._rest.asleep

    def next_command(self) -> Command | None:
        """What is to be done now, one after the other."""
        return self._commands.popleft() if self._commands else None

    def told(self, state: WallState, now: float) -> None:
        """The node has news."""
        before, self.state = self.state, state
        if state == before:
            return
        self._notices.told(state.notices, now)
        self._rest.sleep_after = float(state.settings.sleep)
        if state.talking is None:
            self._handover = None
        if _rouses(before, state):
            self._wake(now)
        self._settle(now)
        self._redraw()

    def resized(self, size: Size, now: float) -> None:
        """The window has another size."""
        self._surface = replace(self._surface, size=size)
        self._finger.cancel()
        self._redraw()

    def near(self, now: float) -> None:
        """Somebody is in front of it."""
        self._wake(now)

    def touched(self, x: int, y: int, now: float) -> None:
        """A finger comes down. On a dark display it only wakes."""
        dark = self.asleep
        self._wake(now)
        blind = dark or now < self._guard
        self._finger.down(None if blind else self._scene.at(x, y), now)
        self._keys.forget()
        self._redraw()

    def moved(self, x: int, y: int, now: float) -> None:
        pressed = self._finger.area
        self._finger.move(self._scene.at(x, y))
        if self._finger.area is not pressed:
            self._redraw()

    def released(self, x: int, y: int, now: float) -> None:
        self._do(self._finger.up(self._scene.at(x, y)), now)
        self._redraw()

    def key(self, name: str, now: float) -> None:
        """A key of a keyboard goes down, by its name or the character that it types."""
        dark = self.asleep
        self._wake(now)
        if not dark:
            self._do(self._keys.pressed(name, self._front, self._scene, now), now)
        self._redraw()

    def next_deadline(self) -> float | None:
        """When `handle_timer` wants to be called."""
        times = [self._finger.next_deadline(), self._tick, self._seen_at, self._notices.next_deadline()]
        times.append(self._keys.next_deadline())
        times.append(None if self._front.view in STAYS and not self.asleep else self._rest.next_deadline())
        return min((time for time in times if time is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """What is due now."""
        self._do(self._finger.handle_timer(now), now)
        if self._notices.handle_timer(now) or self._keys.handle_timer(now):
            self._redraw()
        if self._tick is not None and now >= self._tick:
            self._redraw()
        if self._seen_at is not None and now >= self._seen_at:
            self._seen_at = None
            self._commands.append(Act(Action("seen", self._unseen())))
        if self._front.view not in STAYS:
            self._grow_tired(now)

    def scene(self, now: float, unix: float) -> Scene:
        """What shows now."""
        self._tick = None
        if self.asleep:
            self._scene = Scene()
            return self._scene
        look = self._look(now, unix)
        drawn = views.draw(self._front, self.state, look)
        pressed = self._finger.area
        if pressed is not None and drawn.again(pressed) is None:
            self._finger.cancel()
        self._scene = Scene(drawn.items + self._over(drawn, look), drawn.touch)
        self._tick = now + self._period(unix)
        return self._scene

    def _look(self, now: float, unix: float) -> Look:
        surface, settings = self._surface, self.state.settings
        colours = palette(settings.theme, surface.local(unix).hour)
        words = surface.words(settings.language or self.state.me.locale)
        return Look(surface.size, surface.measure, surface.local, words, colours, now, unix)

    def _over(self, drawn: Scene, look: Look) -> tuple[Item, ...]:
        """What lies on every view: the touch that is felt, the focus, the notices."""
        finger, focus = self._finger.area, self._keys.focused(drawn)
        pressed = None if finger is None else drawn.again(finger)
        items: tuple[Item, ...] = ()
        if pressed is not None:
            items += over.pressed(pressed, self._finger.progress(look.now), look)
        if focus is not None:
            items += over.focus(focus, look)
        notices: tuple[Notice, ...] = self._notices.shown
        if self._keys.armed(look.now):
            notices = (*notices, Notice("armed", "door.open.again"))
        return items + over.notices(notices, look)

    def _period(self, unix: float) -> float:
        if self._finger.next_deadline() is not None:
            return FRAME
        return SECOND if self._front.view in TICKS else MINUTE - unix % MINUTE

    def _wake(self, now: float) -> None:
        if self._rest.active(now):
            self._commands.append(Wake())
            self._redraw()

    def _grow_tired(self, now: float) -> None:
        state = self._rest.handle_timer(now)
        if state is Resting.CLOCK and self.place != CLOCK:
            self._go(CLOCK, now)
        elif state is Resting.ASLEEP:
            self._commands.append(Sleep())
            self._redraw()

    def _do(self, action: Action | None, now: float) -> None:
        if action is None:
            return
        self._rest.active(now)
        if action.verb not in LOCAL:
            self._commands.append(Act(action))
            if action.verb == "withdraw":
                self._back(now)
            if action.verb == "handover":
                self._handover = None
        elif action.verb == GO:
            self._go(Place(View(action.args[0]), action.args[1]), now)
        elif action.verb == BACK:
            self._back(now)
        elif action.verb == TURN:
            self._turn(int(action.args[0]))
        elif action.verb == ENTER:
            self._enter(now)
        else:
            self._move(typed(self.place, action), now)
        self._settle(now, by_itself=False)
        self._redraw()

    def _enter(self, now: float) -> None:
        place = self.place
        if not complete(place):
            return
        self._commands.append(Act(entered(place)))
        if place.about == INVITE:
            self._move(Place(View.INVITED, place.typed.strip()), now)
        else:
            self._back(now)

    def _go(self, place: Place, now: float) -> None:
        if place.view is View.HANDOVER:
            self._handover = place
            return
        if place.view in ROOTS or place == CLOCK:
            self._trail.clear()
        else:
            self._trail.append(self.place)
        self._move(place, now)

    def _back(self, now: float) -> None:
        if self._handover is not None:
            self._handover = None
        else:
            self._move(self._trail.pop() if self._trail else Place(View.DOORS), now)

    def _turn(self, page: int) -> None:
        if self._handover is not None:
            self._handover = replace(self._handover, page=page)
        else:
            self.place = replace(self.place, page=page)

    def _move(self, place: Place, now: float) -> None:
        self.place = place
        self._settle(now, by_itself=False)
        self._redraw()

    def _settle(self, now: float, by_itself: bool = True) -> None:
        """Look again which view is in front."""
        before, self._front = self._front, self.front
        if self._front.view in STAYS and not self.asleep:
            self._rest.active(now)
        if self._front.view is not before.view:
            self._finger.cancel()
            self._keys.forget()
            self._guard = now + GUARD if by_itself else now
        wanted = self._front.view is View.VISITORS and bool(self._unseen())
        self._seen_at = (self._seen_at or now + SEEN) if wanted else None

    def _unseen(self) -> tuple[str, ...]:
        return tuple(visit.id for visit in self.state.visits if not visit.seen and visit.result != "ringing")

    def _redraw(self) -> None:
        if Redraw() not in self._commands:
            self._commands.append(Redraw())


def _rouses(before: WallState, after: WallState) -> bool:
    """Is there something new that a dark display wakes for? In quiet hours only an alarm is."""
    known = {alarm.id for alarm in before.alarms}
    if any(alarm.id not in known for alarm in after.alarms):
        return True
    if after.quiet.now:
        return False
    rang = {visitor.number for visitor in before.visitors}
    called = after.call is not None and (before.call is None or before.call.number != after.call.number)
    return called or any(visitor.number not in rang for visitor in after.visitors)
