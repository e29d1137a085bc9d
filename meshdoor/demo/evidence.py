"""What the demo left in its files, read back: the proof that pictures and sound arrived."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from meshdoor.media import analysis

if TYPE_CHECKING:
    from rich.console import Console


def look_back(console: Console, folder: Path, door: str, screens: Sequence[str], winner: str) -> list[str]:
    """Print a table of what each node saw and heard; return what is not as it should be."""
    from rich.table import Table

    table = Table(title="What was seen and heard", title_justify="left", expand=False)
    for heading in ("node", "decoded frame numbers of the card", "heard", "files"):
        table.add_column(heading)
    faults: list[str] = []
    for name in (*screens, door):
        out = folder / name.lower().replace(" ", "-")
        numbers = [number for number in analysis.frame_numbers(out) if number is not None]
        tone = _tone(out / "heard.wav")
        table.add_row(name, _numbers(numbers), f"{tone} Hz" if tone else "-", str(out))
        if name != door and sorted(set(numbers)) != numbers:
            faults.append(f"{name}: the frame number does not advance: {numbers}")
        if name != door and not numbers:
            faults.append(f"{name}: no frame number could be read")
        if name in (door, winner) and tone is None:
            faults.append(f"{name} heard no tone")
    console.print(table)
    return faults


def _numbers(numbers: Sequence[int]) -> str:
    if not numbers:
        return "-"
    return f"{numbers[0]} … {numbers[-1]}, {len(numbers)} pictures kept"


def _tone(path: Path) -> int | None:
    return analysis.heard(path) if path.exists() else None
