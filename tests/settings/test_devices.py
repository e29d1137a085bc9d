"""What is wired to a node: pins, keys and addresses as a person writes them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import ConfigError
from meshdoor.settings.devices import (
    DevicesConfig,
    HttpButton,
    InputPin,
    KeyButton,
    OutputPin,
    parse_button,
)

SECRET = "0123456789abcdef"
GPIOS = st.integers(0, 27)


@given(GPIOS, st.booleans(), st.booleans())
def test_an_input_is_written_as_it_is_read(gpio: int, pull_up: bool, when_open: bool) -> None:
    pin = InputPin(gpio, pull_up, when_open)
    assert InputPin.parse(str(pin)) == pin


@given(GPIOS, st.booleans())
def test_an_output_is_written_as_it_is_read(gpio: int, active_high: bool) -> None:
    pin = OutputPin(gpio, active_high)
    assert OutputPin.parse(str(pin)) == pin


def test_the_usual_wiring_needs_no_words() -> None:
    assert InputPin.parse("gpio:17") == InputPin(17, pull_up=True, when_open=False)
    assert OutputPin.parse("gpio:27") == OutputPin(27, active_high=True)


@pytest.mark.parametrize(
    ("text", "draws"), [("gpio:17", False), ("gpio:17:low", True), ("gpio:5", True), ("gpio:5:low", False)]
)
def test_pins_are_pulled_until_a_program_drives_them(text: str, draws: bool) -> None:
    assert OutputPin.parse(text).draws_at_boot is draws


@pytest.mark.parametrize(
    ("text", "button"),
    [
        ("gpio:17", InputPin(17)),
        ("key:enter", KeyButton("", 28)),
        ("key:ENTER", KeyButton("", 28)),
        ("key:115", KeyButton("", 115)),
        ("evdev:/dev/input/event0", KeyButton("/dev/input/event0")),
        ("evdev:/dev/input/by-id/usb-a-event-kbd:space", KeyButton("/dev/input/by-id/usb-a-event-kbd", 57)),
        (f"http:8087:{SECRET}", HttpButton(8087, SECRET)),
    ],
)
def test_buttons(text: str, button: object) -> None:
    assert parse_button(text) == button


@pytest.mark.parametrize(
    "text",
    ["", "17", "gpio:", "gpio:28", "gpio:17:high", "key:", "key:enterprise", "key:0", "key:1024", "evdev:event0",
     "http:8087:short", "http:0:0123456789abcdef", "http:70000:0123456789abcdef", "http:80:a b", "bell:1"],
)  # fmt: skip
def test_what_is_no_button_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match="button"):
        parse_button(text)


@given(st.text(max_size=40))
def test_any_text_is_a_button_or_an_error_of_ours(text: str) -> None:
    for prefix in ("", "gpio:", "key:", "evdev:", "http:"):
        with suppress(ConfigError):
            assert str(parse_button(prefix + text))


def test_the_secret_is_not_shown() -> None:
    settings = DevicesConfig(buttons=(f"http:8087:{SECRET}",))
    assert SECRET not in repr(settings) + repr(settings.other_buttons())
    with pytest.raises(ConfigError) as error:
        DevicesConfig(buttons=("http:8087:short",))
    assert "short" not in str(error.value).replace("shorter", "")


def test_everything_has_a_name() -> None:
    settings = DevicesConfig(
        buttons=("gpio:17", "key:enter", "gpio:18"), contact="gpio:6", tamper="gpio:5", bell="gpio:27", light="gpio:22"
    )
    assert list(settings.inputs()) == ["button", "button 2", "contact", "tamper"]
    assert list(settings.outputs()) == ["bell", "light"]
    assert settings.other_buttons() == [KeyButton("", 28)]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"debounce": 0.0}, "devices.debounce"),
        ({"left_open": -1.0}, "devices.left_open"),
        ({"bell": "gpio:17:up"}, "devices.bell"),
        ({"tamper": "gpio:17:low"}, "devices.tamper"),
        ({"bell": "gpio:17", "light": "gpio:17"}, "GPIO 17"),
        ({"buttons": ("gpio:17",), "bell": "gpio:17"}, "GPIO 17"),
    ],
)
def test_what_cannot_be_is_said(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        DevicesConfig(**settings)
