"""The node's end of the control socket."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from meshdoor.control import MAX_LINE, Json, decode, encode, error_to_json
from meshdoor.control.client import reachable_path
from meshdoor.errors import Refused, RemoteProtocolError, UserError

LOGGER = logging.getLogger("meshdoor")
MAX_CONNECTIONS = 32
MAX_RUNNING = 16  # verbs under way on one connection
CANCEL = "cancel"

Progress = Callable[[Json], None]
Verb = Callable[[Mapping[str, Json], Progress], Awaitable[Json]]


@asynccontextmanager
async def serve(state: Path, verbs: Mapping[str, Verb]) -> AsyncIterator[None]:
    """Answer requests with `verbs` until the block ends."""
    connections: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(connections) >= MAX_CONNECTIONS:
            writer.close()
            return
        # Not this task itself is cancelled at the end: asyncio (3.11) takes that for an error, and logs it.
        task = asyncio.create_task(_Connection(reader, writer, verbs).run())
        connections.add(task)
        try:
            await asyncio.wait({task})
        finally:
            connections.discard(task)
            writer.close()

    with reachable_path(state) as path:
        await asyncio.to_thread(_unlink, path)
        before = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(accept, path, limit=MAX_LINE)
        finally:
            os.umask(before)
    try:
        yield
    finally:
        server.close()
        running = tuple(connections)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        with reachable_path(state) as path:
            await asyncio.to_thread(_unlink, path)


def _unlink(path: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, verbs: Mapping[str, Verb]) -> None:
        self._reader = reader
        self._writer = writer
        self._verbs = verbs
        self._running = asyncio.Semaphore(MAX_RUNNING)
        self._under_way: dict[int, asyncio.Future[Json]] = {}  # by the number of the request

    async def run(self) -> None:
        """Serve until the other side closes; then cancel what it left under way."""
        tasks: set[asyncio.Task[None]] = set()
        try:
            while line := await self._line():
                await self._running.acquire()
                task = asyncio.create_task(self._answer(line))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        finally:
            leftover = tuple(tasks)
            for task in leftover:
                task.cancel()
            await asyncio.gather(*leftover, return_exceptions=True)

    async def _line(self) -> bytes:
        try:
            return await self._reader.readline()
        except (ValueError, ConnectionError):
            return b""

    async def _answer(self, line: bytes) -> None:
        try:
            await self._reply(line)
            await self._writer.drain()  # who does not read its answers gets no more of them
        except ConnectionError:
            return
        finally:
            self._running.release()

    async def _reply(self, line: bytes) -> None:
        number: Json = None
        try:
            request = decode(line)
            number = request.get("id")
            result = await self._call(request)
            self._send({"id": number, "ok": result})
        except UserError as error:
            self._send({"id": number, "error": error_to_json(error)})
        except RemoteProtocolError as error:
            self._send({"id": number, "error": error_to_json(UserError(str(error)))})
        except Exception:
            LOGGER.exception("a verb failed")
            self._send({"id": number, "error": error_to_json(UserError("the node failed; see its log"))})

    async def _call(self, request: dict[str, Json]) -> Json:
        verb, args, number = request.get("verb"), request.get("args", {}), request.get("id")
        if verb == CANCEL and isinstance(args, dict):
            return self._cancel(args.get("id"))
        if not isinstance(verb, str) or verb not in self._verbs:
            raise UserError(f"no such verb: {verb!r}", f"verbs: {', '.join(sorted(self._verbs))}")
        if not isinstance(args, dict):
            raise UserError("args must be an object")
        work = self._verbs[verb](args, lambda event: self._send({"id": number, "event": event}))
        return await self._cancellable(number, asyncio.ensure_future(work))

    async def _cancellable(self, number: Json, running: asyncio.Future[Json]) -> Json:
        task = asyncio.current_task()
        if type(number) is int:
            self._under_way[number] = running
        try:
            return await running
        except asyncio.CancelledError:
            if task is not None and task.cancelling():
                raise
            raise Refused("cancelled") from None
        finally:
            if type(number) is int:
                self._under_way.pop(number, None)

    def _cancel(self, number: Json) -> bool:
        """Whether there was something to cancel."""
        running = self._under_way.get(number) if type(number) is int else None
        return running is not None and running.cancel()

    def _send(self, message: dict[str, Json]) -> None:
        if not self._writer.is_closing():
            self._writer.write(encode(message))
