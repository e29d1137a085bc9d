"""The node's handle on its media engine, a process of its own. Imports no codec.

    async with Engine(Hello("door", camera="card"), on_event) as engine:
        opened = await engine.open_leg("b1", "192.168.1.20")
        await engine.start_leg(StartLeg("b1", video=plan))

When the process dies, `EngineLost` names the legs that died with it, and it is started again, after a growing wait
if it does not live long. Commands wait for it a little; then they raise EngineError, and so do those that it died on.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TypeVar

from meshdoor.config import IceServer
from meshdoor.errors import EngineError, LocalProtocolError
from meshdoor.media.messages import (
    MAX_MESSAGE,
    Capture,
    CloseLeg,
    Command,
    Dtmf,
    Gate,
    GetStatistics,
    Hello,
    KeyFrame,
    Message,
    Mute,
    Near,
    OpenLeg,
    Ping,
    Prepare,
    ShowWall,
    Snapshot,
    SoundCommand,
    StartLeg,
    decode,
    encode,
)
from meshdoor.media.plans import Address, Gates
from meshdoor.media.reports import (
    Answer,
    Done,
    EngineLost,
    EngineReady,
    EngineStatistics,
    Event,
    Failed,
    LegOpened,
    LegStatistics,
    Ready,
)
from meshdoor.wall.model import WallState

log = logging.getLogger(__name__)

# All ours, in seconds.
START_TIMEOUT = 20.0  # a Pi takes several to load its codecs
ANSWER_TIMEOUT = 8.0  # a machine that is busy with much else takes seconds
DIGITS_TIMEOUT = ANSWER_TIMEOUT + 13.0  # as many digits as may wait
PING_INTERVAL = 5.0
SHUTDOWN_TIMEOUT = 3.0
FIRST_BACK_OFF, MAX_BACK_OFF = 0.1, 5.0
LONG_LIVED = 10.0  # an engine that lived this long is started again at once

COMMAND = (sys.executable, "-m", "meshdoor.media.engine")

A = TypeVar("A")


class Engine:
    """Starts the engine and keeps it running while the context lasts."""

    def __init__(
        self, hello: Hello, on_event: Callable[[Event], None], command: Sequence[str] = COMMAND
    ) -> None:
        """`command` gets the number of its socket as last argument."""
        self.pid: int | None = None
        self._hello = hello
        self._on_event = on_event
        self._command = tuple(command)
        self._socket: socket.socket | None = None
        self._ready = asyncio.Event()
        self._sending = asyncio.Lock()
        self._pending: dict[int, asyncio.Future[Answer]] = {}
        self._requests = 0
        self._legs: dict[str, None] = {}
        self._browsers = False
        self._runner: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Engine:
        self._runner = asyncio.create_task(self._keep_running(), name="media engine")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        self._runner.cancel()
        with suppress(asyncio.CancelledError):
            await self._runner

    @property
    def is_ready(self) -> bool:
        return self._ready.is_set()

    async def wait_ready(self) -> None:
        await self._ready.wait()

    async def open_beyond(self, leg: str, local: str, stun: Address) -> LegOpened:
        """A leg beyond a NAT, whose sockets look as this server says. In an engine that died it may be opened again
        as any other: they are the same."""
        return await self._open(OpenLeg(leg, local, stun=stun))

    async def open_leg(self, leg: str, local: str, before: LegOpened | None = None) -> LegOpened:
        """`before`: as it was opened in an engine that died, so that the peer need not be told. Under the same keys,
        its streams have other sources (SSRC), so nothing is encrypted twice in one way."""
        ports = (before.audio_port, before.video_port) if before is not None else (0, 0)
        return await self._open(OpenLeg(leg, local, *ports))

    async def open_dtls(self, leg: str, local: str) -> LegOpened:
        """A leg to a SIP client that makes its keys by DTLS. One in an engine that died cannot be opened again."""
        return await self._open(OpenLeg(leg, local, dtls=True))

    async def open_webrtc(self, leg: str, addresses: Sequence[str], servers: Sequence[IceServer] = ()) -> LegOpened:
        """A leg to a browser, which may find it at these addresses of this host. One in an engine that died cannot be
        opened again: the browser would have to be told."""
        local, *others = addresses
        return await self._open(OpenLeg(leg, local, webrtc=True, addresses=tuple(others), ice_servers=tuple(servers)))

    async def _open(self, command: OpenLeg) -> LegOpened:
        """Who does not wait for it leaves no leg behind."""
        try:
            answer = await self._ask(command, LegOpened)
        except asyncio.CancelledError:
            self._forget(command.leg)
            raise
        self._legs[command.leg] = None
        return answer

    def _forget(self, leg: str) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._requests += 1
                self._socket.send(encode(CloseLeg(leg), self._requests))

    async def prepare(self) -> None:
        """Browsers may be called from now on: what they need is loaded before the first of them is, in this engine and
        in those after it."""
        self._browsers = True
        if self._ready.is_set():
            await self._ask(Prepare(), Done)

    async def start_leg(self, start: StartLeg) -> None:
        await self._ask(start, Done)

    async def gate(self, leg: str, gates: Gates) -> None:
        await self._ask(Gate(leg, gates), Done)

    async def close_leg(self, leg: str) -> LegStatistics:
        self._legs.pop(leg, None)
        return await self._ask(CloseLeg(leg), LegStatistics)

    async def key_frame(self) -> None:
        await self._ask(KeyFrame(), Done)

    async def capture(self, on: bool) -> None:
        await self._ask(Capture(on), Done)

    async def dtmf(self, leg: str, digits: str) -> None:
        """Until they have left."""
        await self._ask(Dtmf(leg, digits), Done, DIGITS_TIMEOUT)

    async def sound(self, command: SoundCommand) -> None:
        """What is heard besides voices."""
        await self._ask(command, Done)

    async def snapshot(self, path: str, leg: str | None = None) -> None:
        await self._ask(Snapshot(path, leg), Done)

    async def mute(self, on: bool) -> None:
        """One engine forgets it when it dies."""
        await self._ask(Mute(on), Done)

    async def show_wall(self, state: WallState) -> None:
        """Raises EngineError where there is no screen on the wall."""
        await self._ask(ShowWall(state), Done)

    async def near(self) -> None:
        await self._ask(Near(), Done)

    async def statistics(self) -> EngineStatistics:
        return await self._ask(GetStatistics(), EngineStatistics)

    async def _ask(self, command: Command, expected: type[A], patience: float = ANSWER_TIMEOUT) -> A:
        """Raises EngineError when the engine is not there, dies on it, or says no."""
        try:
            async with asyncio.timeout(patience):
                await self._ready.wait()
                answer = await self._exchange(command)
        except TimeoutError:
            raise EngineError(f"the media engine did not answer {type(command).__name__}") from None
        if isinstance(answer, Failed):
            raise EngineError(answer.reason)
        if not isinstance(answer, expected):
            raise EngineError(f"the media engine answered {type(answer).__name__} to {type(command).__name__}")
        return answer

    async def _exchange(self, command: Command) -> Answer:
        assert self._socket is not None
        loop = asyncio.get_running_loop()
        self._requests += 1
        request = self._requests
        answer: asyncio.Future[Answer] = loop.create_future()
        self._pending[request] = answer
        try:
            async with self._sending:
                await loop.sock_sendall(self._socket, encode(command, request))
            return await answer
        except OSError as error:
            raise EngineError(f"the media engine is gone: {error.strerror}") from None
        finally:
            self._pending.pop(request, None)

    async def _keep_running(self) -> None:
        back_off = FIRST_BACK_OFF
        while True:
            started = time.monotonic()
            reason = await self._run_once()
            self._tell_lost(reason)
            if time.monotonic() - started >= LONG_LIVED:
                back_off = FIRST_BACK_OFF
            log.warning("the media engine ended: %s; starting it again in %.1f s", reason, back_off)
            await asyncio.sleep(back_off)
            back_off = min(2 * back_off, MAX_BACK_OFF)

    async def _run_once(self) -> str:
        """Runs one process to its end, which it returns in words."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with ours:
            with theirs:
                try:
                    process = await asyncio.create_subprocess_exec(
                        *self._command, str(theirs.fileno()), pass_fds=(theirs.fileno(),)
                    )
                except OSError as error:
                    return f"cannot be started: {error.strerror}"
            self._socket = ours
            try:
                reason = await self._converse(ours)
            finally:
                self._down()
                ours.close()  # the engine ends when it reads the end of file
                status = await _reap(process)
        return reason or f"exit status {status}"

    async def _converse(self, ours: socket.socket) -> str:
        """Until the engine closes its socket (then ""), or does not answer (then the reason)."""
        reader = asyncio.create_task(self._read(ours))
        watcher = asyncio.create_task(self._watch())
        try:
            done, _ = await asyncio.wait({reader, watcher}, return_when=asyncio.FIRST_COMPLETED)
            return next(iter(filter(None, (task.result() for task in done))), "")  # both, if it said why and ended
        finally:
            for task in (reader, watcher):
                task.cancel()
            await asyncio.gather(reader, watcher, return_exceptions=True)

    async def _read(self, ours: socket.socket) -> str:
        loop = asyncio.get_running_loop()
        while True:
            try:
                data = await loop.sock_recv(ours, MAX_MESSAGE)
            except ConnectionError:
                return ""
            if not data:
                return ""
            try:
                self._handle(*decode(data))
            except LocalProtocolError as error:
                log.error("the media engine sent %s", error)

    async def _watch(self) -> str:
        """Introduces the node, then asks again and again whether the engine is there."""
        try:
            async with asyncio.timeout(START_TIMEOUT):
                ready = await self._exchange(self._hello)
        except TimeoutError:
            return "did not start"
        except EngineError:
            return ""
        if not isinstance(ready, Ready):
            return f"refused its settings: {ready}"
        self.pid = ready.pid
        self._ready.set()
        if self._browsers:
            with suppress(EngineError):
                await self._ask(Prepare(), Done)
        self._on_event(EngineReady(ready.pid))
        while True:
            await asyncio.sleep(PING_INTERVAL)
            try:
                await self._ask(Ping(), Done)
            except EngineError as error:
                return str(error)

    def _handle(self, request: int | None, message: Message) -> None:
        if request is None:
            if isinstance(message, Event):
                self._on_event(message)
            return
        waiting = self._pending.get(request)
        if waiting is not None and not waiting.done() and isinstance(message, Answer):
            waiting.set_result(message)

    def _down(self) -> None:
        self._ready.clear()
        self._socket = self.pid = None
        for waiting in self._pending.values():
            if not waiting.done():
                waiting.set_exception(EngineError("the media engine died"))

    def _tell_lost(self, reason: str) -> None:
        legs = tuple(self._legs)
        self._legs.clear()
        self._on_event(EngineLost(legs, reason))


async def _reap(process: asyncio.subprocess.Process) -> int | None:
    """Waits for the process, which has been told to end; kills it if it does not, or if nobody can wait."""
    try:
        await asyncio.wait_for(process.wait(), SHUTDOWN_TIMEOUT)  # not `timeout`: see `node.pins`
    except TimeoutError:
        log.warning("the media engine does not end by itself")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode
