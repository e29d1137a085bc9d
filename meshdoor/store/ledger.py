"""The ring ledger for the event loop: one thread does the work, one thing after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, TypeVar

from meshdoor.store.ledgerfile import DEFAULT, Bounds, LedgerFile

P = ParamSpec("P")
T = TypeVar("T")


class Ledger:
    """An async context manager. Any method of LedgerFile, without blocking the loop:

        async with Ledger(state / LEDGER) as ledger:
            await ledger.run(LedgerFile.put, stored, time.time())
    """

    def __init__(self, path: Path, bounds: Bounds = DEFAULT) -> None:
        self._path = path
        self._bounds = bounds
        self._worker = ThreadPoolExecutor(1, "ledger")

    async def __aenter__(self) -> Ledger:
        loop = asyncio.get_running_loop()
        try:
            self._file = await loop.run_in_executor(self._worker, LedgerFile, self._path, self._bounds)
        except BaseException:
            self._worker.shutdown(wait=False)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        closing = asyncio.get_running_loop().run_in_executor(self._worker, self._file.close)
        self._worker.shutdown(wait=False)
        await asyncio.shield(closing)

    @property
    def damage(self) -> str:
        """A sentence on a ledger that had to be set aside; empty when all is well."""
        return self._file.damage

    async def run(self, method: Callable[Concatenate[LedgerFile, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the method gives. Raises StateError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, lambda: method(self._file, *args, **kwargs))
