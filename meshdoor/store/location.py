"""Where a node keeps its state when nobody says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SYSTEM = Path("/var/lib/meshdoor")


def checkout() -> Path | None:
    """The source checkout that this package runs from, or None when it is installed."""
    return checkout_of(Path(__file__).parent)


def checkout_of(module: Path) -> Path | None:
    """The checkout that `module` (…/meshdoor/__init__.py) lies in."""
    folder = module.resolve().parent.parent
    return folder if (folder / "pyproject.toml").is_file() and (folder / "keys").is_dir() else None


def default_location(environment: Mapping[str, str], host: str, *, root: bool, source: Path | None) -> Path:
    """The first that applies:

    $MESHDOOR_STATE, $STATE_DIRECTORY (systemd), keys/HOST in a checkout, /var/lib/meshdoor for root,
    $XDG_STATE_HOME/meshdoor, ~/.local/state/meshdoor.
    """
    if chosen := environment.get("MESHDOOR_STATE"):
        return Path(chosen)
    if chosen := environment.get("STATE_DIRECTORY"):
        return Path(chosen.split(":")[0])
    if source is not None:
        return source / "keys" / host.partition(".")[0]
    if root:
        return SYSTEM
    home = environment.get("XDG_STATE_HOME") or Path(environment.get("HOME", "/"), ".local", "state")
    return Path(home, "meshdoor")
