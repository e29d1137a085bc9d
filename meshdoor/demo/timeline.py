"""What the demo shows: one line an event, on the clock of the press."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from meshdoor.control import Json

if TYPE_CHECKING:
    from rich.console import Console

WORDS = {
    "asked": "is asked",
    "provisional": "has heard",
    "early": "rings, and opens its screen",
    "first packet": "is sent the first packet",
    "first picture": "SHOWS THE VISITOR",
    "answered": "ANSWERS",
}
LOOKS = {"first picture": "bold green", "answered": "bold cyan", "ended": "yellow"}


class Timeline:
    """Prints and remembers. `zero` is the moment of the press on the monotonic clock."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.zero = time.monotonic()
        self.pictures: dict[str, float] = {}
        self.endings: dict[str, str] = {}
        self.sounds: dict[str, float] = {}
        self.answered: tuple[str, float] | None = None
        self.news = asyncio.Event()

    def say(self, text: str, look: str = "") -> None:
        """A line of the play itself."""
        self.console.print(f"[dim]{self._clock()}[/dim]  {text}", style=look, highlight=False)

    def heard(self, node: str, event: Mapping[str, Json]) -> None:
        """An event that a node told."""
        self.news.set()
        match event:
            case {"event": "step", "member": str(member), "step": "ended", "detail": str(why)}:
                self.endings[member] = why
                self.say(f"{member} falls silent: {why}", LOOKS["ended"])
            case {"event": "step", "member": str(member), "step": str(step), "ms": float(ms)} if step in WORDS:
                self._step(member, step, ms)
            case {"event": "sound", "at": float(at)}:
                self.sounds.setdefault(node, at)
                self.say(f"{node} hears the other side")
            case {"event": "opened", "door": str(door)}:
                self.say(f"the lock of {door} is open", "bold magenta")

    def _step(self, member: str, step: str, ms: float) -> None:
        if step == "first picture":
            self.pictures[member] = ms
        elif step == "answered":
            self.answered = (member, time.monotonic())
        if step in ("provisional", "asked", "first packet"):
            return  # the line would say less than it hides
        self.say(f"{member} {WORDS[step]}" + (f" after {ms:.0f} ms" if ms else ""), LOOKS.get(step, ""))

    def _clock(self) -> str:
        return f"{time.monotonic() - self.zero:7.3f} s"
