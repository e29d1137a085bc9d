"""Opening by a code that is typed in a call: what a code may be, how its digits are collected, and when it is enough.

A code is 4 to 8 digits. `#` ends it, `*` takes back what was typed, and so does a long pause. Wrong codes shut the
call after a few, and the member after a few more over all its calls, each time for longer. Who is shut out is not
told so, and the right code does not help then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import Final

from meshdoor.errors import UserError

SHORTEST: Final = 4
LONGEST: Final = 8
FIGURES: Final = frozenset("0123456789")
END: Final = "#"
CLEAR: Final = "*"
FAVOURITES: Final = frozenset({"2580", "0852", "1004", "5683", "147258", "159753", "147258369"})  # drawn on the keys

PAUSE: Final = 10.0  # seconds between two digits of one code; people look things up, and linphonec holds digits back
WRONG_IN_CALL: Final = 3
WRONG_OVER_CALLS: Final = 5
WINDOW: Final = 600.0  # seconds in which these count
SHUT_FIRST: Final = 600.0  # seconds; twice as long each time
SHUT_LONGEST: Final = 86400.0


def check_code(text: str) -> str:
    """The code. Raises UserError for what is none, or what others would try first."""
    if not SHORTEST <= len(text) <= LONGEST or not set(text) <= FIGURES:
        raise UserError(f"a code is {SHORTEST} to {LONGEST} digits")
    if is_weak(text):
        raise UserError("that code would be tried first", "take digits that follow no pattern, and no year")
    return text


def is_weak(code: str) -> bool:
    """Few digits over and over, a row of neighbours, a year of somebody's, or a figure drawn on the keys."""
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(code)}
    repeated = any(code == (code[:length] * LONGEST)[: len(code)] for length in (1, 2))
    doubled = len(set(code)) <= 2
    year = len(code) == 4 and code[:2] in ("19", "20")
    return steps in ({1}, {9}) or repeated or doubled or year or code in FAVOURITES


class Phase(Enum):
    """How far a call is."""

    TYPING = "typing"
    CHECKING = "checking"
    SHUT = "shut"


class CodeEntry:
    """The digits of one call that was answered."""

    def __init__(self) -> None:
        self.phase = Phase.TYPING
        self._typed = ""
        self._last = 0.0
        self._wrong = 0

    def digit(self, digit: str, now: float) -> str | None:
        """One of 0-9, `*`, `#`, A-D. Gives a whole code, which `judged` must then tell about; until then nothing is
        taken."""
        if self.phase is not Phase.TYPING:
            return None
        late, self._last = now - self._last > PAUSE, now
        if digit == END and not late:
            code, self._typed = self._typed, ""
            self.phase = Phase.CHECKING if code else Phase.TYPING
            return code or None
        kept = "" if late else self._typed
        self._typed = (kept + digit)[: LONGEST + 1] if digit in FIGURES else ""
        return None

    def judged(self, right: bool) -> None:
        """Whether the code was right. After `WRONG_IN_CALL` that were not, nothing is taken in this call."""
        self._wrong = 0 if right else self._wrong + 1
        self.phase = Phase.SHUT if self._wrong >= WRONG_IN_CALL else Phase.TYPING


@dataclass(frozen=True, slots=True)
class ShutOut:
    """For how many seconds none of a member's codes counts, and the how many-eth time that is."""

    seconds: float
    times: int


@dataclass(slots=True)
class _Record:
    wrong: list[float] = field(default_factory=list)  # when
    until: float = 0.0
    times: int = 0


class Guesses:
    """Wrong codes of each member, over all its calls. It keeps as many records as members are asked about."""

    def __init__(self) -> None:
        self._records: dict[bytes, _Record] = {}

    def shut(self, key: bytes, now: float) -> bool:
        """Is no code of this member looked at now?"""
        record = self._records.get(key)
        return record is not None and now < record.until

    def wrong(self, key: bytes, now: float) -> ShutOut | None:
        """One more; how the member is shut out by it, if it is."""
        record = self._records.setdefault(key, _Record())
        record.wrong = [at for at in record.wrong if now - at < WINDOW] + [now]
        if len(record.wrong) < WRONG_OVER_CALLS:
            return None
        length = min(SHUT_FIRST * 2.0 ** min(record.times, 16), SHUT_LONGEST)
        record.wrong, record.until, record.times = [], now + length, record.times + 1
        return ShutOut(length, record.times)

    def restore(self, key: bytes, shut: ShutOut, now: float) -> None:
        """The member was shut out before a restart, and is for so long yet: no longer than anybody ever is."""
        until = now + min(max(shut.seconds, 0.0), SHUT_LONGEST)
        self._records[key] = _Record(until=until, times=shut.times)

    def forget(self, key: bytes) -> None:
        """It knew the code, or has another one now."""
        self._records.pop(key, None)
