"""`meshdoor import flexisip.conf`: what replaces a Flexisip set-up."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from meshdoor.cli.output import client, state_path, style, tell
from meshdoor.errors import ConfigError, NotRunning, UserError

if TYPE_CHECKING:
    from meshdoor.calls.flexisip import Found
    from meshdoor.control import Json

LOOKS = {"done": "green", "not needed": "dim", "by hand": "yellow"}


def replace(options: argparse.Namespace, text: str) -> int:
    """Say what each line of the set-up comes to; with --apply, do it."""
    from meshdoor.calls.flexisip import translate

    folder = options.file.absolute().parent
    found = translate(text, str(options.file), lambda path: _read(folder / path))
    for line in found.lines:
        where, _, said = str(line).partition("\n")
        print(f"{style(where, 'bold')}\n{style(said, LOOKS[str(line.became)])}")
    if found.settings():
        print(f"\nThe settings:\n\n{found.settings()}")
    if not options.apply:
        tell("Nothing was changed. With --apply the settings are written, and the running node lets these in:")
        tell("  " + (", ".join(_wanted(found)) or "nobody"))
        return 0
    path = _write(state_path(options) / "config.toml", found.settings())
    tell(f"The settings are in {path}. Start the node anew to use them." if path else "There is nothing to set.")
    return _let_in(options, found) if _wanted(found) else 0


def _wanted(found: Found) -> list[str]:
    """Who is to be let in: clients whose passwords are known, and devices at addresses."""
    return [user.name for user in found.users if user.password] + [device.name for device in found.devices]


def _write(path: Path, settings: str) -> Path | None:
    """A file of settings that is there stays as it is."""
    if not settings:
        return None
    from meshdoor.store.files import OsFiles, write_atomic

    if path.exists():
        path = path.with_name("config.flexisip.toml")
        tell("There are settings already: what is new stands beside them, to be taken over by hand.")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(OsFiles(), path, settings.encode())
    return path


def _let_in(options: argparse.Namespace, found: Found) -> int:
    """The exit code: 1 when somebody could not be let in."""
    wanted: list[tuple[str, str, dict[str, Json]]] = [
        (user.name, "phone import", {"user": user.name, "secret": user.password})
        for user in found.users
        if user.password
    ]
    wanted += [(device.name, "adopt", {"uri": device.uri}) for device in found.devices]
    refused = 0
    with client(options) as node:
        for name, verb, args in wanted:
            try:
                node.call(verb, name=name, **args)
                print(f"{style(name, 'bold')} is in.")
            except NotRunning:
                raise
            except UserError as error:
                refused += 1
                tell(f"{name} is not in: {error}" + (f" ({error.hint})" if error.hint else ""))
    return 1 if refused else 0


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
