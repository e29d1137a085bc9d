"""Which relays are on, and until when. Who drives them asks for what is due."""

from __future__ import annotations

from collections.abc import Iterable


class Pulses:
    """Relays by name; each rests until it is told otherwise."""

    def __init__(self, names: Iterable[str]) -> None:
        self._until: dict[str, float | None] = dict.fromkeys(names)  # None: it rests

    def on(self, name: str, seconds: float, now: float) -> bool:
        """On from now. False if it is on already: then it stays on for as long as it was to, if that is longer."""
        before = self._until[name]
        if before is None:
            self._until[name] = now + seconds
            return True
        self._until[name] = max(before, now + seconds)
        return False

    def off(self, name: str) -> bool:
        """At rest. False if it is already."""
        was_on = self._until[name] is not None
        self._until[name] = None
        return was_on

    def next_deadline(self) -> float | None:
        """When the next of them is due."""
        return min((until for until in self._until.values() if until is not None), default=None)

    def due(self, now: float) -> list[str]:
        """Those whose time is over; each once."""
        over = [name for name, until in self._until.items() if until is not None and until <= now]
        for name in over:
            self._until[name] = None
        return over
