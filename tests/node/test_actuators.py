"""What moves a bolt."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from meshdoor.config import LockConfig
from meshdoor.devices.orders import Wiring
from meshdoor.node import webcall
from meshdoor.node.actuators import HttpActuator, LedActuator, PinActuator, actuator_for
from meshdoor.node.lock import SimulatedActuator
from meshdoor.node.pins import Pins
from meshdoor.settings.devices import OutputPin
from tests.fakes.relay import serving
from tests.fakes.wires import Wires


def test_the_settings_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pins = Pins(Wiring(), lambda name, active: None)
    assert isinstance(actuator_for(None, None), SimulatedActuator)
    assert isinstance(actuator_for(LockConfig(), None), SimulatedActuator)
    assert isinstance(actuator_for(LockConfig(relay="gpio:23"), pins), PinActuator)
    assert isinstance(actuator_for(LockConfig(relay="led:lock"), None), LedActuator)
    assert isinstance(actuator_for(LockConfig(relay="http://relay/{seconds}"), None), HttpActuator)


async def test_a_relay_at_a_pin_ends_its_pulse_itself(tmp_path: Path) -> None:
    wires = Wires(tmp_path)
    async with Pins(Wiring({}, {"lock": OutputPin(23)}), print, wires.command) as pins:
        actuator = actuator_for(LockConfig(relay="gpio:23", pulse=0.2), pins)
        await actuator.shut()
        await actuator.release()
        assert wires.is_on(23)
        await wires.until(23, False)
        await actuator.release()
        await actuator.shut()
        assert not wires.is_on(23)
    wires.close()


@pytest.fixture
def led(tmp_path: Path) -> Path:
    """As the kernel shows it, but that nothing happens: what was written can be read."""
    for name, text in {"trigger": "[none] timer transient\n", "state": "", "duration": "", "activate": ""}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


async def test_a_relay_of_the_kernel_is_given_the_length_of_its_pulse(led: Path) -> None:
    actuator = LedActuator(led, 2.5)
    await actuator.release()
    read = {name: (led / name).read_text() for name in ("trigger", "state", "duration", "activate")}
    assert read == {"trigger": "transient\n", "state": "1\n", "duration": "2500\n", "activate": "1\n"}


async def test_a_relay_of_the_kernel_is_shut(led: Path) -> None:
    (led / "trigger").write_text("none [transient]\n")
    await LedActuator(led, 2.5).shut()
    read = {name: (led / name).read_text() for name in ("trigger", "activate", "brightness")}
    assert read == {"trigger": "none [transient]\n", "activate": "0\n", "brightness": "0\n"}


async def test_a_relay_that_the_kernel_does_not_have_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="trigger"):
        await LedActuator(tmp_path / "lock", 1).release()


async def test_a_relay_in_the_network_is_called() -> None:
    with serving() as relay:
        actuator = HttpActuator(relay.address + "/relay/0?turn=on&timer={seconds}", relay.address + "/off", 2.5)
        await actuator.release()
        await actuator.shut()
    assert relay.asked == ["/relay/0?turn=on&timer=2.5", "/off"]


async def test_one_that_ends_its_pulse_itself_needs_no_second_call() -> None:
    with serving() as relay:
        await HttpActuator(relay.address + "/on", "", 3.0).shut()
    assert relay.asked == []


@pytest.mark.parametrize("scheme", ["Basic", "Digest"])
async def test_it_may_want_a_password(scheme: str) -> None:
    with serving("user:p@ss", scheme=scheme) as relay:
        await HttpActuator(relay.address + "/on?timer={seconds}", "", 3.0).release()
    assert relay.asked == ["/on?timer=3"]


@pytest.mark.parametrize("scheme", ["Basic", "Digest", "Unheard-of"])
async def test_a_wrong_password_is_an_error(scheme: str) -> None:
    with serving("user:right", scheme=scheme) as relay:
        address = relay.address.replace("right", "wrong")
        with pytest.raises(OSError, match="answers 401"):
            await HttpActuator(address + "/on", "", 3.0).release()
    assert relay.asked == []


@pytest.mark.parametrize("status", [302, 403, 500])
async def test_what_it_refuses_is_an_error_that_keeps_the_password(status: int) -> None:
    with serving("user:secret", status) as relay:
        with pytest.raises(OSError, match=f"answers {status}") as error:
            await HttpActuator(relay.address + "/on", "", 3.0).release()
        assert "secret" not in str(error.value)
    assert "/elsewhere" not in relay.asked


async def test_one_that_is_not_there_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://user:secret@127.0.0.1:{taken.getsockname()[1]}/on"
        with pytest.raises(OSError, match=r"127\.0\.0\.1.*refused") as error:
            await HttpActuator(address, "", 3.0).release()
    assert "secret" not in str(error.value)


def test_one_that_does_not_answer_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(OSError, match="timed out"):
        webcall.get(f"http://127.0.0.1:{silent.getsockname()[1]}/on", 0.05)
