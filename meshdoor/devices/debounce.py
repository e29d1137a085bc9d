"""A contact whose level counts once it has been steady: bounces and interference are shorter than `interval`."""

from __future__ import annotations


class Debounce:
    """`active` is the level that counts."""

    def __init__(self, interval: float, active: bool = False) -> None:
        self.active = active
        self._interval = interval
        self._level = active
        self._since = 0.0

    def level(self, level: bool, now: float) -> None:
        """The contact is at this level now."""
        if level is not self._level:
            self._level, self._since = level, now

    def next_deadline(self) -> float | None:
        """When its level may be sure; None while there is no other one."""
        return self._since + self._interval if self._level is not self.active else None

    def handle_timer(self, now: float) -> bool:
        """Is there another level that counts now?"""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return False
        self.active = self._level
        return True
