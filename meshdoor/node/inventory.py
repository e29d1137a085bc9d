"""What devices there are at this machine, what a node with these settings uses of them, and why.

Nothing is opened that a running node may hold: names are asked for, and the system's own lists are read.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from meshdoor.config import Config
from meshdoor.control import Json
from meshdoor.errors import EngineError
from meshdoor.settings.devices import HttpButton, InputPin, KeyButton, OutputPin
from meshdoor.settings.lock import led_of
from meshdoor.trust.permissions import Role

if TYPE_CHECKING:
    from meshdoor.media.cameras import FoundCamera

CARD: Final = "sdl"  # a sound card in the settings, and `sdl:NAME`
OTHER_CAMERA: Final = ("rtsp://",)
PERSIST: Final = "pinctrl_*/parameters/persist_gpio_outputs"
DRIVERS: Final = ("gpiozero", "lgpio")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """One device. `used`: would the node use it; `why` it would or would not, or what is wrong; `state` as a running
    node says it: `ok`, `failed`, `stand-in`, or empty."""

    kind: str
    name: str
    used: bool
    why: str
    state: str = ""

    def to_json(self) -> dict[str, Json]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found; `faults` says by kind why it could not be looked for."""

    cameras: Sequence[FoundCamera] = ()
    microphones: Sequence[str] = ()
    speakers: Sequence[str] = ()
    screens: Sequence[str] = ()
    chips: Sequence[str] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    leds: Sequence[str] = ()
    missing: Sequence[str] = ()  # pin drivers that are not installed
    persist: bool = False  # pins stay as they were when their process ends
    faults: Mapping[str, str] = field(default_factory=dict)


def look(root: Path = Path("/")) -> Facts:
    """What there is. May take some seconds."""
    from meshdoor.media import cameras

    faults: dict[str, str] = {}
    return Facts(
        cameras=_tried("camera", lambda: cameras.found(root), faults),
        microphones=_tried("microphone", lambda: _cards(capture=True, root=root), faults),
        speakers=_tried("speaker", lambda: _cards(capture=False, root=root), faults),
        screens=tuple(_screens(root)),
        chips=tuple(sorted(path.name for path in (root / "dev").glob("gpiochip*"))),
        keys=dict(_keys(root)),
        leds=tuple(sorted(path.name for path in (root / "sys/class/leds").glob("*"))),
        persist=any(path.read_text().strip() == "Y" for path in (root / "sys/module").glob(PERSIST)),
        missing=tuple(name for name in DRIVERS if importlib.util.find_spec(name) is None),
        faults=faults,
    )


def rows(config: Config, role: Role, facts: Facts, states: Mapping[str, str]) -> list[Row]:
    """What is there and what would be used, in the order in which a person looks; `states` are those of a running
    node by kind."""
    found = [
        *_camera_rows(config.media.camera, role, facts),
        *_sound_rows("microphone", config.media.microphone, facts.microphones, facts),
        *_sound_rows("speaker", config.media.speaker, facts.speakers, facts),
        *_screen_rows(config.media.display, role, facts),
        *_pin_rows(config, role, facts),
        *_key_rows(config, facts),
        *_lock_rows(config, role, facts),
    ]
    return [replace(row, state=states.get(row.kind, "")) if _is_known(row) else row for row in found]


def _is_known(row: Row) -> bool:
    """Does a running node tell of it? Of buttons of those at pins."""
    return row.used and (row.kind != "button" or row.name.startswith("gpio:"))


def _camera_rows(wanted: str, role: Role, facts: Facts) -> Iterator[Row]:
    chosen, why = _chosen_camera(wanted, role, facts)
    for camera in facts.cameras:
        used = camera.path == chosen
        formats = ", ".join(camera.formats)
        yield Row("camera", f"{camera.path} {camera.name} ({formats})", used, why if used else "another one is used")
    if chosen not in {camera.path for camera in facts.cameras}:
        # An RTSP address may hold a password.
        yield Row("camera", "an RTSP camera" if chosen.startswith(OTHER_CAMERA) else chosen, chosen != "none", why)


def _chosen_camera(wanted: str, role: Role, facts: Facts) -> tuple[str, str]:
    from meshdoor.media import cameras

    if role is not Role.DOOR and wanted in ("auto", "card"):
        return "none", f"a {role} shows no picture of itself, unless [media] camera names one"
    if wanted != "auto":
        if wanted.startswith("/dev/") and wanted not in {camera.path for camera in facts.cameras}:
            return wanted, "the settings say so, but it is not there"
        return wanted, "the settings say so" if wanted != "card" else "the test card: set [media] camera = \"auto\""
    choice = cameras.choose(facts.cameras)
    if choice.camera is None:
        return "card", facts.faults.get("camera", f"{choice.why}: the test card stands in")
    return choice.camera.path, choice.why


