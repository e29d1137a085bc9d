"""Telling the family's own messengers who is at the door, through apprise: an extra, loaded when it is first used.

The file of `[notify] urls_file` has one apprise URL a line; they hold secrets, so it must be this user's alone.
"""

from __future__ import annotations

import importlib.util
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshdoor.errors import ConfigError, Refused

MAX_FILE: Final = 1 << 16  # bytes
MAX_URLS: Final = 32


@dataclass(frozen=True, slots=True)
class Sent:
    """How many were told."""

    told: int
    failed: int

    def __str__(self) -> str:
        done = f"{self.told} told"
        return f"{done}, {self.failed} failed" if self.failed else done


class Family:
    """Whom the file names. All methods block."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def urls(self) -> list[str]:
        """Raises ConfigError."""
        try:
            mode = self._file.stat().st_mode
            with self._file.open("rb") as file:
                text = file.read(MAX_FILE + 1).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"notify.urls_file: {self._file} cannot be read: {error}") from None
        if mode & 0o077:
            raise ConfigError(
                f"notify.urls_file: others may read {self._file}, which holds secrets", f"chmod 600 {self._file}"
            )
        lines = [line.strip() for line in text.splitlines()]
        found = [line for line in lines if line and not line.startswith("#")]
        if len(text) > MAX_FILE or len(found) > MAX_URLS:
            raise ConfigError(f"notify.urls_file: {self._file} names more than {MAX_URLS}")
        return found

    def tell(self, title: str, text: str, picture: bytes = b"") -> Sent:
        """Tell everybody, one after the other. Raises ConfigError, Refused."""
        urls = self.urls()
        if importlib.util.find_spec("apprise") is None:
            raise Refused("apprise is not installed", "pip install 'meshdoor[notify]' on this node")
        with tempfile.TemporaryDirectory(prefix="meshdoor-") as folder:
            path = Path(folder) / "visitor.jpg"
            if picture:
                path.write_bytes(picture)
            told = sum(_tell(url, title, text, str(path) if picture else None) for url in urls)
        return Sent(told, len(urls) - told)


def _tell(url: str, title: str, text: str, attach: str | None) -> bool:
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines may hold what the URLs hold
    one = apprise.Apprise.instantiate(url)  # not in a group, which would leave threads behind
    files = None if attach is None else apprise.AppriseAttachment(attach)
    return one is not None and bool(one.notify(body=text, title=title, attach=files))
