"""Trying a device while no node runs: it is opened, used, and given back. All of these block."""

from __future__ import annotations

import asyncio
import math
import time
import wave
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from meshdoor.config import Config
from meshdoor.devices.orders import Wiring
from meshdoor.errors import EngineError, Refused, UserError
from meshdoor.node.actuators import LOCK, actuator_for
from meshdoor.node.pins import Pins

if TYPE_CHECKING:
    from meshdoor.media.source import Source

SECONDS: Final = 3.0  # that a camera, a microphone or a screen is tried
TRY: Final = 1.0  # seconds that a relay is on
BUTTON: Final = 30.0  # seconds to press
BEGIN: Final = 10.0  # seconds for the pin keeper to begin
POLL: Final = 0.01
LOUDEST: Final = 32768

Tell = Callable[[str], None]


def camera(config: Config, path: Path) -> str:
    """Write a picture of the camera to `path`; what it gives. Raises UserError."""
    from meshdoor.media import still
    from meshdoor.media.camera import decoded
    from meshdoor.media.encoder import Coded

    source = _source(config)
    try:
        count, began, frame = 0, 0.0, None
        while not began or time.monotonic() - began < SECONDS:
            item = source.read()
            began = began or time.monotonic()
            count += 1
            if not isinstance(item, Coded):
                frame = item.frame
            elif item.key:
                frame = decoded(item)
        seconds = time.monotonic() - began
    except EngineError as error:
        raise Refused(f"the camera: {error}", "while a node runs, the camera is the node's") from None
    finally:
        source.close()
    if frame is None:
        raise Refused(f"the camera gave no whole picture within {SECONDS:.0f} s")
    still.write(frame, path)
    return f"{frame.width}x{frame.height}, {(count - 1) / seconds:.1f} pictures a second; one is in {path}"


def _source(config: Config) -> Source:
    from meshdoor.media import cameras
    from meshdoor.media.opening import open_source
    from meshdoor.media.plans import VideoFormat

    media, wanted = config.media, config.media.camera
    if wanted in ("auto", "card"):
        choice = cameras.choose(cameras.found())
        wanted = wanted if choice.camera is None else choice.camera.path
    if wanted in ("auto", "card", "none"):
        raise Refused("no camera was found", "see: meshdoor devices")
    try:
        return open_source(wanted, VideoFormat(media.width, media.height, media.fps, media.bitrate))
    except EngineError as error:
        raise Refused(f"the camera: {error}") from None


def microphone(config: Config, path: Path, tell: Tell) -> str:
    """Record to `path`; how loud it was. Raises UserError."""
    samples = array("h")
    with _Card(config.media.microphone, capture=True) as card:
        tell(f"{card.name}: speak for {SECONDS:.0f} s")
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            samples.frombytes(card.read())
            time.sleep(POLL)
    if not samples:
        raise Refused("the microphone gave no sound at all")
    _write(samples, path)
    return f"{_loudness(samples)}; the recording is in {path}"


def speaker(config: Config, tell: Tell) -> str:
    """Play a ring tone. Raises UserError."""
    from meshdoor.media import tones

    samples = tones.named(tones.TEST)
    with _Card(config.media.speaker, capture=False) as card:
        tell(f"{card.name}: listen")
        card.write(samples)
        until = time.monotonic() + len(samples) / 2 / 48000 + 1
        while card.queued() and time.monotonic() < until:
            time.sleep(POLL)
        if card.queued():
            raise Refused("the speaker takes no sound")
    return "a tone was played for a second"


def screen(tell: Tell) -> str:
    """Show the clock. Raises UserError."""
    from meshdoor.media.plans import WallFormat
    from meshdoor.media.wall import found

    told: list[Any] = []
    wall = found("sdl", WallFormat(), told.append)
    assert wall is not None
    tell(f"look at the screen for {SECONDS:.0f} s")
    time.sleep(SECONDS)
    wall.close()
    failed = next((each.text for each in told if getattr(each, "state", "") == "failed"), "")
    if failed:
        raise Refused(f"the screen: {failed}")
    return "the clock was shown"


def wired(config: Config, what: str, tell: Tell, command: tuple[str, ...] | None = None) -> str:
    """A relay, a lock or the button. Raises UserError."""
    return asyncio.run(_wired(config, what, tell, command))


async def _wired(config: Config, what: str, tell: Tell, command: tuple[str, ...] | None) -> str:
    pressed = asyncio.Event()

    def changed(name: str, active: bool) -> None:
        if active and name.startswith("button"):
            pressed.set()

    settings, outputs = config.devices, config.devices.outputs()
    if config.lock is not None and (pin := config.lock.pin()) is not None:
        outputs[LOCK] = pin
    wiring = Wiring(settings.inputs(), outputs, settings.debounce)
    async with Pins(wiring, changed, *(() if command is None else (command,))) as pins:
        try:
            if what == "button":
                return await _button(pins, pressed, tell, bool(settings.inputs().get("button")))
            return await (_lock(config, pins) if what == LOCK else _relay(pins, what, what in outputs))
        except OSError as error:
            raise Refused(f"the {what}: {error}") from None


async def _button(pins: Pins, pressed: asyncio.Event, tell: Tell, is_wired: bool) -> str:
    if not is_wired:
        hint = "set buttons under [devices] in the settings; those at no pin are tried while a node runs"
        raise UserError("no button is wired to a pin", hint)
    try:
        async with asyncio.timeout(BEGIN):
            await pins.ready()
        if why := pins.why["button"]:
            raise OSError(why)
        tell(f"press the button within {BUTTON:.0f} s")
        async with asyncio.timeout(BUTTON):
            await pressed.wait()
    except TimeoutError:
        raise Refused(pins.why["button"] or "nobody pressed") from None
    return "the button was pressed"


async def _relay(pins: Pins, name: str, is_wired: bool) -> str:
    if not is_wired:
        raise UserError(f"no {name} is wired", f"set {name} under [devices] in the settings")
    await pins.on(name, TRY)
    await asyncio.sleep(TRY)
    return f"the relay of the {name} was on for {TRY:.0f} s"


async def _lock(config: Config, pins: Pins) -> str:
    if config.lock is None or not config.lock.relay:
        raise UserError("there is no lock here", "set relay under [lock] in the settings")
    actuator = actuator_for(config.lock, pins)
    await actuator.release()
    await asyncio.sleep(config.lock.pulse)
    await actuator.shut()
    return f"the lock was open for {config.lock.pulse:g} s"


class _Card:
    """A sound card that is open while the block lasts. Raises Refused."""

    def __init__(self, wanted: str, *, capture: bool) -> None:
        from meshdoor.media.sdl_audio import SdlDriver, Way

        kind, _, name = wanted.partition(":")
        self._way = Way(capture, name if kind == "sdl" else "")
        self._driver = SdlDriver()

    def __enter__(self) -> Any:
        try:
            self._card = self._driver.open(self._way)
        except EngineError as error:
            self._driver.close()
            raise Refused(str(error), "see: meshdoor devices") from None
        return self._card

    def __exit__(self, *_: object) -> None:
        self._card.close()
        self._driver.close()


def _loudness(samples: array[int]) -> str:
    loudest = max(map(abs, samples))
    mean = math.sqrt(sum(sample * sample for sample in samples) / len(samples))
    if not loudest:
        return "silence: is it muted?"
    return f"loudest {_decibels(loudest)}, on average {_decibels(mean)}"


def _decibels(level: float) -> str:
    return f"{20 * math.log10(max(level, 1) / LOUDEST):.0f} dB"


def _write(samples: array[int], path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(samples.tobytes())
