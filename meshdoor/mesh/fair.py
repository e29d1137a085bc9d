"""A bounded table in which a flood from one source displaces only that source's own entries."""

from __future__ import annotations

from collections import Counter
from typing import Generic, TypeVar

V = TypeVar("V")


class FairTable(Generic[V]):
    """At most `limit` values by key; when it is full, the source that holds most of it loses its oldest."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[str, tuple[str, V]] = {}
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def get(self, key: str) -> V | None:
        """The value of `key`."""
        entry = self._entries.get(key)
        return None if entry is None else entry[1]

    def values(self) -> list[V]:
        """All values, the oldest first."""
        return [value for _, value in self._entries.values()]

    def put(self, key: str, value: V, source: str) -> str | None:
        """Store a value, and name the key that made room for it. Stored again, a key keeps its age."""
        before = self._entries.get(key)
        if before is not None:
            self._release(before[0])
        self._entries[key] = (source, value)
        self._held[source] += 1
        return self._make_room() if len(self._entries) > self._limit else None

    def pop(self, key: str) -> V | None:
        """Forget `key`, and give back what it held."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self._release(entry[0])
        return entry[1]

    def _make_room(self) -> str:
        most = max(self._held.values())
        greedy = next(key for key, (source, _) in self._entries.items() if self._held[source] == most)
        self.pop(greedy)
        return greedy

    def _release(self, source: str) -> None:
        self._held[source] -= 1
        if not self._held[source]:
            del self._held[source]
