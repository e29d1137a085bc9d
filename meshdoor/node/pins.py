"""The node's end of its pin keeper: relays are ordered here, and contacts are heard of."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final

from meshdoor.devices.orders import MAX_LINE, Order, Wiring, parse
from meshdoor.errors import LocalProtocolError
from meshdoor.node import journal

COMMAND: Final = (sys.executable, "-m", "meshdoor.node.keeper")
PATIENCE: Final = 1.0  # seconds for an order, and for the end of a pulse that is due; then the keeper hangs
REST: Final = 6.0  # seconds in which the one that watches puts the relays to rest; systemd waits for 10
BEGIN: Final = 3.0  # seconds that an order waits for a keeper that begins
START: Final = 60.0  # seconds for a keeper to begin: a Pi that boots is busy
FIRST_BACK_OFF, MAX_BACK_OFF = 0.02, 5.0  # seconds; the first is short: until then a relay may be on
LONG_LIVED: Final = 10.0

OnInput = Callable[[str, bool], None]


class Pins:
    """Keeps the keeper running while the context lasts. `on_input` is told of each contact, first how it is."""

    def __init__(self, wiring: Wiring, on_input: OnInput, command: Sequence[str] = COMMAND) -> None:
        self.why: dict[str, str] = dict.fromkeys((*wiring.inputs, *wiring.outputs), "the pin keeper does not run")
        self.tried = False  # until then nothing is known of any pin
        self.contacts: dict[str, bool] = {}  # as they were last
        self.pid: int | None = None  # of the process that watches
        self.worker: int | None = None  # of the one that holds the pins
        self.changed: Callable[[], None] = _ignore  # told when `why` has changed
        self._wiring = wiring
        self._on_input = on_input
        self._command = tuple(command)
        self._process: Process | None = None
        self._ready = asyncio.Event()
        self._orders: dict[int, asyncio.Future[str]] = {}
        self._number = 0
        self._hopeless = False  # there are no pins, or no keeper
        self._watches: dict[str, asyncio.TimerHandle] = {}
        self._runner: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Pins:
        self._runner = asyncio.create_task(self._keep_running(), name="pin keeper")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        self._runner.cancel()
        with suppress(asyncio.CancelledError):
            await self._runner

    async def ready(self) -> None:
        """Until the keeper has tried all pins."""
        await self._ready.wait()

    async def on(self, name: str, seconds: float) -> None:
        """Once this returns, the relay is on, and it will be off after that time. Raises OSError."""
        await self._order(name, seconds)
        self._watch(name, seconds)

    async def off(self, name: str) -> None:
        """Raises OSError: then the keeper is ended, and with it the pulse."""
        await self._order(name, 0.0)

    async def _order(self, name: str, seconds: float) -> None:
        process = await self._begun()
        if process is None or process.stdin is None:
            raise OSError(self.why.get(name) or "the pin keeper does not run")
        self._number += 1
        number, answer = self._number, asyncio.get_running_loop().create_future()
        self._orders[number] = answer
        try:
            process.stdin.write(bytes(Order(number, name, seconds)))
            why = await asyncio.wait_for(answer, PATIENCE)
        except TimeoutError:
            self._end("it does not answer")
            raise OSError("the pin keeper does not answer") from None
        finally:
            self._orders.pop(number, None)
        if why:
            raise OSError(why)

    async def _begun(self) -> Process | None:
        """One that begins just now is waited for, unless there are no pins."""
        if not self._hopeless:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), BEGIN)
        return self._process if self._ready.is_set() else None

    def _watch(self, name: str, seconds: float) -> None:
        """A keeper that does not end a pulse is ended itself."""
        self._unwatch(name)
        late = asyncio.get_running_loop().call_later(seconds + PATIENCE, self._overdue, name)
        self._watches[name] = late

    def _overdue(self, name: str) -> None:
        self._end(f"{name} is on for too long")

    def _unwatch(self, name: str) -> None:
        if (watch := self._watches.pop(name, None)) is not None:
            watch.cancel()

    def _end(self, why: str) -> None:
        """The worker first: who watches it then puts the relays to rest."""
        journal.warn("pins", f"the pin keeper is ended: {why}")
        with suppress(ProcessLookupError):
            if self.worker is not None:
                os.kill(self.worker, signal.SIGKILL)
            elif self._process is not None:
                self._process.kill()

    async def _keep_running(self) -> None:
        back_off, loop = FIRST_BACK_OFF, asyncio.get_running_loop()
        while True:
            began = loop.time()
            await self._run_once()
            back_off = FIRST_BACK_OFF if loop.time() - began > LONG_LIVED else min(back_off * 4, MAX_BACK_OFF)
            await asyncio.sleep(back_off)

    async def _run_once(self) -> None:
        """One life of a keeper."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, limit=MAX_LINE, start_new_session=True
            )
        except OSError as error:
            journal.warn("pins", f"the pin keeper cannot be started: {error}")
            self._hopeless = True
            return
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self.pid = process, process.pid
        late = asyncio.get_running_loop().call_later(START, self._not_ready)
        try:
            process.stdin.write(bytes(self._wiring))
            async for text in process.stdout:
                self._heard(parse(text))
        except (LocalProtocolError, ValueError) as error:
            self._end(str(error))
        finally:
            late.cancel()
            worker = self.worker
            self._forget()
            await _gone(process, worker)

    def _not_ready(self) -> None:
        if not self._ready.is_set():
            self._end("it does not begin")

    def _forget(self) -> None:
        self._process = self.pid = self.worker = None
        self._ready.clear()
        for name in tuple(self._watches):
            self._unwatch(name)
        for answer in self._orders.values():
            if not answer.done():
                answer.set_result("the pin keeper ended")

    def _heard(self, said: dict[str, Any]) -> None:
        kind, name, why = said.get("said"), str(said.get("name")), str(said.get("why", ""))
        if kind == "input":
            self.contacts[name] = said["active"] is True
            self._on_input(name, self.contacts[name])
        elif kind == "output" and said["active"] is False:
            self._unwatch(name)
        elif kind == "done":
            answer = self._orders.get(said["order"])
            if answer is not None and not answer.done():
                answer.set_result(why)
        elif kind == "wired":
            self._wired(name, why)
        elif kind == "no pins":
            self._no_pins(why, str(said.get("hint", "")))
        elif kind == "ready":
            self.tried = True
            self.worker, self._hopeless = said["pid"], False
            self._ready.set()
            self.changed()

    def _wired(self, name: str, why: str) -> None:
        if why and why != self.why.get(name):
            journal.warn("pins", f"{name}: {why}")
        self.why[name] = why

    def _no_pins(self, why: str, hint: str) -> None:
        if why not in self.why.values():
            journal.warn("pins", f"{why}; {hint}")
        self.why = dict.fromkeys(self.why, why)
        self._hopeless = self.tried = True
        self.changed()


def _ignore() -> None:
    """Nobody wants to know."""


async def _gone(process: Process, worker: int | None) -> None:
    """It sees the end of its orders, puts every relay to rest and goes.

    A worker that does not is killed, then its watcher does that. Whatever happens here, none is left behind.
    """
    assert process.stdin is not None
    process.stdin.close()
    try:
        if not await _ended(process) and worker is not None:
            journal.warn("pins", "the pin keeper does not end, and is killed")
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
            await _ended(process, REST)
    finally:
        if process.returncode is None:
            journal.warn("pins", "the pin keeper is killed: a relay may still be on, the lock's too")
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


async def _ended(process: Process, patience: float = PATIENCE) -> bool:
    """Both of its processes, within our patience. By `wait_for`: this runs in a task that is cancelled, in which
    `asyncio.timeout` of Python 3.11.2, that of Debian 12, gives CancelledError in place of TimeoutError."""
    with suppress(TimeoutError):
        await asyncio.wait_for(process.communicate(), patience)
        return True
    return False
