"""The pin keeper: real processes on pins whose levels outlive them, and what is killed is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from meshdoor.devices.orders import Wiring
from meshdoor.node import pins as pins_of_node
from meshdoor.node.pins import Pins
from meshdoor.settings.devices import InputPin, OutputPin
from tests.fakes.wires import Wires
from tests.patience import until

BUTTON, LOCK, BELL = 17, 23, 27
WIRING = Wiring({"button": InputPin(BUTTON)}, {"lock": OutputPin(LOCK), "bell": OutputPin(BELL)}, 0.02)
EXACT = 0.010  # seconds
PULSES = 5
LONG = 600.0  # seconds: no test waits until such a pulse ends by itself


@pytest.fixture
def wires(tmp_path: Path) -> Iterator[Wires]:
    made = Wires(tmp_path)
    yield made
    made.close()


class Heard:
    """What the contacts said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bool]] = []

    def __call__(self, name: str, active: bool) -> None:
        self.said.append((name, active))

    async def until(self, count: int) -> None:
        await until(lambda: len(self.said) >= count)


@asynccontextmanager
async def keeping(wires: Wires, heard: Heard | None = None, wiring: Wiring = WIRING) -> AsyncIterator[Pins]:
    async with Pins(wiring, heard or Heard(), wires.command) as pins:
        await pins.ready()
        yield pins


async def test_a_press_that_bounces_is_one(wires: Wires) -> None:
    heard = Heard()
    async with keeping(wires, heard):
        for level in (False, True, False, True, False):
            wires.drive(BUTTON, level)
            await asyncio.sleep(0.003)
        await heard.until(2)
        for level in (True, False, True):
            wires.drive(BUTTON, level)
            await asyncio.sleep(0.003)
        await heard.until(3)
        wires.drive(BUTTON, False)
        await asyncio.sleep(0.004)
        wires.drive(BUTTON, True)  # interference
        await asyncio.sleep(0.1)
    assert heard.said == [("button", False), ("button", True), ("button", False)]


async def test_a_pulse_is_exact(wires: Wires) -> None:
    """Of what the pin did, by the clock of whoever drove it."""
    async with keeping(wires) as pins:
        for _ in range(PULSES):
            await pins.on("lock", 0.2)
            await wires.until(LOCK, False)
        assert is_exact(wires)


async def test_a_node_that_is_busy_makes_no_pulse_longer(wires: Wires) -> None:
    async with keeping(wires) as pins:
        for _ in range(PULSES):
            await pins.on("lock", 0.2)
            await asyncio.to_thread(_spin, 0.4)
        assert is_exact(wires)


