"""The times that RFC 3261 table 4 and its updates set, and the agenda that wakes whatever waits for one.

Every constant is an interval in seconds.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import Final

T1: Final = 0.5  # round-trip estimate (§17.1.1.1)
T2: Final = 4.0  # longest wait between retransmissions of anything but an INVITE (§17.1.2.2)
T4: Final = 5.0  # longest time a message stays in the network (§17.1.2.2)

TIMER_A: Final = T1  # INVITE request retransmission, unreliable transports; doubles (§17.1.1.2)
TIMER_B: Final = 64 * T1  # INVITE transaction timeout (§17.1.1.2)
TIMER_C: Final = 181.0  # patience after a provisional response; must be over three minutes (§16.6)
TIMER_D: Final = 32.0  # wait for repeated final responses to an INVITE; 0 if reliable (§17.1.1.2)
TIMER_E: Final = T1  # non-INVITE request retransmission, unreliable; doubles up to T2 (§17.1.2.2)
TIMER_F: Final = 64 * T1  # non-INVITE transaction timeout (§17.1.2.2)
TIMER_G: Final = T1  # INVITE response retransmission, unreliable; doubles up to T2 (§17.2.1)
TIMER_H: Final = 64 * T1  # wait for the ACK (§17.2.1)
TIMER_I: Final = T4  # wait for repeated ACKs; 0 if reliable (§17.2.1)
TIMER_J: Final = 64 * T1  # wait for repeated non-INVITE requests; 0 if reliable (§17.2.2)
TIMER_K: Final = T4  # wait for repeated non-INVITE responses; 0 if reliable (§17.1.2.2)
TIMER_L: Final = 64 * T1  # wait for repeated INVITEs after a 2xx was sent (RFC 6026 §8.7)
TIMER_M: Final = 64 * T1  # wait for repeated or further 2xx (RFC 6026 §8.4)

TRYING: Final = 0.2  # an INVITE not answered by then gets a 100 (§17.2.1)
CANCEL_WAIT: Final = 64 * T1  # a cancelled INVITE without a final response is given up (§9.1)
ACCEPT_WAIT: Final = 64 * T1  # a 2xx without its ACK ends the session (§13.3.1.4)
FORK_WAIT: Final = 64 * T1  # early dialogs that outlive the first 2xx are over (§13.2.2.4)
PRACK_WAIT: Final = 64 * T1  # a reliable provisional response without its PRACK (RFC 3262 §3)

GLARE_OWNER: Final = (2.1, 4.0)  # wait after a 491 for who made the Call-ID, steps of 10 ms (§14.1)
GLARE_OTHER: Final = (0.0, 2.0)  # the same for the other side
GLARE_STEP: Final = 0.01

MIN_SE: Final = 90  # seconds; the shortest session interval (RFC 4028 §5)
EXPIRY_MARGIN: Final = 32.0  # BYE is sent this long before the session expires, or a third of it (RFC 4028 §10)


class Timed:
    """Something with named timers: `arm("X", …)` calls `timer_x(now)` when it is time.

    `timers` maps names to absolute deadlines. Subclasses that replace the mapping call `rescheduled`.
    """

    def __init__(self, agenda: Agenda) -> None:
        self.timers: dict[str, float] = {}
        self.alarm = inf  # when the agenda looks at this object again; the agenda's own field
        self._agenda = agenda

    def next_deadline(self) -> float:
        """When the earliest timer fires; infinity without one."""
        return min(self.timers.values(), default=inf)

    def arm(self, name: str, deadline: float) -> None:
        """Set a timer, or set it anew."""
        self.timers[name] = deadline
        self._agenda.watch(self)

    def disarm(self, *names: str) -> None:
        """Stop timers; those that do not run are ignored."""
        for name in names:
            self.timers.pop(name, None)

    def rescheduled(self) -> None:
        """Tell the agenda that `timers` was replaced."""
        self._agenda.watch(self)

    def handle_timer(self, now: float) -> None:
        """Fire what is due, earliest first."""
        while self.next_deadline() <= now:
            name = min(self.timers, key=self.timers.__getitem__)
            del self.timers[name]
            getattr(self, f"timer_{name.lower()}")(now)


class Agenda:
    """Who waits for what time: a heap of deadlines; an entry that its owner no longer means is dropped late."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timed]] = []
        self._order = count()
        self._limit = 64

    def __len__(self) -> int:
        return len(self._heap)

    def watch(self, owner: Timed) -> None:
        """Look at `owner` no later than its next deadline."""
        deadline = owner.next_deadline()
        if deadline < owner.alarm:
            owner.alarm = deadline
            heappush(self._heap, (deadline, next(self._order), owner))
            if len(self._heap) > self._limit:
                self._sweep()

    def next_deadline(self) -> float | None:
        """When `handle_timer` has something to do; None for never."""
        while self._heap and self._heap[0][2].next_deadline() != self._heap[0][0]:
            self.watch(self._pop())
        return self._heap[0][0] if self._heap else None

    def handle_timer(self, now: float) -> None:
        """Fire all timers that are due."""
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            owner = self._pop()
            owner.handle_timer(now)
            self.watch(owner)

    def _pop(self) -> Timed:
        alarm, _, owner = heappop(self._heap)
        if alarm == owner.alarm:
            owner.alarm = inf
        return owner

    def _sweep(self) -> None:
        """Keep one entry per object that still waits: an old session timer must not pin a dead session."""
        owners = {id(owner): owner for _, _, owner in self._heap}
        self._heap = []
        for owner in owners.values():
            owner.alarm = owner.next_deadline()  # never, for one that waits for nothing: it may wait again
            if owner.timers:
                self._heap.append((owner.alarm, next(self._order), owner))
        heapify(self._heap)
        self._limit = max(64, 2 * len(self._heap))