def _sound_rows(kind: str, wanted: str, names: Sequence[str], facts: Facts) -> Iterator[Row]:
    way, _, name = wanted.partition(":")
    uses_card = way == CARD or (way == "auto" and bool(names))
    first = next((each for each in names if name.casefold() in each.casefold()), None) if uses_card else None
    for each in names:
        preferred = "the settings name it" if name else "the first; the sound server may prefer another"
        yield Row(kind, each, each == first, preferred if each == first else "another one is used")
    if first is not None:
        return
    if way == CARD:
        yield Row(kind, name or "a sound card", True, facts.faults.get(kind, "it is not there"))
    elif way == "auto":
        yield Row(kind, "a stand-in", True, facts.faults.get(kind, "there is no sound card"))
    else:
        yield Row(kind, wanted, wanted != "none", "the settings say so")


def _screen_rows(wanted: str, role: Role, facts: Facts) -> Iterator[Row]:
    shown = role is Role.SCREEN and wanted in ("auto", "sdl")
    for screen in facts.screens:
        yield Row("display", screen, shown, "a screen is connected" if shown else f"a {role} shows nothing on it")
    if not facts.screens:
        yield Row("display", "none", False, "no screen is connected" if shown else "none is needed")


def _pin_rows(config: Config, role: Role, facts: Facts) -> Iterator[Row]:
    wired: dict[str, InputPin | OutputPin] = {**config.devices.inputs(), **config.devices.outputs()}
    if config.lock is not None and role is not Role.DOOR and (lock := config.lock.pin()) is not None:
        wired["lock"] = lock
    for name, pin in wired.items():
        caution = _caution(pin, facts) if name == "lock" else ""
        yield Row(name, str(pin), True, _pin_fault(facts) or caution or "the settings say so")
    if not wired and facts.chips:
        yield Row("pins", ", ".join(facts.chips), False, "nothing is wired: see [devices] and [lock] in the settings")


def _pin_fault(facts: Facts) -> str:
    if facts.missing:
        return f"{' and '.join(facts.missing)} is not installed: pip install 'meshdoor[door]'"
    return "" if facts.chips else "this machine has no GPIO pins"


def _caution(pin: InputPin | OutputPin, facts: Facts) -> str:
    """What could leave a door open."""
    if isinstance(pin, OutputPin) and pin.draws_at_boot:
        return "this pin is at the level that opens the lock until the node runs: choose another"
    if facts.persist:
        return "if everything of the node is killed at once, the kernel leaves this pin on: dtparam=strict_gpiod"
    return ""


def _key_rows(config: Config, facts: Facts) -> Iterator[Row]:
    for button in config.devices.other_buttons():
        if isinstance(button, HttpButton):
            yield Row("button", f"http port {button.port}", True, "whoever knows its address rings")
        else:
            yield from _keyboard_rows(button, facts)


def _keyboard_rows(button: KeyButton, facts: Facts) -> Iterator[Row]:
    key = "any key" if button.key is None else f"key {button.key}"
    paths = [button.path] if button.path else list(facts.keys)
    for path in paths:
        why = "the settings say so" if path in facts.keys or Path(path).exists() else "it is not there"
        yield Row("button", f"{path} {facts.keys.get(path, '')}".strip() + f", {key}", True, why)
    if not paths:
        yield Row("button", key, True, "there is no input device")


def _lock_rows(config: Config, role: Role, facts: Facts) -> Iterator[Row]:
    lock = config.lock
    if lock is None and role is not Role.LOCK:
        return
    if role is Role.DOOR:
        yield Row("lock", "none", False, "a door opens no lock: wires that hang outside could be bridged")
    elif lock is None or not lock.relay:
        yield Row("lock", "simulated", True, "set [lock] relay to move a real one")
    elif lock.relay.startswith("led:"):
        name = led_of(lock.relay)
        there = name in facts.leds
        yield Row("lock", f"/sys/class/leds/{name}", True, "the kernel ends its pulse" if there else "not there")
    elif lock.pin() is None:
        yield Row("lock", "an http address", True, "the device there ends its pulse")


def _tried(kind: str, find: Callable[[], Sequence[T]], faults: dict[str, str]) -> Sequence[T]:
    try:
        return find()
    except (EngineError, OSError) as error:
        faults[kind] = str(error)
        return ()


def _cards(*, capture: bool, root: Path) -> Sequence[str]:
    """SDL is only asked where there may be a card: that takes a while."""
    from meshdoor.media.sdl_audio import SdlDriver, is_likely

    if not is_likely(capture, root):
        return ()
    driver = SdlDriver()
    try:
        return driver.names(capture)
    finally:
        driver.close()


def _screens(root: Path) -> Iterator[str]:
    for state in sorted((root / "sys/class/drm").glob("card*-*/status")):
        if state.read_text(errors="replace").strip() == "connected":
            yield state.parent.name


def _keys(root: Path) -> Iterator[tuple[str, str]]:
    """Input devices by path, with their names."""
    for device in sorted((root / "sys/class/input").glob("event*")):
        try:
            name = (device / "device/name").read_text(errors="replace").strip()
        except OSError:
            name = ""
        yield f"/dev/input/{device.name}", name
