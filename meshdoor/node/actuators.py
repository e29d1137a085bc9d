"""What moves a bolt: a relay at a pin, one that the kernel drives, or one behind an http address.

Each ends its pulse by itself, whatever becomes of this process.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from meshdoor.config import LockConfig
from meshdoor.node import webcall
from meshdoor.node.lock import LockActuator, SimulatedActuator
from meshdoor.node.pins import Pins
from meshdoor.settings.lock import SECONDS, led_of

LEDS: Final = Path("/sys/class/leds")
HTTP_PATIENCE: Final = 3.0  # seconds; who asked the lock to open waits 6
LOCK: Final = "lock"  # what its relay is called among the pins


def actuator_for(config: LockConfig | None, pins: Pins | None) -> LockActuator:
    """What the settings name."""
    if config is None or not config.relay:
        return SimulatedActuator()
    if config.pin() is not None:
        assert pins is not None
        return PinActuator(pins, config.pulse)
    if config.relay.startswith("led:"):
        return LedActuator(LEDS / led_of(config.relay), config.pulse)
    return HttpActuator(config.relay, config.relay_off, config.pulse)


class PinActuator:
    """A relay at a pin: the pin keeper times the pulse, and puts the relay to rest when this process ends."""

    simulated = False

    def __init__(self, pins: Pins, pulse: float) -> None:
        self._pins = pins
        self._pulse = pulse

    async def release(self) -> None:
        await self._pins.on(LOCK, self._pulse)

    async def shut(self) -> None:
        await self._pins.off(LOCK)


class LedActuator:
    """A relay that the kernel drives as a LED (Documentation/leds/ledtrig-transient.rst): it times the pulse itself."""

    simulated = False

    def __init__(self, led: Path, pulse: float) -> None:
        self._led = led
        self._pulse = pulse

    async def release(self) -> None:
        await asyncio.to_thread(self._release)

    async def shut(self) -> None:
        await asyncio.to_thread(self._shut)

    def _release(self) -> None:
        self._prepare()
        for name, value in (("state", 1), ("duration", round(self._pulse * 1000)), ("activate", 1)):
            (self._led / name).write_text(f"{value}\n")

    def _shut(self) -> None:
        self._prepare()
        (self._led / "activate").write_text("0\n")
        (self._led / "brightness").write_text("0\n")

    def _prepare(self) -> None:
        """The files of the trigger are there once it is chosen, which puts the relay to rest."""
        trigger = self._led / "trigger"
        if "[transient]" not in trigger.read_text().split():
            trigger.write_text("transient\n")


class HttpActuator:
    """A relay in the network, which ends the pulse itself. An address may hold a user and a password."""

    simulated = False

    def __init__(self, on: str, off: str, pulse: float) -> None:
        self._on = on.replace(SECONDS, f"{pulse:g}")
        self._off = off

    async def release(self) -> None:
        await asyncio.to_thread(webcall.get, self._on, HTTP_PATIENCE)

    async def shut(self) -> None:
        """Nothing, where it has no address for that: its pulse ends."""
        if self._off:
            await asyncio.to_thread(webcall.get, self._off, HTTP_PATIENCE)
