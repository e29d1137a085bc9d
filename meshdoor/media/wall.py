"""The screen on the wall: a thread that shows what the navigator wants, and tells it what is touched.

    wall = Wall(format_, told)      a `display.Display`; opens its window by itself, again and again if need be
    wall.tell(state)                what the node knows
    wall.near()                     somebody is in front of it

`told` hears, in the wall's thread, of `Touched` and of `Device`. The thread sleeps until something is touched, told,
shown or due.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import av

from meshdoor.errors import EngineError
from meshdoor.media import fonts, page_files, panel
from meshdoor.media.gallery import Live
from meshdoor.media.lettering import Lettering
from meshdoor.media.painter import Painter
from meshdoor.media.plans import WallFormat
from meshdoor.media.reports import FAILED, OK, STAND_IN, Device, Event, Touched
from meshdoor.media.screens import has_screen
from meshdoor.media.window import Exposed, Input, Shape, Typed, Window
from meshdoor.media.window import Touched as Finger
from meshdoor.wall.dates import Moment
from meshdoor.wall.look import Surface
from meshdoor.wall.model import WallState
from meshdoor.wall.navigator import Act, Navigator, Redraw, Sleep, Wake
from meshdoor.wall.place import View
from meshdoor.wall.scene import Scene, Size

log = logging.getLogger(__name__)

RETRY: Final = 5.0  # s until a window that cannot be opened is tried again; ours
JOIN_TIMEOUT: Final = 2.0  # s
DARKEST: Final = 200  # of 255: how dark the window is at the lowest brightness where the panel has no backlight
MOST: Final = 10  # of the setting `brightness`

Tell = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class News:
    """What came since the thread looked last."""

    state: WallState | None = None
    near: bool = False
    picture: bool = False


class Wall:
    """Implements `display.Display`. Close it."""

    def __init__(self, format_: WallFormat, tell: Tell) -> None:
        self._format = format_
        self._tell = tell
        self._lock = threading.Lock()
        self._news = News()
        self._state: WallState | None = None  # the last one, for another window
        self._closed = threading.Event()
        self._window: Window | None = None
        self.live = Live(self._pictured)
        self._thread = threading.Thread(target=self._run, name="wall", daemon=True)
        self._thread.start()

    def show(self, leg: str, frame: av.VideoFrame) -> None:
        self.live.show(leg, frame)

    def hide(self, leg: str) -> None:
        self.live.hide(leg)

    def tell(self, state: WallState) -> None:
        """From any thread."""
        self._state = state
        self._told(state=state)

    def near(self) -> None:
        """From any thread."""
        self._told(near=True)

    def close(self) -> None:
        self._closed.set()
        self._told()
        self._thread.join(JOIN_TIMEOUT)

    def _pictured(self) -> None:
        self._told(picture=True)

    def _told(self, **news: Any) -> None:
        with self._lock:
            self._news = replace(self._news, **news)
            if self._window is not None:
                self._window.nudge()

    def _take(self) -> News:
        with self._lock:
            news, self._news = self._news, News()
        return news

    def _run(self) -> None:
        """Until closed. What fails is told once, and tried again."""
        said = ""
        while not self._closed.is_set():
            try:
                self._use(Window(Shape(self._format.size, self._format.turned)))
                return
            except EngineError as error:
                if str(error) != said:
                    said = str(error)
                    log.error("no screen: %s", error)
                    self._tell(Device("display", FAILED, said))
            except Exception:
                log.exception("the wall cannot be shown")
                self._tell(Device("display", FAILED, "a fault of ours; see the log"))
            self._closed.wait(RETRY)

    def _use(self, window: Window) -> None:
        try:
            lettering = Lettering(fonts.find(self._format.font))
        except EngineError:
            window.close()
            raise
        painter = Painter(window, lettering, self.live, self._pictured)
        with self._lock:
            self._window = window
            self._news = News(self._state, picture=True)
        try:
            width, height = window.size
            self._tell(Device("display", OK, f"{width}x{height}, {window.driver}"))
            surface = Surface(Size(width, height), lettering.measure, local, page_files.words)
            showing = _Showing(window, painter, surface, self._tell, whole=self._format.size is None)
            showing.run(self._closed, self._take)
        finally:
            with self._lock:
                self._window = None
            painter.close()
            lettering.close()
            window.close()


class _Showing:
    """While there is a window; all of it in the wall's thread."""

    def __init__(self, window: Window, painter: Painter, surface: Surface, tell: Tell, whole: bool) -> None:
        """`whole`: the window has the screen for itself, and may switch it off."""
        self._window = window
        self._painter = painter
        self._tell = tell
        self._panel = panel.find(window.driver) if whole else panel.NoPanel()
        self._dim = 0
        self._brightness = 0
        self._stale = True
        self._scene = Scene()
        self._navigator = Navigator(surface, time.monotonic())

    def run(self, closed: threading.Event, take: Callable[[], News]) -> None:
        try:
            while not closed.is_set():
                self._told(take())
                self._obey()
                if self._stale:
                    self._paint()
                for each in self._window.wait(self._patience()):
                    self._take(each)
                self._be_on_time()
        finally:
            self._panel.close()

    def _told(self, news: News) -> None:
        now = time.monotonic()
        if news.state is not None:
            self._navigator.told(news.state, now)
            self._shine(news.state.settings.brightness)
        if news.near:
            self._navigator.near(now)
        self._stale = self._stale or (news.picture and not self._navigator.asleep)

    def _obey(self) -> None:
        while (command := self._navigator.next_command()) is not None:
            match command:
                case Act(action=action):
                    self._tell(Touched(action.verb, action.args, time.monotonic()))
                case Redraw():
                    self._scene = self._navigator.scene(time.monotonic(), time.time())
                    self._stale = True
                case Wake():
                    self._sleep(False)
                case Sleep():
                    self._sleep(True)

    def _sleep(self, on: bool) -> None:
        if on:
            self._scene = Scene()
            self._paint()  # black, also where the panel cannot be switched off
        self._panel.power(not on)

    def _shine(self, brightness: int) -> None:
        if brightness == self._brightness:
            return
        self._brightness = brightness
        by_itself = self._panel.brightness(brightness / MOST)
        self._dim = 0 if by_itself else DARKEST * (MOST - brightness) // MOST
        self._stale = True

    def _paint(self) -> None:
        self._stale = False
        self._painter.draw(self._scene, self._dim)
        self._window.present()
        self._painter.presented(time.monotonic())

    def _take(self, each: Input) -> None:
        now = time.monotonic()
        match each:
            case Finger(what="down", x=x, y=y):
                self._navigator.touched(x, y, now)
            case Finger(what="up", x=x, y=y):
                self._navigator.released(x, y, now)
            case Finger(x=x, y=y):
                self._navigator.moved(x, y, now)
            case Typed(key=key):
                self._type(key, now)
            case Exposed(lost=lost):
                if lost:
                    self._painter.clear()
                self._stale = True
                before = self._window.size
                self._window.fit()
                if self._window.size != before:
                    self._navigator.resized(Size(*self._window.size), now)

    def _type(self, key: str, now: float) -> None:
        """A blank is typed only where text is."""
        if key == " " and self._navigator.front.view is not View.NAME:
            key = "space"
        self._navigator.key(key, now)

    def _patience(self) -> float | None:
        deadline = self._navigator.next_deadline()
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    def _be_on_time(self) -> None:
        deadline, now = self._navigator.next_deadline(), time.monotonic()
        if deadline is not None and now >= deadline:
            self._navigator.handle_timer(now)


def local(unix: float) -> Moment:
    """The time on this wall."""
    at = time.localtime(unix)
    return Moment(at.tm_year, at.tm_mon, at.tm_mday, at.tm_wday, at.tm_hour, at.tm_min)


def found(name: str, format_: WallFormat, tell: Tell) -> Wall | None:
    """The wall of the setting `sdl`, or of `auto` where there is a screen; None for any other."""
    if name == "sdl" or (name == "auto" and has_screen()):
        return Wall(format_, tell)
    if name == "auto":
        tell(Device("display", STAND_IN, "no screen is connected, nothing is shown"))
    return None
