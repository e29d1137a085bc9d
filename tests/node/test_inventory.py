"""What is there, what is used and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meshdoor.config import Config, LockConfig, MediaConfig
from meshdoor.media.cameras import FoundCamera
from meshdoor.node import inventory
from meshdoor.node.inventory import Facts, Row, look, rows
from meshdoor.settings.devices import DevicesConfig
from meshdoor.trust.permissions import Role

USB, OTHER = FoundCamera("/dev/video0", "A camera", ("mjpeg",)), FoundCamera("/dev/video2", "Another", ("yuyv422",))
SECRET = "0123456789abcdef"
FACTS = Facts(
    cameras=(USB, OTHER), microphones=("Mic",), speakers=("Loud", "Louder"), screens=("card0-DSI-1",),
    chips=("gpiochip0",), keys={"/dev/input/event0": "A pad"}, leds=("lock",),
)  # fmt: skip
AUTO = MediaConfig(camera="auto", microphone="auto", speaker="auto", display="auto")


def said(config: Config, role: Role = Role.DOOR, facts: Facts = FACTS, **states: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows(config, role, facts, states):
        found.setdefault(row.kind, []).append(row)
    return found


def used(found: dict[str, list[Row]], kind: str) -> Row:
    (row,) = (row for row in found[kind] if row.used)
    return row


def test_what_is_there_is_used_of_itself() -> None:
    found = said(Config(media=AUTO))
    assert used(found, "camera").name.startswith("/dev/video0 A camera")
    assert used(found, "camera").why == "the first USB camera, A camera"
    assert [row.why for row in found["camera"] if not row.used] == ["another one is used"]
    assert (used(found, "microphone").name, used(found, "speaker").name) == ("Mic", "Loud")
    assert not found["display"][0].used
    assert used(said(Config(media=AUTO), Role.SCREEN), "display").name == "card0-DSI-1"


def test_what_is_not_there_is_stood_in_for_and_said() -> None:
    found = said(Config(media=AUTO), facts=Facts(faults={"microphone": "no SDL"}))
    assert (used(found, "camera").name, used(found, "camera").why) == (
        "card",
        "no camera was found: the test card stands in",
    )
    assert used(found, "microphone").why == "no SDL"
    assert used(found, "speaker").why == "there is no sound card"
    assert said(Config(media=AUTO), Role.SCREEN, Facts())["display"][0].why == "no screen is connected"


@pytest.mark.parametrize(
    ("camera", "role", "name", "why"),
    [
        ("card", Role.DOOR, "card", "test card"),
        ("/dev/video2", Role.DOOR, "/dev/video2", "the settings say so"),
        ("/dev/video9", Role.DOOR, "/dev/video9", "it is not there"),
        ("/dev/video0", Role.SCREEN, "/dev/video0", "the settings say so"),
        (f"rtsp://user:{SECRET}@camera/", Role.DOOR, "an RTSP camera", "the settings say so"),
    ],
)
def test_a_camera_of_the_settings(camera: str, role: Role, name: str, why: str) -> None:
    row = used(said(Config(media=MediaConfig(camera=camera)), role), "camera")
    assert row.name.startswith(name)
    assert why in row.why
    assert SECRET not in str(row)


@pytest.mark.parametrize(
    ("speaker", "name"), [("sdl:louder", "Louder"), ("sdl", "Loud"), ("sdl:none", "none"), ("null", "null")]
)
def test_a_speaker_of_the_settings(speaker: str, name: str) -> None:
    assert used(said(Config(media=MediaConfig(speaker=speaker))), "speaker").name == name


def test_pins_and_what_a_running_node_says_of_them() -> None:
    config = Config(devices=DevicesConfig(buttons=("gpio:17",), bell="gpio:27"))
    found = said(config, button="ok", bell="failed")
    assert [(used(found, kind).name, used(found, kind).state) for kind in ("button", "bell")] == [
        ("gpio:17:up", "ok"),
        ("gpio:27:high", "failed"),
    ]
    assert used(said(config, facts=Facts()), "button").why == "this machine has no GPIO pins"
    assert "lgpio is not installed" in used(said(config, facts=Facts(missing=("lgpio",))), "button").why
    assert said(Config())["pins"][0].why.startswith("nothing is wired")


def test_buttons_that_are_at_no_pin() -> None:
    buttons = ("key:enter", "evdev:/dev/input/event7", f"http:8087:{SECRET}")
    found = said(Config(devices=DevicesConfig(buttons=buttons)), button="failed")["button"]
    assert {row.state for row in found} == {""}
    names = [(row.name, row.why) for row in found]
    assert names == [
        ("/dev/input/event0 A pad, key 28", "the settings say so"),
        ("/dev/input/event7, any key", "it is not there"),
        ("http port 8087", "whoever knows its address rings"),
    ]
    (row,) = said(Config(devices=DevicesConfig(buttons=("key:enter",))), facts=Facts())["button"]
    assert row.why == "there is no input device"


@pytest.mark.parametrize(
    ("lock", "role", "name", "why"),
    [
        (None, Role.LOCK, "simulated", "set [lock] relay"),
        (LockConfig(relay="gpio:23"), Role.LOCK, "gpio:23:high", "the settings say so"),
        (LockConfig(relay="gpio:23:low"), Role.LOCK, "gpio:23:low", "the level that opens the lock"),
        (LockConfig(relay="gpio:23"), Role.DOOR, "none", "a door opens no lock"),
        (LockConfig(relay="led:lock"), Role.LOCK, "/sys/class/leds/lock", "the kernel ends"),
        (LockConfig(relay="led:other"), Role.LOCK, "/sys/class/leds/other", "not there"),
        (LockConfig(relay=f"http://u:{SECRET}@relay/{{seconds}}"), Role.SCREEN, "an http address", "ends its pulse"),
    ],
)
def test_locks(lock: LockConfig | None, role: Role, name: str, why: str) -> None:
    (row,) = said(Config(lock=lock), role)["lock"]
    assert row.name == name
    assert why in row.why
    assert SECRET not in str(row)


def test_a_kernel_that_leaves_pins_on_is_told() -> None:
    facts = Facts(chips=("gpiochip0",), persist=True)
    (row,) = said(Config(lock=LockConfig(relay="gpio:23")), Role.LOCK, facts)["lock"]
    assert "dtparam=strict_gpiod" in row.why


def test_a_screen_has_no_lock_unless_it_is_told() -> None:
    assert "lock" not in said(Config(), Role.SCREEN)


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_it_looks_at_what_the_system_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PATH", "PULSE_SERVER", "SDL_AUDIODRIVER", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    root = written(
        tmp_path,
        {
            "dev/gpiochip0": "",
            "sys/class/drm/card0-DSI-1/status": "connected\n",
            "sys/class/drm/card0-HDMI-A-1/status": "disconnected\n",
            "sys/class/input/event0/device/name": "A pad\n",
            "sys/class/leds/lock/trigger": "none",
            "sys/module/pinctrl_rp1/parameters/persist_gpio_outputs": "Y\n",
        },
    )
    (root / "sys/class/input/event1").mkdir()
    found = look(root)
    assert (found.chips, found.screens, found.leds) == (("gpiochip0",), ("card0-DSI-1",), ("lock",))
    assert found.keys == {"/dev/input/event0": "A pad", "/dev/input/event1": ""}
    assert found.persist
    assert not [*found.cameras, *found.microphones, *found.speakers]


def test_what_cannot_be_looked_for_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(**_: Any) -> None:
        raise OSError("the sound server is away")

    monkeypatch.setattr(inventory, "_cards", fail)
    assert look(tmp_path).faults["speaker"] == "the sound server is away"


def test_a_row_is_json() -> None:
    row = Row("camera", "/dev/video0", True, "why", "ok")
    assert json.loads(json.dumps(row.to_json()))["state"] == "ok"
