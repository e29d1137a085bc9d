"""One stream of packets, made once, for any number of sinks.

It keeps what was sent in the last moments, for two uses. A packet that a peer misses is sent again from here. And who
joins shortly after a key frame is given everything since that key frame, so that screens that answer one after the
other all show a picture at once, though only one key frame is made for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress

from meshdoor.media.sink import Sink, Unit

KEY_FRAME_INTERVAL = 0.3  # s: at most one key frame in this time; ours
MAX_HISTORY = 1500  # packets, about 2 MB; ours


class KeyFrameRequests:
    """Joins the requests of all sinks: the first is served at once, the next ones together when the interval is
    over."""

    def __init__(self, interval: float = KEY_FRAME_INTERVAL) -> None:
        self.interval = interval
        self.requested = 0
        self._wanted = False
        self._last = float("-inf")

    def request(self) -> None:
        self.requested += 1
        self._wanted = True

    def take(self, now: float) -> bool:
        """Whether the picture that is made now shall be a key frame."""
        if not self._wanted or now - self._last < self.interval:
            return False
        self.made(now)
        return True

    def made(self, now: float) -> None:
        """A key frame was made, asked for or not."""
        self._last, self._wanted = now, False


class History:
    """The last units, bounded in packets, and never more than there are sequence numbers to tell them apart."""

    def __init__(self, limit: int = MAX_HISTORY) -> None:
        self._limit = limit
        self._units: deque[Unit] = deque()
        self._packets = 0

    def add(self, unit: Unit) -> None:
        self._units.append(unit)
        self._packets += unit.packets
        while self._packets > self._limit:
            self._packets -= self._units.popleft().packets

    def find(self, number: int) -> tuple[bytes, bytes] | None:
        """Header and payload of a packet."""
        for unit in reversed(self._units):
            for group in unit.groups:
                at = (number - group.sequence_number) & 0xFFFF
                if at < len(group.headers):
                    return group.headers[at], group.payloads[at]
        return None

    def since_key_frame(self) -> list[Unit]:
        """The last key frame and what followed; nothing when that is not known any more."""
        units: list[Unit] = []
        for unit in reversed(self._units):
            units.append(unit)
            if unit.key:
                return units[::-1]
        return []

    def clear(self) -> None:
        self._units.clear()
        self._packets = 0


class Outlet:
    """Gives each unit to each sink. `want_key_frame` asks the source for one."""

    def __init__(self, want_key_frame: Callable[[], None] = lambda: None, replay: float = KEY_FRAME_INTERVAL) -> None:
        """`replay`: who joins is given the units since a key frame that is no older than this, in s."""
        self.history = History()
        self.replay = replay
        self.want_key_frame = want_key_frame
        self._sinks: dict[Sink, None] = {}

    def __len__(self) -> int:
        return len(self._sinks)

    @property
    def watched(self) -> bool:
        """Whether anybody takes what is delivered."""
        return any(sink.open for sink in self._sinks)

    def add(self, sink: Sink, now: float) -> None:
        self._sinks[sink] = None
        self.welcome(sink, now)

    def remove(self, sink: Sink) -> None:
        with suppress(KeyError):
            del self._sinks[sink]

    def welcome(self, sink: Sink, now: float) -> None:
        """Lets a sink that was just added or opened begin with a key frame as soon as can be."""
        if not sink.open:
            return
        units = self.history.since_key_frame() if sink.fresh else []
        if not units or now - units[0].captured > self.replay:
            self.want_key_frame()
            return
        for unit in units:
            sink.push(unit)

    def deliver(self, unit: Unit) -> None:
        """Sends the unit to all. A sink that fails does so alone: it counts the error."""
        self.history.add(unit)
        for sink in tuple(self._sinks):
            sink.push(unit)

    def resend(self, sink: Sink, numbers: tuple[int, ...], now: float) -> None:
        sink.resend(numbers, self.history.find, now)
