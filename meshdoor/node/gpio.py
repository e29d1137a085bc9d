"""The pins of a Pi, through gpiozero and lgpio. Only the pin keeper opens them: see `meshdoor.node.keeper`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol

from meshdoor.errors import UserError
from meshdoor.settings.devices import InputPin, OutputPin

if TYPE_CHECKING:
    from gpiozero import DigitalInputDevice, Factory, OutputDevice

NEEDED: Final = "this user needs to be in the group gpio, and nothing else may use the pin (gpioinfo shows what does)"

Changed = Callable[[bool], None]  # whether a contact is active now; called from any thread


class Input(Protocol):
    """A contact."""

    @property
    def active(self) -> bool: ...

    def close(self) -> None: ...


class Output(Protocol):
    """A relay. It is at rest when it is made, and when it is closed."""

    def drive(self, on: bool) -> None: ...

    def close(self) -> None: ...


class Pins(Protocol):
    """Where contacts and relays are. Both verbs raise UserError."""

    def input(self, pin: InputPin, changed: Changed) -> Input: ...

    def output(self, pin: OutputPin) -> Output: ...

    def close(self) -> None: ...


def prepare() -> None:
    """Load what takes long to load (seconds on a small Pi), for whoever will want pins in a hurry. Not lgpio: it is
    small, and begins a thread, which a process that is forked off later would not have."""
    with suppress(ImportError):
        import_module("gpiozero")


class GpioPins:
    """Those of gpiozero, by lgpio where no other `factory` is given. Raises UserError where there are none."""

    def __init__(self, factory: Factory | None = None) -> None:
        self._factory = _lgpio() if factory is None else factory

    def input(self, pin: InputPin, changed: Changed) -> Input:
        from gpiozero import DigitalInputDevice

        with _told(pin.gpio):
            return _Input(DigitalInputDevice(pin.gpio, pull_up=pin.pull_up, pin_factory=self._factory), pin, changed)

    def output(self, pin: OutputPin) -> Output:
        from gpiozero import OutputDevice

        with _told(pin.gpio):
            return _Output(OutputDevice(pin.gpio, active_high=pin.active_high, pin_factory=self._factory))

    def close(self) -> None:
        self._factory.close()


class _Input:
    """Bounces come through: each pin driver filters them in its own way or not at all, `Debounce` always alike."""

    def __init__(self, device: DigitalInputDevice, pin: InputPin, changed: Changed) -> None:
        self._device = device
        self._when_open = pin.when_open
        device.when_activated = partial(changed, not pin.when_open)
        device.when_deactivated = partial(changed, pin.when_open)

    @property
    def active(self) -> bool:
        return self._device.is_active is not self._when_open

    def close(self) -> None:
        self._device.close()


class _Output:
    def __init__(self, device: OutputDevice) -> None:
        self._device = device

    def drive(self, on: bool) -> None:
        if on:
            self._device.on()
        else:
            self._device.off()

    def close(self) -> None:
        self._device.off()
        self._device.close()


def _lgpio() -> Factory:
    try:
        from gpiozero.pins.lgpio import LGPIOFactory
    except ImportError as error:
        raise UserError(f"{error.name} is not installed", "pip install 'meshdoor[door]'") from None
    try:
        return LGPIOFactory()
    except Exception as error:  # lgpio has an error of its own, gpiozero many, the system some
        raise UserError(f"there are no GPIO pins here: {error}", NEEDED) from None


@contextmanager
def _told(gpio: int) -> Iterator[None]:
    """Whatever gpiozero and lgpio raise becomes a sentence."""
    try:
        yield
    except Exception as error:
        raise UserError(f"GPIO {gpio} cannot be used: {error}", NEEDED) from None
