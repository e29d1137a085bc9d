"""What happened a moment ago, told for a few seconds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from meshdoor.wall.model import Notice

LASTS: Final = 6.0  # seconds; as on the page of phones
AT_ONCE: Final = 2


class Notices:
    """Those that were told and are not over. A notice that stays in the state is not told again."""

    def __init__(self) -> None:
        self._until: dict[str, tuple[Notice, float]] = {}

    @property
    def shown(self) -> tuple[Notice, ...]:
        """The newest, the oldest of them first."""
        return tuple(notice for notice, until in self._until.values() if until)[-AT_ONCE:]

    def told(self, notices: Iterable[Notice], now: float) -> None:
        """All that the node has now."""
        known = self._until
        self._until = {notice.id: known.get(notice.id, (notice, now + LASTS)) for notice in notices}

    def next_deadline(self) -> float | None:
        return min((until for _, until in self._until.values() if until), default=None)

    def handle_timer(self, now: float) -> bool:
        """True if one is over now."""
        over = [name for name, (_, until) in self._until.items() if until and until <= now]
        for name in over:
            self._until[name] = (self._until[name][0], 0.0)
        return bool(over)
