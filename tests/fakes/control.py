"""A node that is nothing but its control socket: it gives the answers that it was told to give."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from meshdoor.control import Json
from meshdoor.control.server import Progress, Verb, serve


@dataclass(frozen=True)
class Stream:
    """Progress of a verb that never answers; with `ends` the node stops after it."""

    events: tuple[Json, ...]
    ends: bool

    def __init__(self, *events: Json, ends: bool = False) -> None:
        object.__setattr__(self, "events", events)
        object.__setattr__(self, "ends", ends)


@dataclass(frozen=True)
class Answered:
    """Progress of a verb, and its answer."""

    answer: Json
    events: tuple[Json, ...]

    def __init__(self, answer: Json, *events: Json) -> None:
        object.__setattr__(self, "answer", answer)
        object.__setattr__(self, "events", events)


class FakeNode:
    """`answers` by verb; a tuple is answered one after the other, the last for good; an exception is raised."""

    def __init__(self, state: Path, answers: Mapping[str, Json] | None = None) -> None:
        self.state = state
        self.answers: dict[str, Json] = dict(answers or {})
        self.asked: list[tuple[str, dict[str, Json]]] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    def __enter__(self) -> FakeNode:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, as far as it runs."""
        if self._thread.is_alive():
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        verbs = {name: self._verb(name) for name in self.answers}
        async with serve(self.state, verbs):
            self._ready.set()
            await self._stop.wait()

    def _verb(self, name: str) -> Verb:
        async def answer(args: Mapping[str, Json], progress: Progress) -> Json:
            self.asked.append((name, dict(args)))
            value = self.answers[name]
            if isinstance(value, tuple):
                value = value[min(sum(asked == name for asked, _ in self.asked), len(value)) - 1]
            if isinstance(value, Exception):
                raise value
            if isinstance(value, Stream):
                await self._tell(value, progress)
            if isinstance(value, Answered):
                for event in value.events:
                    progress(event)
                return value.answer
            return value

        return answer

    async def _tell(self, stream: Stream, progress: Progress) -> None:
        for event in stream.events:
            progress(event)
        if stream.ends:
            self._stop.set()
        await asyncio.Event().wait()
