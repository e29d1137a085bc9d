"""Work that must not delay media, such as writing files: done in turn by one thread, and left out when it is behind."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Thread
from threading import enumerate as running
from time import monotonic

log = logging.getLogger(__name__)

MAX_WAITING = 64  # pieces of work; ours


class Worker(Thread):
    """A thread that ends by itself when it was told to; `wait_for_workers` gives it the time. Else it does not keep the
    process."""

    def __init__(self, work: Callable[[], None], name: str) -> None:
        super().__init__(target=work, name=name, daemon=True)


def wait_for_workers(timeout: float) -> None:
    """Until all of them have ended, also those that they begin meanwhile."""
    deadline = monotonic() + timeout
    while (worker := next((one for one in running() if isinstance(one, Worker)), None)) and monotonic() < deadline:
        worker.join(deadline - monotonic())


_Queue = SimpleQueue[Callable[[], None] | None]


class Background:
    """A thread begins with the first piece of work and ends with `close`; after that, another one may begin."""

    def __init__(self, name: str, limit: int = MAX_WAITING) -> None:
        self.left_out = 0
        self._name = name
        self._limit = limit
        self._queue: _Queue | None = None

    def do(self, work: Callable[[], None]) -> bool:
        """Does it soon. False if too much waits already: then it is not done. Never waits."""
        if self._queue is None:
            self._queue = SimpleQueue()
            Worker(partial(self._run, self._queue), self._name).start()
        if self._queue.qsize() >= self._limit:
            self.left_out += 1
            return False
        self._queue.put(work)
        return True

    def close(self) -> None:
        """What waits is still done; nobody waits for that."""
        if self._queue is not None:
            self._queue.put(None)
            self._queue = None

    def _run(self, queue: _Queue) -> None:
        while (work := queue.get()) is not None:
            try:
                work()
            except Exception:
                log.exception("%s: could not do its work", self._name)
