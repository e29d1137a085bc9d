"""A source that may hang, read in a thread of its own: whoever waits for it waits no longer than he likes."""

from __future__ import annotations

import threading
from collections import deque

from meshdoor.errors import EngineError
from meshdoor.media.encoder import Coded, Picture
from meshdoor.media.source import Source

MAX_WAITING = 3  # pictures; older ones are dropped, coded ones never
JOIN_TIMEOUT = 1.0  # s


class Feed:
    """Closes the source when it is closed itself."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._items: deque[Picture | Coded] = deque()
        self._error: EngineError | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="camera feed", daemon=True)
        self._thread.start()

    def wait(self, timeout: float) -> bool:
        """Whether there is something to read by then."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._items) or self._error is not None, timeout)

    def read(self, timeout: float) -> Picture | Coded:
        """The oldest that waits. Raises EngineError when the source has failed or nothing came in time."""
        if not self.wait(timeout):
            raise EngineError("the camera gives no pictures")
        with self._changed:
            if self._items:
                return self._items.popleft()
            assert self._error is not None
            raise self._error

    def close(self) -> None:
        """A thread that hangs in a driver is left to itself, with its source."""
        with self._changed:
            self._closed = True
        self._source.stop()
        self._thread.join(JOIN_TIMEOUT)

    def _run(self) -> None:
        try:
            while not self._closed:
                self._add(self._source.read())
        except EngineError as error:
            self._error = error
        finally:
            self._source.close()
            with self._changed:
                self._changed.notify()

    def _add(self, item: Picture | Coded) -> None:
        with self._changed:
            if isinstance(item, Picture) and len(self._items) >= MAX_WAITING:
                self._items.popleft()
            self._items.append(item)
            self._changed.notify()
