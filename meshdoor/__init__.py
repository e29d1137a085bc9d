"""A zero-config home video intercom mesh for Raspberry Pis.

    async with meshdoor.connect() as home:
        await home.ring()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdoor.version import __version__

if TYPE_CHECKING:
    from meshdoor.client import connect

__all__ = ["__version__", "connect"]


def __getattr__(name: str) -> object:
    """`connect` brings asyncio along, which `meshdoor status` does without."""
    if name != "connect":
        raise AttributeError(f"module 'meshdoor' has no attribute {name!r}")
    from meshdoor.client import connect

    return connect
