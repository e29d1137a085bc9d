"""The Python API: drive the node on this host from a script.

    import asyncio, meshdoor

    async def main() -> None:
        async with meshdoor.connect() as home:
            async for event in home.ring_and_wait():
                print(event)

    asyncio.run(main())

Every method is a verb of the command line and raises the same errors (meshdoor.errors.UserError and its kinds);
documents are those of `--json`.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
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
        self._over = False
        self._waiting: dict[int, asyncio.Queue[dict[str, Json]]] = {}

    async def call(self, verb: str, **args: Json) -> Json:
        """What the node answers to any verb. Raises UserError."""
        async with aclosing(self._stream(verb, args)) as messages:
            async for message in messages:
                if "event" not in message:
                    return message.get("ok")
        raise _stopped()

    async def status(self) -> dict[str, Json]:
        """The whole house: `meshdoor status --json`."""
        return _object(await self.call("status"))

    async def members(self) -> list[dict[str, Json]]:
        """Who belongs to the home."""
        return list(await self.call("members"))

    async def ring(self) -> dict[str, Json]:
        """Press the button of this door: the id of the press, and who is asked."""
        return _object(await self.call("ring"))

    async def ring_and_wait(self) -> AsyncGenerator[dict[str, Json], None]:
        """Press the button; what happens to the press, until it is over: the last event says `why`."""
        async with aclosing(self.events()) as events:
            await anext(events)  # it listens: from now on nothing is missed
            press = (await self.ring())["press"]
            async for event in events:
                if event.get("press") == press:
                    yield event
                    if event["event"] == "over":
                        return

    async def answer(self, *, visit: int | None = None, call: int | None = None) -> dict[str, Json]:
        """Answer what rings here: that visitor or call, else a visitor before anybody else."""
        return _object(await self.call("answer", visit=visit, call=call))

    async def decline(self, *, visit: int | None = None, call: int | None = None) -> dict[str, Json]:
        """Decline what rings here; others may still answer a visitor."""
        return _object(await self.call("decline", visit=visit, call=call))

    async def hang_up(self) -> list[str]:
        """End what is on here: with whom it was, nobody if nothing was on."""
        return list((await self.call("hangup"))["ended"])

    async def call_room(self, name: str) -> dict[str, Json]:
        """Call another room by its name or id."""
        return _object(await self.call("call", member=name))

    async def monitor(self, door: str | None = None) -> dict[str, Json]:
        """Look through a door, by default the only one."""
        return _object(await self.call("monitor", door=door))

    async def talk(self) -> dict[str, Json]:
        """Open the sound both ways with whom this node looks at or listens to."""
        return _object(await self.call("talk"))

    async def dtmf(self, digits: str) -> dict[str, Json]:
        """Type digits (0-9, *, #, A-D; at most 32) to whom this node talks with."""
        return _object(await self.call("dtmf", digits=digits))

    async def hand_over(self, to: str) -> dict[str, Json]:
        """Hand the visitor whom this screen talks with over to another room; returns when that one talks."""
        return _object(await self.call("hand over", to=to))

    async def page(self) -> dict[str, Json]:
        """Speak to every other screen."""
        return _object(await self.call("page"))

    async def calls(self) -> dict[str, Json]:
        """What is on here now: the press, the visitors, the calls."""
        return _object(await self.call("calls"))

    async def visitors(self) -> list[dict[str, Json]]:
        """Who is at which door, as far as it rings or is talked in here."""
        return list(await self.call("visitors"))

    async def open(self, door: str | None = None, person: str | None = None) -> dict[str, Json]:
        """Open a lock: what it answered, and signed."""
        return _object(await self.call("open", door=door, person=person))

    async def history(self, limit: int = 50, *, missed: bool = False) -> dict[str, Json]:
        """The latest presses, the newest first, and what the locks did besides."""
        return _object(await self.call("history", limit=limit, missed=missed))

    async def phones(self) -> dict[str, Json]:
        """The phones of the home, and who was invited."""
        return _object(await self.call("phone list"))

    async def invite_phone(
        self, name: str, permissions: list[str] | None = None, until: int | None = None
    ) -> AsyncGenerator[dict[str, Json], None]:
        """Invite a phone: first what it is to scan (`url`, `svg`), then who is in (`joined`). Raises UserError.

        `until` is a Unix time, and makes it a guest. Leaving the loop withdraws the invitation.
        """
        args: dict[str, Json] = {"name": name, "permissions": permissions, "until": until}
        async with aclosing(self._stream("phone add", args)) as messages:
            async for message in messages:
                yield _object(message.get("event") or message.get("ok"))
                if "event" not in message:
                    return
        raise _stopped()

    async def events(self) -> AsyncGenerator[dict[str, Json], None]:
        """What happens from now on, until the loop is left; first `{"event": "listening"}`. Raises UserError."""
        async with aclosing(self._stream("events", {})) as messages:
            async for message in messages:
                yield message["event"]
        raise _stopped()

    async def _stream(self, verb: str, args: dict[str, Json]) -> AsyncGenerator[dict[str, Json], None]:
        """What the node says to one request, until the connection ends. Raises the error that it answers."""
        self._number += 1
        number = self._number
        queue = self._waiting[number] = asyncio.Queue()
        answered = False
        if self._over:
            queue.put_nowait({})
        try:
            self._writer.write(encode({"id": number, "verb": verb, "args": args}))
            while message := await queue.get():
                answered = "event" not in message
                if "error" in message:
                    raise error_from_json(message["error"])
                yield message
        finally:
            del self._waiting[number]
            if not answered and not self._over:
                self._number += 1
                self._writer.write(encode({"id": self._number, "verb": "cancel", "args": {"id": number}}))

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
            self._over = True
            for queue in self._waiting.values():
                queue.put_nowait({})


def _stopped() -> NotRunning:
    return NotRunning("the node stopped while it was asked", "see its log; start it with: meshdoor run")


def _object(answer: Json) -> dict[str, Json]:
    return dict(answer)


@asynccontextmanager
async def connect(state: str | os.PathLike[str] | None = None) -> AsyncIterator[Home]:
    """A connection to the node of this state directory, by default the one that `meshdoor status` asks.

    Raises NotRunning.
    """
    path = Path(state) if state is not None else await asyncio.to_thread(_default)
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
