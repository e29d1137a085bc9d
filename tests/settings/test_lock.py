"""What moves a bolt: nothing that could leave a door open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meshdoor.config import Config, LockConfig, read
from meshdoor.errors import ConfigError
from meshdoor.settings.devices import DevicesConfig, OutputPin
from meshdoor.settings.lock import led_of

TIMED = "http://user:secret@192.168.1.20/relay/0?turn=on&timer={seconds}"


@pytest.mark.parametrize("relay", ["", "gpio:23", "gpio:5:low", "led:front-door", TIMED])
def test_relays(relay: str) -> None:
    assert LockConfig(relay=relay).relay == relay


def test_a_relay_that_ends_its_pulse_itself_needs_no_length() -> None:
    assert LockConfig(relay="http://relay/on", relay_pulses=True, relay_off="http://relay/off").relay_pulses


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"relay": "23"}, "no output"),
        ({"relay": "gpio:40"}, "GPIO 40"),
        ({"relay": "led:../../etc"}, "/sys/class/leds"),
        ({"relay": "led:.."}, "/sys/class/leds"),
        ({"relay": "http://user:secret@relay/on"}, "nothing says that it is shut"),
        ({"relay": "http://"}, "an address like"),
        ({"relay": "http://relay:port/{seconds}"}, "an address like"),
        ({"relay": "http://relay/ {seconds}"}, "an address like"),
        ({"relay": "gpio:23", "relay_off": "http://relay/off"}, "only a relay with"),
        ({"relay": TIMED, "relay_off": "relay/off"}, "an address like"),
    ],
)
def test_what_could_leave_a_door_open_is_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as error:
        LockConfig(**settings)
    assert "secret" not in str(error.value)


def test_the_address_is_not_shown() -> None:
    assert "secret" not in repr(LockConfig(relay=TIMED))


def test_the_name_of_a_led() -> None:
    assert led_of("led:front-door") == "front-door"


def test_a_pin_is_used_once() -> None:
    assert LockConfig(relay="gpio:23:low").pin() == OutputPin(23, active_high=False)
    with pytest.raises(ConfigError, match="GPIO 23"):
        Config(lock=LockConfig(relay="gpio:23"), devices=DevicesConfig(bell="gpio:23"))


def test_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[lock]\nrelay = "gpio:23"\n[devices]\nbuttons = ["gpio:17"]\nleft_open = 30\n')
    loaded = read(file)
    assert loaded.lock is not None
    assert (loaded.lock.pin(), loaded.devices.left_open) == (OutputPin(23), 30.0)
