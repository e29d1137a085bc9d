"""`meshdoor devices` and `meshdoor test`: what is wired and plugged in here, and whether it works."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from meshdoor.cli.output import Subparsers, client, print_json, state_path, style, table, tell
from meshdoor.control import Json
from meshdoor.errors import NotRunning

if TYPE_CHECKING:
    from meshdoor.config import Config
    from meshdoor.trust.permissions import Role

WIRED: Final = ("button", "bell", "light", "lock")
TRIED: Final = ("camera", "mic", "speaker", "screen", *WIRED)


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "devices",
        parents=[common],
        help="cameras, sound, screens and pins here: what is used, and why",
        description="List what is there, what a node with these settings uses of it and why. Nothing is opened. Where "
        "a node runs, its word on each is there, too. Exit code 1 when a device that is used does not work.",
    )
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings (TOML), as of `meshdoor run`")
    parser.add_argument("--role", choices=("door", "screen", "lock"), help="as of `meshdoor run`")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=run_devices)
    tried = verbs.add_parser(
        "test",
        parents=[common],
        help="try a device: camera, microphone, speaker, screen, button, bell, light, lock",
        description="Try one device. Buttons and relays are tried by the node, where one runs (a button then rings, "
        "too); cameras, sound and the screen while none does. Exit code 1 when it does not work.",
    )
    tried.add_argument("device", choices=TRIED)
    tried.add_argument("--config", metavar="FILE", type=Path, help="settings (TOML), as of `meshdoor run`")
    tried.add_argument("--out", metavar="FILE", type=Path, help="where the picture or the recording goes")
    tried.set_defaults(run=run_test)


def run_devices(options: argparse.Namespace) -> int:
    from meshdoor.node import inventory

    config, role = _settings(options)
    rows = inventory.rows(config, role, inventory.look(), _states(options))
    if options.json:
        print_json([row.to_json() for row in rows])
    else:
        shown = [("DEVICE", "WHAT", "USED", "WHY"), *((row.kind, row.name, _used(row), row.why) for row in rows)]
        print(table(shown, ["red" if row.state == "failed" else "" if row.used else "dim" for row in rows]))
    return 1 if any(row.state == "failed" for row in rows) else 0


def run_test(options: argparse.Namespace) -> int:
    answer = _by_node(options) if options.device in WIRED else None
    print(style(answer or _alone(options), "green"))
    return 0


def _by_node(options: argparse.Namespace) -> str | None:
    """None where no node runs."""
    try:
        with client(options, timeout=60.0) as node:
            if options.device == "button":
                tell("press the button: it rings, too")
            return str(node.call("try", what=options.device)["text"])
    except NotRunning:
        return None


def _alone(options: argparse.Namespace) -> str:
    from meshdoor.node import trying

    config, _ = _settings(options)
    if options.device == "camera":
        return trying.camera(config, options.out or Path("meshdoor-camera.jpg"))
    if options.device == "mic":
        return trying.microphone(config, options.out or Path("meshdoor-mic.wav"), tell)
    if options.device == "speaker":
        return trying.speaker(config, tell)
    if options.device == "screen":
        return trying.screen(tell)
    return trying.wired(config, options.device, tell)


def _settings(options: argparse.Namespace) -> tuple[Config, Role]:
    """As `meshdoor run` would have them."""
    from meshdoor import config
    from meshdoor.node import hardware
    from meshdoor.trust.permissions import Role

    chosen = config.load(options.config, state_path(options))
    role = getattr(options, "role", None) or chosen.role or _role_of_node(options) or hardware.suggested_role()
    return chosen, Role(role)


def _role_of_node(options: argparse.Namespace) -> str:
    from meshdoor.store.state import StateDirectory, Table

    path = state_path(options)
    if not path.is_dir():
        return ""
    with StateDirectory.open(path, create=False, lock=False) as state:
        return str(state.load_table(Table.NODE).values.get("role") or "")


def _states(options: argparse.Namespace) -> dict[str, str]:
    """What a running node says of its devices, by kind."""
    try:
        with client(options, timeout=5.0) as node:
            devices: list[Json] = node.call("status")["node"]["devices"]
    except NotRunning:
        return {}
    return {str(device["kind"]): str(device["state"]) for device in devices}


def _used(row: Json) -> str:
    if not row.used:
        return "no"
    return "yes" if row.state in ("", "ok") else str(row.state)
