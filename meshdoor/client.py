"""The Python API: drive the node on this host from a script.

    import asyncio, meshdoor

    async def main() -> None:
        async with meshdoor.connect() as home:
            await home.ring()
            async for event in home.events():
                print(event)

    asyncio.run(main())

Every method is a verb of the command line and raises the same errors (meshdoor.errors.UserError and its kinds);
documents are those of `--json`.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from meshdoor.control import MAX_LINE, Json, decode, encode, error_from_json
from meshdoor.control.client import not_running, reachable_path
from meshdoor.errors import MeshdoorError, NotRunning
from meshdoor.store.location import checkout, default_location


class Home:
    """A connection to the node. Calls may run side by side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._number = 0
        self._waiting: dict[int, asyncio.Queue[dict[str, Json]]] = {}

    async def call(self, verb: str, **args: Json) -> Json:
        """What the node answers to any verb. Raises UserError."""
        async for message in self._stream(verb, args):
            if "error" in message:
                raise error_from_json(message["error"])
            if "event" not in message:
                return message.get("ok")
        raise NotRunning("the node stopped while it was asked", "see its log; start it with: meshdoor run")

    async def status(self) -> Json:
        """The whole house: `meshdoor status --json` (docs/status.md)."""
        return await self.call("status")

    async def ring(self) -> Json:
        """Press the button of this door: the id of the press, and who is asked."""
        return await self.call("ring")

    async def answer(self) -> Json:
        """Answer what rings here."""
        return await self.call("answer")

    async def decline(self) -> Json:
        """Decline what rings here."""
        return await self.call("decline")

    async def hang_up(self) -> Json:
        """End the call, or give up the ring."""
        return await self.call("hangup")

    async def monitor(self, door: str) -> Json:
        """Look through a door."""
        return await self.call("monitor", door=door)

    async def call_member(self, name: str) -> Json:
        """Call another room by its name or id."""
        return await self.call("call", member=name)

    async def open(self, door: str | None = None) -> Json:
        """Open the lock of a door: the lock's signed receipt."""
        return await self.call("open", door=door)

    async def history(self, limit: int = 50) -> Json:
        """The latest presses, the newest first."""
        return await self.call("history", limit=limit)

    async def events(self) -> AsyncIterator[Json]:
        """What happens from now on, until the node stops or the loop is left."""
        async for message in self._stream("events", {}):
            if "event" not in message:
                return
            yield message["event"]

    async def _stream(self, verb: str, args: dict[str, Json]) -> AsyncIterator[dict[str, Json]]:
        self._number += 1
        number = self._number
        queue = self._waiting[number] = asyncio.Queue()
        try:
            self._writer.write(encode({"id": number, "verb": verb, "args": args}))
            while message := await queue.get():
                yield message
        finally:
            del self._waiting[number]

    async def receive(self) -> None:
        """Hand out what the node says, until it says no more."""
        try:
            while (line := await self._reader.readline()).endswith(b"\n"):
                message = decode(line)
                if (queue := self._waiting.get(message.get("id", 0))) is not None:
                    queue.put_nowait(message)
        except (MeshdoorError, ConnectionError, ValueError):
            pass
        finally:
            for queue in self._waiting.values():
                queue.put_nowait({})


@asynccontextmanager
async def connect(state: str | os.PathLike[str] | None = None) -> AsyncIterator[Home]:
    """A connection to the node of this state directory, by default the one that `meshdoor status` asks.

    Raises NotRunning.
    """
    path = Path(state) if state is not None else _default()
    try:
        with reachable_path(path) as name:
            reader, writer = await asyncio.open_unix_connection(name, limit=MAX_LINE)
    except OSError as error:
        raise not_running(path, error) from error
    home = Home(reader, writer)
    receiving = asyncio.create_task(home.receive())
    try:
        yield home
    finally:
        writer.close()
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)


def _default() -> Path:
    root = os.getuid() == 0
    return default_location(os.environ, socket.gethostname(), root=root, source=checkout())
