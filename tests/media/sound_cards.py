"""Sound cards that are objects: what they capture and play is counted, and they go away when they are told to."""

from __future__ import annotations

from meshdoor.errors import EngineError
from meshdoor.media.sdl_audio import OpenCard, Way


class FakeCard:
    """`captured` is what it has for us; `wrote` all that it was given, of which `pending` samples are to be played."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.here, self.closed = True, False
        self.captured = self.wrote = b""
        self.pending = 0
        self.volumes: list[float] = []

    def alive(self) -> bool:
        return self.here

    def queued(self) -> int:
        return self.pending

    def read(self) -> bytes:
        samples, self.captured = self.captured, b""
        return samples

    def write(self, samples: bytes, volume: float = 1.0) -> None:
        self.wrote += samples
        self.pending += len(samples) // 2
        self.volumes.append(volume)

    def clear(self) -> None:
        self.captured = b""
        self.pending = 0

    def close(self) -> None:
        self.closed = True

    def play(self, samples: int) -> None:
        self.pending = max(0, self.pending - samples)


class FakeDriver:
    """`there` are the names of the cards that can be opened."""

    def __init__(self, *there: str) -> None:
        self.there = list(there)
        self.cards: list[FakeCard] = []
        self.restarts = 0
        self.closed = False

    @property
    def card(self) -> FakeCard:
        """The one that was opened last."""
        return self.cards[-1]

    def open(self, way: Way) -> OpenCard:
        if way.name not in self.there:
            raise EngineError(f"there is no card {way.name!r}")
        self.cards.append(FakeCard(way.name))
        return self.card

    def restart(self) -> None:
        self.restarts += 1

    def close(self) -> None:
        self.closed = True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now
