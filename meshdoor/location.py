"""Where a node keeps its state, found without importing anything heavy."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def state_path(explicit: str | None, environment: Mapping[str, str] = os.environ, user: int | None = None) -> Path:
    """The state directory: `--state`, `MESHDOOR_STATE`, what systemd gives, `keys/<host>/` in a checkout,
    `/var/lib/meshdoor` for root (or where an installed node runs), else `~/.local/state/meshdoor`."""
    for given in (explicit, environment.get("MESHDOOR_STATE"), environment.get("STATE_DIRECTORY", "").split(":")[0]):
        if given:
            return Path(given).absolute()
    if is_checkout(CHECKOUT):
        return CHECKOUT / "keys" / socket.gethostname().split(".")[0]
    system = Path("/var/lib/meshdoor")
    if (os.getuid() if user is None else user) == 0:
        return system
    home = Path(environment.get("XDG_STATE_HOME") or Path(environment.get("HOME", "/")) / ".local/state")
    return home / "meshdoor"


def is_checkout(folder: Path) -> bool:
    """A clone of the project rather than an installed package."""
    return (folder / "keys" / ".gitignore").is_file() and (folder / "pyproject.toml").is_file()
