"""What is wired to this node, or stands beside it: buttons, relays, sensors.

    [devices]
    buttons = ["gpio:17"]       # any number; also "key:enter", "evdev:/dev/input/event0:enter", "http:8087:SECRET"
    bell = "gpio:27"            # a relay that rings a gong: at a door with each press, at a screen while it rings
    light = "gpio:22"           # a relay that a press switches on
    contact = "gpio:6"          # closed while the door is shut
    left_open = 60.0            # seconds after which a door that stands open is an alarm; 0 for never
    tamper = "gpio:5"           # closed while the door unit is on its wall
    motion = "gpio:13:down"     # a PIR sensor: somebody is near
    vanished = 60.0             # seconds without a door unit after which screens raise an alarm; 0 for never

A pin is `gpio:NUMBER`, as Broadcom counts them (`pinout` shows which is where), and its wiring after a colon:

    inputs    `up` (to ground, the default), `down` (to 3.3 V), either with `-open`: active while the contact is open
    outputs   `high` (the relay draws at 3.3 V, the default) or `low` (it draws at 0 V)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from meshdoor.errors import ConfigError

MAX_GPIO: Final = 27  # of the header of every Pi with 40 pins
PULLED_UP: Final = 8  # GPIO 0 to 8 are pulled up at power-on, the others down (BCM2835 ARM Peripherals §6.2)
MAX_SECONDS: Final = 3600.0
SECRET_LENGTH: Final = 16
MAX_KEY: Final = 0x2FF  # KEY_MAX of linux/input-event-codes.h

_INPUT = re.compile(r"gpio:(\d{1,2})(?::(up|down)(-open)?)?")
_OUTPUT = re.compile(r"gpio:(\d{1,2})(?::(high|low))?")
_HTTP = re.compile(r"http:(\d{1,5}):([A-Za-z0-9_-]+)")

# linux/input-event-codes.h; what a door bell, a numeric pad or a presenter has. Others by number.
KEYS: Final = {
    "esc": 1, "backspace": 14, "tab": 15, "enter": 28, "space": 57, "kpenter": 96, "up": 103, "pageup": 104,
    "left": 105, "right": 106, "down": 108, "pagedown": 109, "volumedown": 114, "volumeup": 115, "playpause": 164,
    "f1": 59, "f2": 60, "f3": 61, "f4": 62,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class InputPin:
    """A contact at a pin: to ground with the pull-up on, or to 3.3 V; active while it is closed, or open."""

    gpio: int
    pull_up: bool = True
    when_open: bool = False

    @classmethod
    def parse(cls, text: str, where: str = "pin") -> InputPin:
        """Raises ConfigError."""
        found = _INPUT.fullmatch(text)
        if found is None:
            raise ConfigError(f"{where}: {text!r} is no input", "for example: gpio:17, gpio:17:down, gpio:17:up-open")
        return cls(_gpio(found[1], where), found[2] != "down", found[3] is not None)

    def __str__(self) -> str:
        return f"gpio:{self.gpio}:{'up' if self.pull_up else 'down'}{'-open' if self.when_open else ''}"


@dataclass(frozen=True, slots=True)
class OutputPin:
    """A relay at a pin, and at which level it draws."""

    gpio: int
    active_high: bool = True

    @classmethod
    def parse(cls, text: str, where: str = "pin") -> OutputPin:
        """Raises ConfigError."""
        found = _OUTPUT.fullmatch(text)
        if found is None:
            raise ConfigError(f"{where}: {text!r} is no output", "for example: gpio:27, gpio:27:low")
        return cls(_gpio(found[1], where), found[2] != "low")

    def __str__(self) -> str:
        return f"gpio:{self.gpio}:{'high' if self.active_high else 'low'}"

    @property
    def draws_at_boot(self) -> bool:
        """Before a program drives it, the pin is pulled to the level at which this relay draws."""
        return (self.gpio <= PULLED_UP) == self.active_high


@dataclass(frozen=True, slots=True)
class KeyButton:
    """A key of an input device; of every one there is where no path is given, any key where none is."""

    path: str = ""
    key: int | None = None


@dataclass(frozen=True, slots=True)
class HttpButton:
    """A press by HTTP: `/press/SECRET` at this port."""

    port: int
    secret: str = field(repr=False)


Button = InputPin | KeyButton | HttpButton


def parse_button(text: str, where: str = "button") -> Button:
    """`gpio:17`, `key:enter`, `evdev:PATH[:KEY]` or `http:PORT:SECRET`. Raises ConfigError."""
    kind, _, rest = text.partition(":")
    if kind == "gpio":
        return InputPin.parse(text, where)
    if kind == "key" and rest:
        return KeyButton("", _key(rest, where))
    if kind == "evdev" and rest.startswith("/"):
        path, _, key = rest.rpartition(":")
        return KeyButton(path, _key(key, where)) if path.startswith("/") else KeyButton(rest)
    if kind == "http":
        return _http(text, where)
    hint = "for example: gpio:17, key:enter, evdev:/dev/input/event0, http:8087:SECRET"
    raise ConfigError(f"{where}: {text.split(':')[0]!r} is no kind of button", hint)


def _http(text: str, where: str) -> HttpButton:
    """The message does not repeat the secret."""
    found = _HTTP.fullmatch(text)
    if found is None or not 0 < int(found[1]) <= 65535:
        raise ConfigError(f"{where}: http:PORT:SECRET is needed, the secret of letters and digits")
    if len(found[2]) < SECRET_LENGTH:
        raise ConfigError(f"{where}: the secret is shorter than {SECRET_LENGTH} characters: anybody could guess it")
    return HttpButton(int(found[1]), found[2])


def _key(text: str, where: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else KEYS.get(text.lower(), 0)
    if not 0 < number <= MAX_KEY:
        raise ConfigError(f"{where}: no key is called {text!r}", f"its number, or one of {', '.join(KEYS)}")
    return number


def _gpio(text: str, where: str) -> int:
    number = int(text)
    if number > MAX_GPIO:
        raise ConfigError(f"{where}: there is no GPIO {number}: they are numbered from 0 to {MAX_GPIO}")
    return number


@dataclass(frozen=True, slots=True)
class DevicesConfig:
    """Buttons, relays and sensors of this node. Times are in seconds; 0 seconds of an alarm is never."""

    buttons: tuple[str, ...] = field(default=(), repr=False)  # an HTTP button has a secret
    debounce: float = 0.03
    bell: str = ""
    bell_seconds: float = 1.0
    light: str = ""
    light_seconds: float = 60.0
    contact: str = ""
    left_open: float = 60.0
    tamper: str = ""
    motion: str = ""
    vanished: float = 60.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("debounce", 0.001, 1.0),
            ("bell_seconds", 0.05, MAX_SECONDS),
            ("light_seconds", 0.05, MAX_SECONDS),
            ("left_open", 0.0, MAX_SECONDS * 24),
            ("vanished", 0.0, MAX_SECONDS * 24),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"devices.{name}: {value} is not from {low} to {high:.0f} seconds")
        check_once(self.pins())

    def inputs(self) -> dict[str, InputPin]:
        """By what they are for: `button`, `button 2` ..., `contact`, `tamper`, `motion`."""
        pins = [each for each in self._buttons() if isinstance(each, InputPin)]
        found = {"button" if number == 1 else f"button {number}": pin for number, pin in enumerate(pins, 1)}
        for name in ("contact", "tamper", "motion"):
            if text := getattr(self, name):
                found[name] = InputPin.parse(text, f"devices.{name}")
        return found

    def outputs(self) -> dict[str, OutputPin]:
        """By what they are for: `bell`, `light`."""
        wired = {"bell": self.bell, "light": self.light}
        return {name: OutputPin.parse(text, f"devices.{name}") for name, text in wired.items() if text}

    def pins(self) -> list[int]:
        """Every GPIO that is used, and more than once if it is."""
        wired: list[InputPin | OutputPin] = [*self.inputs().values(), *self.outputs().values()]
        return [pin.gpio for pin in wired]

    def other_buttons(self) -> list[KeyButton | HttpButton]:
        """Those that are at no pin."""
        return [each for each in self._buttons() if not isinstance(each, InputPin)]

    def _buttons(self) -> list[Button]:
        return [parse_button(text, "devices.buttons") for text in self.buttons]


def check_once(pins: list[int]) -> None:
    """Raises ConfigError where a pin is used for two things."""
    twice = {pin for pin in pins if pins.count(pin) > 1}
    if twice:
        raise ConfigError(f"GPIO {min(twice)} is used for two things")
