"""Minds sound cards: opens those that are wanted, notices when one is gone, and opens it again when it is back.

All of it happens in one thread, since drivers take their time and some hang. A user of a card (`Slot`) sees it come and
go, and neither waits nor fails.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from meshdoor.errors import EngineError
from meshdoor.media.sdl_audio import Driver, OpenCard, Way

log = logging.getLogger(__name__)

# Ours, in seconds.
LOOK = 0.25  # between looks whether a card is still there
RETRY = 1.0  # until one that is not there is tried again
DEAD = 3.0  # without a single sample, a card is gone, whatever its driver says
CLOSE_TIMEOUT = 2.0

DOUBTS = 5  # times that all is looked for anew after all was lost, though something is there; ours

Tell = Callable[[str, str], None]


class Slot:
    """A place for one card. `card` is the one that is open, if it is there."""

    def __init__(self, way: Way, tell: Tell) -> None:
        """`tell` is called in the thread of the cards with a state and a text, as in `messages.Device`."""
        self.way = way
        self.card: OpenCard | None = None
        self.moved = 0.0  # when the last samples passed; by whom the card is used
        self._tell = tell
        self._told = ""
        self._wanted = False
        self._retry = 0.0

    @property
    def wanted(self) -> bool:
        return self._wanted

    def want(self, on: bool) -> None:
        self._wanted = on

    def tend(self, driver: Driver, now: float) -> None:
        """What there is to do now. Raises EngineError when the card did not open."""
        card = self.card
        if card is not None and not self._wanted:
            self._told = ""
            self.drop()
        elif card is not None and (not card.alive() or now - self.moved > DEAD):
            self.drop()
            self._retry = now  # another one may be there already
            self._say("failed", f"{card.name} is gone")
        elif card is None and self._wanted and now >= self._retry:
            self._open(driver, now)

    def _open(self, driver: Driver, now: float) -> None:
        self._retry = now + RETRY
        try:
            card = driver.open(self.way)
        except EngineError as error:
            self._say("failed", str(error))
            raise
        self.moved = now
        self.card = card
        self._say("ok", card.name)

    def drop(self) -> None:
        """Close it, if it is open."""
        card, self.card = self.card, None
        if card is not None:
            card.close()

    def _say(self, state: str, text: str) -> None:
        if self._told != f"{state} {text}":
            self._told = f"{state} {text}"
            self._tell(state, text)


class Cards:
    """The thread, and the slots that it minds. It begins with the first slot, so that a call need not wait until SDL is
    loaded."""

    def __init__(self, driver: Driver, clock: Callable[[], float] = time.monotonic) -> None:
        self._driver = driver
        self._clock = clock
        self._slots: list[Slot] = []
        self._something = threading.Event()
        self._closed = False
        self._doubts = 0  # how often what SDL says is still not believed
        self._thread: threading.Thread | None = None

    def slot(self, way: Way, tell: Tell) -> Slot:
        slot = Slot(way, tell)
        self.mind(slot)
        self._begin()
        return slot

    def mind(self, slot: Slot) -> None:
        self._slots.append(slot)

    def look(self) -> None:
        """Something is wanted, or is not any more."""
        self._something.set()

    def close(self) -> None:
        """Closes all cards. A thread that hangs in a driver is left behind; it ends with the process."""
        self._closed = True
        self._something.set()
        if self._thread is not None:
            self._thread.join(CLOSE_TIMEOUT)

    def tend(self) -> None:
        """Look after each of them once."""
        had = self._any_open
        failed = [slot for slot in self._slots if not self._tended(slot)]
        wanted = [slot for slot in self._slots if slot.wanted]
        if had and wanted and not self._any_open:
            self._doubts = DOUBTS
        elif all(slot.card is not None for slot in wanted):
            self._doubts = 0
        if failed and self._any_open and self._doubts:
            self._doubts -= 1
            self._look_anew()
        elif failed and not self._any_open:
            self._look_anew()

    @property
    def _any_open(self) -> bool:
        return any(slot.card is not None for slot in self._slots)

    def _tended(self, slot: Slot) -> bool:
        """False when its card did not open."""
        try:
            slot.tend(self._driver, self._clock())
        except EngineError as error:
            log.info("%s", error)
            return False
        return True

    def _look_anew(self) -> None:
        """A sound server that went away takes with it all that SDL knew of it; what SDL says of one that has come back
        is of the one before. So those that did open are opened once more."""
        for slot in self._slots:
            slot.drop()
        with suppress(EngineError):
            self._driver.restart()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sound cards", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._closed:
            try:
                self.tend()
            except Exception:
                log.exception("sound cards could not be looked after")
            self._something.wait(LOOK if any(slot.wanted or slot.card for slot in self._slots) else None)
            self._something.clear()
        for slot in self._slots:
            slot.drop()
        self._driver.close()
