"""Presses and openings for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from meshdoor.calls.fork import Outcome
from meshdoor.calls.records import BranchRecord, OpeningRecord, PressRecord

DOOR, KITCHEN, HALL, LOCK = (bytes([number]) * 32 for number in (1, 2, 3, 4))


def press(number: int = 1, outcome: Outcome = Outcome.MISSED, at: float = 1000.0, **changes: Any) -> PressRecord:
    """Press `number`, which rang the kitchen and the hall."""
    answered = KITCHEN.hex() if outcome is Outcome.ANSWERED else None
    branches = (
        BranchRecord(KITCHEN.hex(), "Kitchen", 0, 3, 5, 41, 90, 4200 if answered else None, 9000, "answered", 2),
        BranchRecord(HALL.hex(), "Hall", 0, 4, 6, 42, 95, None, 4210, "answered elsewhere"),
    )
    record = PressRecord(f"{number:016x}", DOOR.hex(), "Front", at, 2, outcome, answered, branches)
    return replace(record, **changes)



def opening(number: int = 1, of: int | None = None, at: float = 1005.0) -> OpeningRecord:
    return OpeningRecord(
        f"{number:032x}", f"{of:016x}" if of else "", at, LOCK.hex(), "Gate", KITCHEN.hex(), "Kitchen", "opened"
    )
