"""The beat of sound: every 20 ms by the clock of the loop, without drift."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from meshdoor.media.sound import INTERVAL

log = logging.getLogger(__name__)

MAX_BEHIND = 5  # beats that are made up for at once; more are left out. Ours


class Metronome:
    """Calls `beat` at each beat with the number of beats since it was made. Beats that the loop was too busy for are
    made up for at once, but for those that nobody can hear any more. An error of `beat` is logged, no more."""

    def __init__(self, beat: Callable[[int], None]) -> None:
        self.left_out = 0
        self._beat = beat
        self._loop = asyncio.get_running_loop()
        self._origin = self._loop.time()
        self._next = 0
        self._timer: asyncio.Handle | None = None

    @property
    def running(self) -> bool:
        return self._timer is not None

    def start(self) -> None:
        """The first beat comes at once."""
        if self._timer is None:
            self._next = max(self._next, self._now())
            self._timer = self._loop.call_soon(self._run)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _now(self) -> int:
        return int((self._loop.time() - self._origin) / INTERVAL)

    def _run(self) -> None:
        now = self._now()
        if now - self._next >= MAX_BEHIND:
            self.left_out += now - self._next
            self._next = now
        while self._next <= now and self._timer is not None:
            self._next += 1
            try:
                self._beat(self._next - 1)
            except Exception:
                log.exception("a beat of sound failed")
        if self._timer is not None:
            self._timer = self._loop.call_at(self._origin + self._next * INTERVAL, self._run)