def is_exact(wires: Wires) -> bool:
    """No pulse is too short, and most are not too long: a machine may stand still in the middle of one."""
    steps = wires.changes(LOCK)
    lengths = sorted(end - begin for (begin, _), (end, _) in zip(steps[1::2], steps[2::2], strict=True))
    assert len(lengths) == PULSES
    return lengths[0] >= 0.2 - EXACT and lengths[PULSES // 2] <= 0.2 + EXACT


def _spin(seconds: float) -> None:
    """Holds the interpreter."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


async def test_a_pulse_can_be_cut(wires: Wires) -> None:
    async with keeping(wires) as pins:
        await pins.on("lock", LONG)
        assert wires.is_on(LOCK)
        await pins.off("lock")
        assert not wires.is_on(LOCK)


async def test_a_relay_that_draws_low_rests_high(wires: Wires) -> None:
    wiring = Wiring({}, {"lock": OutputPin(LOCK, active_high=False)})
    async with keeping(wires, wiring=wiring) as pins:
        assert wires.is_on(LOCK)
        await pins.on("lock", LONG)
        assert not wires.is_on(LOCK)
    assert wires.is_on(LOCK)


async def test_relays_rest_when_the_node_ends(wires: Wires) -> None:
    async with keeping(wires) as pins:
        await pins.on("lock", LONG)
        await pins.on("bell", LONG)
    assert not wires.is_on(LOCK)
    assert not wires.is_on(BELL)


async def test_relays_that_somebody_left_on_rest_when_it_begins(wires: Wires) -> None:
    (wires.folder / f"out-{LOCK}").write_text("1.0 1\n")
    async with keeping(wires):
        assert not wires.is_on(LOCK)


@pytest.mark.parametrize("which", ["worker", "pid"])
async def test_a_keeper_that_is_killed_leaves_no_relay_on(wires: Wires, which: str) -> None:
    async with keeping(wires) as pins:
        await pins.on("lock", LONG)
        victim = getattr(pins, which)
        os.kill(victim, signal.SIGKILL)
        await wires.until(LOCK, False)
        await until(lambda: pins.worker is not None and getattr(pins, which) != victim)
        await pins.on("lock", 0.05)
        await wires.until(LOCK, False)


async def test_a_keeper_that_hangs_is_ended(wires: Wires, caplog: pytest.LogCaptureFixture) -> None:
    async with keeping(wires) as pins:
        await pins.on("lock", 0.1)
        assert pins.worker is not None
        os.kill(pins.worker, signal.SIGSTOP)
        await wires.until(LOCK, False)
    assert "lock is on for too long" in caplog.text


async def test_a_keeper_that_hangs_while_the_node_ends_leaves_no_relay_on(wires: Wires) -> None:
    async with keeping(wires) as pins:
        await pins.on("lock", LONG)
        assert pins.worker is not None
        os.kill(pins.worker, signal.SIGSTOP)
    assert not wires.is_on(LOCK)


async def test_a_relay_that_nobody_is_left_to_put_to_rest_is_told_of(
    wires: Wires, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pins_of_node, "REST", 0.2)
    async with keeping(wires) as pins:
        await pins.on("lock", LONG)
        for pid in (pins.worker, pins.pid):
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
    assert "a relay may still be on" in caplog.text


def test_what_takes_long_is_loaded_before_anything_begins_and_no_thread_with_it() -> None:
    code = """
        import sys, threading
        from meshdoor.node import keeper
        keeper.prepare()
        print("gpiozero" in sys.modules, "lgpio" in sys.modules, threading.active_count())
    """
    told = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, capture_output=True, text=True)
    assert told.stdout == "True False 1\n"


async def test_an_order_that_a_hanging_keeper_does_not_take_fails(wires: Wires) -> None:
    async with keeping(wires) as pins:
        assert pins.worker is not None
        os.kill(pins.worker, signal.SIGSTOP)
        with pytest.raises(OSError, match="does not answer"):
            await pins.on("lock", LONG)
    assert not wires.is_on(LOCK)


NODE = """
    import asyncio, sys
    from pathlib import Path
    from meshdoor.devices.orders import Wiring
    from meshdoor.node.pins import Pins
    from meshdoor.settings.devices import OutputPin

    async def main():
        command = sys.argv[1:]
        async with Pins(Wiring({}, {"lock": OutputPin(23)}), print, command) as pins:
            await pins.ready()
            await pins.on("lock", 60)
            print(pins.pid, pins.worker, flush=True)
            await asyncio.sleep(60)

    asyncio.run(main())
"""


@pytest.mark.parametrize("also", [(), ("worker",), ("watcher",)], ids=["alone", "with the worker", "with the watcher"])
async def test_a_node_that_is_killed_leaves_no_relay_on(wires: Wires, also: tuple[str, ...]) -> None:
    node = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(NODE), *wires.command, stdout=asyncio.subprocess.PIPE
    )
    assert node.stdout is not None
    watcher, worker = map(int, (await node.stdout.readline()).split())
    assert wires.is_on(LOCK)
    for pid in (node.pid, *({"worker": worker, "watcher": watcher}[each] for each in also)):
        os.kill(pid, signal.SIGKILL)
    await node.wait()
    await wires.until(LOCK, False)
    await until(lambda: _has_ended(watcher) and _has_ended(worker))


def _has_ended(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


async def test_a_pin_that_cannot_be_had_keeps_no_other_from_its_work(
    wires: Wires, caplog: pytest.LogCaptureFixture
) -> None:
    wiring = Wiring({"tamper": InputPin(LOCK)}, {"lock": OutputPin(LOCK)})
    async with keeping(wires, wiring=wiring) as pins:
        assert "GPIO 23 cannot be used" in pins.why["tamper"]
        await pins.on("lock", 0.05)
        with pytest.raises(OSError, match="no relay"):
            await pins.on("tamper", 1)
    assert "tamper: GPIO 23 cannot be used" in caplog.text


async def test_where_there_are_no_pins_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    async with Pins(WIRING, Heard()) as pins:
        await until(lambda: "no GPIO pins" in pins.why["lock"])
        with pytest.raises(OSError, match="no GPIO pins"):
            await pins.on("lock", 1)
    assert caplog.text.count("no GPIO pins") == 1


async def test_a_keeper_that_cannot_be_started_is_said(caplog: pytest.LogCaptureFixture) -> None:
    async with Pins(WIRING, Heard(), ("/nowhere/keeper",)) as pins:
        with pytest.raises(OSError, match="does not run"):
            await pins.on("lock", 1)
        await until(lambda: "cannot be started" in caplog.text)


async def test_a_keeper_that_talks_nonsense_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    async with Pins(WIRING, Heard(), ("/bin/echo", "nonsense")):
        await until(lambda: "no line of a keeper" in caplog.text)
