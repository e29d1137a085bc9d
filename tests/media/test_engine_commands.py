"""The engine without its process: what it answers to each command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshdoor.media import engine as module
from meshdoor.media import stun_path
from meshdoor.media.engine import Engine
from meshdoor.media.messages import (
    Capture,
    CloseLeg,
    Command,
    Dtmf,
    Gate,
    GetStatistics,
    Hello,
    KeyFrame,
    Message,
    OpenLeg,
    Ping,
    Snapshot,
    StartLeg,
    decode,
    encode,
)
from meshdoor.media.plans import Address, Gates, StreamPlan, VideoFormat
from meshdoor.media.reports import Done, EngineStatistics, Failed, LegOpened, LegStatistics, Ready
from tests.media.stun_server import SHIFT, StunServer
from tests.patience import until

HELLO = Hello("door", "Front", microphone="silence", video=VideoFormat(320, 192, 30, 300_000))
PLAN = StreamPlan("sendrecv", Address("127.0.0.1", 9), "H264", 96, 90_000)


class Bench:
    """An engine in this loop; `ask` gives its answer, `events` are the others."""

    def __init__(self) -> None:
        self.sent: list[tuple[int | None, Message]] = []
        self.now = 0.0
        self.engine = Engine(lambda data: self.sent.append(decode(data)), lambda: self.now)

    def ask(self, command: Command) -> Message:
        self.engine.handle(encode(command, 1))
        return next(message for request, message in reversed(self.sent) if request == 1)

    @property
    def events(self) -> list[Message]:
        return [message for request, message in self.sent if request is None]


@pytest.fixture
def blockbuster() -> None:
    """Opening devices may block: in life the engine has a process of its own."""


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    made.engine.close()


async def test_hello_comes_first_and_once(bench: Bench) -> None:
    assert bench.ask(KeyFrame()) == Failed("the first command is Hello")
    assert bench.ask(Ping()) == Done()
    assert isinstance(bench.ask(HELLO), Ready)
    assert bench.ask(HELLO) == Failed("Hello was said before")
    for command in (KeyFrame(), Capture(True), Capture(False)):
        assert bench.ask(command) == Done()


async def test_a_leg_from_its_beginning_to_its_end(bench: Bench) -> None:
    bench.ask(HELLO)
    opened = bench.ask(OpenLeg("b0", "127.0.0.1"))
    assert isinstance(opened, LegOpened)
    assert opened.audio_port % 2 == opened.video_port % 2 == 0
    assert bench.ask(StartLeg("b0", video=PLAN)) == Done()
    assert bench.ask(Gate("b0", Gates(picture=False))) == Done()
    statistics = bench.ask(GetStatistics())
    assert isinstance(statistics, EngineStatistics)
    assert [leg.leg for leg in statistics.legs] == ["b0"]
    assert bench.ask(StartLeg("b0")) == Done()
    assert isinstance(bench.ask(CloseLeg("b0")), LegStatistics)
    assert bench.ask(Gate("b0", Gates())) == Failed("there is no leg b0")


async def test_a_leg_tells_how_it_looks_from_outside(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stun_path, "WAITS", (0.05,))
    bench.ask(HELLO)
    server = await StunServer.open()
    said = LegOpened(0, 0, 0, 0)
    for name, patience in (("b0", 0), ("b1", 99)):
        server.patience = patience
        bench.engine.handle(encode(OpenLeg(name, "127.0.0.1", stun=server.address), 7))
        await until(lambda: bench.sent[-1][0] == 7)
        told = bench.sent.pop()[1]
        assert isinstance(told, LegOpened)
        before, said = said, told
    assert [seen.port for seen in before.seen] == [before.audio_port + SHIFT, before.video_port + SHIFT]
    assert said.seen == ()
    asked = len(server.asked)
    bench.engine.handle(encode(OpenLeg("b2", "127.0.0.1", stun=server.address), 8))
    await until(lambda: len(server.asked) > asked)
    assert isinstance(bench.ask(CloseLeg("b1")), LegStatistics)
    bench.ask(CloseLeg("b2"))
    await until(lambda: (8, Failed("leg b2 was closed")) in bench.sent)
    bench.engine.handle(encode(OpenLeg("b3", "127.0.0.1", stun=Address("::1", 1)), 9))
    await until(lambda: bench.sent[-1][0] == 9)
    assert isinstance(bench.sent[-1][1], LegOpened)
    server.transport.close()


async def test_what_a_leg_cannot_do(bench: Bench, tmp_path: Path) -> None:
    bench.ask(HELLO)
    bench.ask(OpenLeg("b0", "127.0.0.1"))
    assert bench.ask(Dtmf("b0", "1")) == Failed("no sound goes to this peer")
    assert bench.ask(Snapshot(str(tmp_path / "a.jpg"), "b0")) == Failed("no pictures come from this peer")
    other = StreamPlan("sendonly", PLAN.remote, "H265", 96, 90_000)
    assert bench.ask(StartLeg("b0", video=other)) == Failed("no pictures in H265")


async def test_snapshots_of_the_camera(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "door.png"
    bench.ask(HELLO)
    assert bench.ask(Snapshot(str(path))) == Failed("the camera has no picture yet")
    bench.ask(Capture(True))
    await until(lambda: bench.ask(Snapshot(str(path))) == Done())
    await until(path.exists)


async def test_without_a_camera_nothing_is_sent(bench: Bench, tmp_path: Path) -> None:
    bench.ask(Hello("screen", camera="none", microphone="none"))
    bench.ask(OpenLeg("b0", "127.0.0.1"))
    assert bench.ask(StartLeg("b0", video=PLAN)) == Done()
    assert bench.ask(Capture(True)) == Done()
    assert bench.ask(KeyFrame()) == Done()
    assert bench.ask(Snapshot(str(tmp_path / "a.jpg"))) == Failed("there is no camera")


async def test_legs_are_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LEGS", 1)
    bench.ask(HELLO)
    bench.ask(OpenLeg("b0", "127.0.0.1"))
    assert bench.ask(OpenLeg("b1", "127.0.0.1")) == Failed("1 legs are open")


async def test_junk_and_what_is_no_command(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.engine.handle(b"junk")
    assert bench.sent == []
    bench.engine.handle(encode(Done(), 1))
    assert bench.sent == [(1, Failed("Done is no command"))]


async def test_a_bug_in_one_command_fails_that_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(hello: Hello, emit: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(module, "NodeStudio", broken)
    assert bench.ask(HELLO) == Failed("ZeroDivisionError: oh")
    assert bench.ask(Ping()) == Done()


async def test_statistics_are_told_from_time_to_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK", 0.001)
    bench.ask(HELLO)
    bench.ask(OpenLeg("b0", "127.0.0.1"))
    bench.now += module.STATISTICS_INTERVAL
    await until(lambda: LegStatistics("b0") in bench.events)
    bench.ask(CloseLeg("b0"))
    await until(lambda: bench.engine._ticker is None)
