"""The media engine: `python -m meshdoor.media.engine FD`, started by `engine_client`.

FD is its end of a SOCK_SEQPACKET socket pair, on which it takes commands and tells events (`messages`). It ends when
the other end is closed, so it never outlives its node. Pictures are made in threads (`camera`); all else, every socket
among it, belongs to the loop, so nothing here needs a lock.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meshdoor.errors import EngineError, LocalProtocolError, MeshdoorError
from meshdoor.media import rehearsal
from meshdoor.media.background import wait_for_workers
from meshdoor.media.channel import Sent
from meshdoor.media.leg import Leg, Studio
from meshdoor.media.leg_maker import LegMaker
from meshdoor.media.messages import (
    MAX_MESSAGE,
    SOUNDS,
    Capture,
    CloseLeg,
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
from meshdoor.media.outbox import Outbox
from meshdoor.media.relay import Relay
from meshdoor.media.reports import Answer, Done, EngineStatistics, Event, Failed, LegOpened, LegStatistics, Ready
from meshdoor.media.studio import NodeStudio
from meshdoor.media.webrtc_leg import WebrtcLeg

if TYPE_CHECKING:
    from meshdoor.media.wall import Wall

log = logging.getLogger(__name__)

MAX_LEGS = 256  # ours
TICK = 0.1  # s between looks at what is due in each leg; ours
STATISTICS_INTERVAL = 5.0  # s; ours
NO_HELLO = "the first command is Hello"
FINISH_TIMEOUT = 1.5  # s for files to be written at the end; ours


class Engine:
    """One node's media. `send` takes what is for the node."""

    def __init__(self, send: Callable[[bytes], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._clock = clock
        self._studio: NodeStudio | None = None
        self._maker: LegMaker | None = None
        self._legs: dict[str, Leg] = {}
        self._relays: dict[str, Relay] = {}  # by the leg that is the source
        self._ticker: asyncio.TimerHandle | None = None
        self._next_statistics = 0.0
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers: dict[type, Callable[[Any], Answer | Sent | None]] = {
            Hello: self._hello,
            OpenLeg: self._open,
            StartLeg: self._start,
            Gate: lambda command: self._leg(command.leg).gate(command.gates),
            CloseLeg: self._close_leg,
            KeyFrame: lambda command: self._devices.camera.key_frame(),
            Capture: lambda command: self._devices.camera.capture(command.on),
            Prepare: self._load,
            Dtmf: lambda command: self._leg(command.leg).dtmf(command.digits),
            **dict.fromkeys(SOUNDS, self._sound),
            Snapshot: self._snapshot,
            Mute: self._mute,
            ShowWall: lambda command: self._wall.tell(command.state),
            Near: lambda command: self._wall.near(),
            GetStatistics: self._statistics,
            Ping: lambda command: None,
        }

    def handle(self, data: bytes) -> None:
        """One datagram of the node; it is answered."""
        try:
            request, command = decode(data)
        except LocalProtocolError as error:
            log.error("the node sent %s", error)
            return
        answer = self._answer(command)
        if answer is None and isinstance(command, OpenLeg):
            self._opening[command.leg] = self._spawn(self._answer_later(command, request))
        elif isinstance(answer, asyncio.Future):
            answer.add_done_callback(lambda left: self._send(encode(_left(left), request)))
        else:
            self._send(encode(answer or Done(), request))

    def emit(self, event: Event) -> None:
        self._send(encode(event))

    def close(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
        for opening in self._opening.values():
            opening.cancel()
        for name in tuple(self._legs):
            self._end(name)
        if self._studio is not None:
            self._studio.close()

    async def aclose(self) -> None:
        """Also says goodbye to browsers."""
        self.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _answer(self, command: Message) -> Answer | Sent | None:
        """Whatever goes wrong in one command goes wrong for it alone."""
        try:
            handler = self._handlers.get(type(command))
            if handler is None:
                raise EngineError(f"{type(command).__name__} is no command")
            return handler(command)
        except Exception as error:
            return _failed(command, error)

    async def _answer_later(self, command: OpenLeg, request: int | None) -> None:
        """Opening a leg to a browser, or beyond a NAT, takes a while, in which it may be closed."""
        answer: Answer
        try:
            answer = self._keep(await self._new.later(command))
        except asyncio.CancelledError:
            answer = Failed(f"leg {command.leg} was closed")
        except Exception as error:
            answer = _failed(command, error)
        if self._opening.get(command.leg) is asyncio.current_task():
            del self._opening[command.leg]
        self._send(encode(answer, request))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def _devices(self) -> NodeStudio:
        if self._studio is None:
            raise EngineError(NO_HELLO)
        return self._studio

    @property
    def _new(self) -> LegMaker:
        if self._maker is None:
            raise EngineError(NO_HELLO)
        return self._maker

    @property
    def _wall(self) -> Wall:
        if self._devices.wall is None:
            raise EngineError("there is no screen on the wall")
        return self._devices.wall

    def _leg(self, name: str) -> Leg:
        leg = self._legs.get(name)
        if leg is None:
            raise EngineError(f"there is no leg {name}")
        return leg

    def _hello(self, hello: Hello) -> Ready:
        if self._studio is not None:
            raise EngineError("Hello was said before")
        self._studio = NodeStudio(hello, self.emit)
        self._maker = LegMaker(self._studio, self.emit)
        rehearsal.begin(hello.video)
        return Ready(os.getpid())

    def _load(self, command: Prepare) -> None:
        self._new.load_webrtc()

    def _check(self, name: str) -> None:
        if name in self._legs or name in self._opening:
            raise EngineError(f"leg {name} is open already")
        if len(self._legs) + len(self._opening) >= MAX_LEGS:
            raise EngineError(f"{MAX_LEGS} legs are open")

    def _open(self, command: OpenLeg) -> LegOpened | None:
        """None for what takes a while, and is answered later."""
        self._check(command.leg)
        leg = self._new.now(command)
        return None if leg is None else self._keep(leg)

    def _keep(self, leg: Leg) -> LegOpened:
        self._legs[leg.name] = leg
        if self._ticker is None:
            self._tick()
        return leg.opened

    def _start(self, command: StartLeg) -> None:
        leg = self._leg(command.leg)
        leg.studio = self._studio_of(command)
        leg.start(command)

    def _studio_of(self, command: StartLeg) -> Studio:
        """Whose media a leg has. Raises EngineError."""
        studio, source = self._devices, command.source
        if not source:
            return studio
        if source == command.leg:
            if source not in self._relays:
                self._relays[source] = Relay((studio.audio_ssrc, studio.video_ssrc), self._clock)
            return self._relays[source].source
        if source not in self._relays:
            raise EngineError(f"{source} is no source")
        return self._relays[source].branch

    def _close_leg(self, command: CloseLeg) -> LegStatistics:
        opening = self._opening.pop(command.leg, None)
        if opening is not None:
            opening.cancel()
            return LegStatistics(command.leg)
        self._leg(command.leg)
        return self._end(command.leg)

    def _end(self, name: str) -> LegStatistics:
        leg = self._legs.pop(name)
        self._relays.pop(name, None)
        last = leg.close()
        if isinstance(leg, WebrtcLeg):
            self._spawn(leg.aclose())
        return last

    def _mute(self, command: Mute) -> None:
        self._devices.sound.talk.muted = command.on

    def _sound(self, command: SoundCommand) -> None:
        self._devices.sound.handle(command)

    def _snapshot(self, command: Snapshot) -> None:
        path = Path(command.path)
        if command.leg is None:
            self._devices.snapshot(path)
        else:
            self._leg(command.leg).snapshot(path)

    def _statistics(self, command: GetStatistics) -> EngineStatistics:
        counters = self._devices.camera.counters
        return EngineStatistics(
            tuple(leg.statistics() for leg in self._legs.values()),
            counters.frames,
            counters.key_frames,
            counters.encode_time / counters.frames if counters.frames else 0.0,
        )

    def _tick(self) -> None:
        """As long as there are legs."""
        self._ticker = None
        now = self._clock()
        for leg in self._legs.values():
            leg.tick(now)
        if now >= self._next_statistics:
            self._next_statistics = now + STATISTICS_INTERVAL
            for leg in self._legs.values():
                self.emit(leg.statistics())
        if self._legs:
            self._ticker = asyncio.get_running_loop().call_later(TICK, self._tick)


def _left(left: Sent) -> Answer:
    return Failed("the leg was closed before all had left") if left.cancelled() else Done()


def _failed(command: Message, error: Exception) -> Failed:
    if isinstance(error, MeshdoorError):
        return Failed(str(error))
    log.error("%s failed", type(command).__name__, exc_info=error)
    return Failed(f"{type(error).__name__}: {error}")


async def serve(port: socket.socket) -> None:
    """Until the other end is closed."""
    loop = asyncio.get_running_loop()
    port.setblocking(False)
    outbox = Outbox(loop, port)
    engine = Engine(outbox.send)
    try:
        while data := await _receive(loop, port):
            engine.handle(data)
    finally:
        await engine.aclose()
        outbox.close()


async def _receive(loop: asyncio.AbstractEventLoop, port: socket.socket) -> bytes:
    try:
        return await loop.sock_recv(port, MAX_MESSAGE)
    except ConnectionError:
        return b""


def main() -> None:
    # Ctrl-C reaches the whole process group; the node decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    gc.freeze()  # what was imported stays; no collection needs to look at it
    with socket.socket(fileno=int(sys.argv[1])) as port:
        asyncio.run(serve(port))
    wait_for_workers(FINISH_TIMEOUT)
    if threading.active_count() > 1:
        # A camera's thread hangs in its driver; it must not keep the process.
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
