"""Pictures of visitors as files for the screen on the wall, in memory rather than on the card of a Pi."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

IN_MEMORY: Final = Path("/dev/shm")

Fetch = Callable[[str], Awaitable[bytes]]


class WallFiles:
    """One folder; it goes with `close`."""

    def __init__(self, fetch: Fetch) -> None:
        """`fetch` gives the picture of a visit, empty if there is none."""
        self._fetch = fetch
        self._folder: Path | None = None
        self._files: dict[str, str] = {}
        self._count = 0

    @property
    def files(self) -> Mapping[str, str]:
        """By the id of the visit."""
        return self._files

    async def keep(self, ids: Iterable[str]) -> bool:
        """Have the pictures of these, and of no other; True if that changed anything."""
        wanted = set(ids)
        gone, fresh = self._files.keys() - wanted, wanted - self._files.keys()
        for path in [self._files.pop(each) for each in gone]:
            await asyncio.to_thread(_remove, path)
        for each in sorted(fresh):
            if data := await self._fetch(each):
                self._files[each] = str(await asyncio.to_thread(self._write, data))
        return bool(gone) or not fresh.isdisjoint(self._files)

    async def close(self) -> None:
        self._files.clear()
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _write(self, data: bytes) -> Path:
        if self._folder is None:
            where = os.environ.get("RUNTIME_DIRECTORY") or (IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None)
            self._folder = Path(tempfile.mkdtemp(prefix="meshdoor-wall-", dir=where))
        self._count += 1
        path = self._folder / f"{self._count}.jpg"
        path.write_bytes(data)
        return path


def _remove(path: str) -> None:
    Path(path).unlink(missing_ok=True)
