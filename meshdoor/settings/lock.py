"""What moves the bolt of a lock at this node.

    [lock]
    relay = "gpio:23"           # a relay at a pin; else "led:NAME" or an http address; "" simulates one
    pulse = 3.0

`led:NAME` is a relay that the kernel drives as /sys/class/leds/NAME (`dtoverlay=gpio-led,gpio=23,label=NAME` in
config.txt): the kernel itself ends the pulse, whatever becomes of this software.

An http address is called to open the lock. It must end the pulse itself, so that a lost network leaves no door open:
`{seconds}` in the address stands for the length, or `relay_pulses = true` says that the device has one of its own.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from meshdoor.errors import ConfigError
from meshdoor.settings.devices import OutputPin

SECONDS: Final = "{seconds}"

_LED = re.compile(r"led:([A-Za-z0-9_.:-]{1,64})")


def check_relay(relay: str, relay_off: str, pulses: bool) -> None:
    """Raises ConfigError, which does not repeat an address: it may hold a password."""
    if relay.startswith(("http://", "https://")):
        _check_address(relay, "lock.relay")
        if SECONDS not in relay and not pulses:
            raise ConfigError(
                "lock.relay: this address opens the lock, and nothing says that it is shut again",
                f"put {SECONDS} where it takes the length of the pulse, or set relay_pulses = true if it has its own",
            )
    elif relay.startswith("led:"):
        led_of(relay)
    elif relay:
        OutputPin.parse(relay, "lock.relay")
    if relay_off:
        if not relay.startswith(("http://", "https://")):
            raise ConfigError("lock.relay_off: only a relay with an http address has one")
        _check_address(relay_off, "lock.relay_off")


def led_of(relay: str) -> str:
    """The NAME of `led:NAME`. Raises ConfigError."""
    found = _LED.fullmatch(relay)
    if found is None or ".." in relay:
        raise ConfigError(f"lock.relay: {relay!r} is no name under /sys/class/leds")
    return found[1]


def _check_address(text: str, where: str) -> None:
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError(f"{where}: an address like http://192.168.1.20/relay/0?turn=on&timer={SECONDS} is needed")
