"""What the ring ledger holds, as it is kept and as it travels: JSON objects, checked to the last field.

A press: {"id", "door", "name", "at", "revision", "outcome", "answered", "branches": [...]}; one branch for each time
that a device was asked: {"peer", "name", "asked", "provisional", "early", "packet", "picture", "answered", "ended",
"why", "dropped"}. `answered` is who answered first; who took over from it has its own time in its branch.
An opening: {"id", "press", "at", "lock", "lock_name", "who", "who_name", "result"}.
Keys are 64 hex digits, those of some phones 66, ids 16 to 32; `at` is a Unix time, all else are ms since the press,
or null.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from meshdoor.calls.commands import Record, Step
from meshdoor.calls.fork import Outcome
from meshdoor.errors import RemoteProtocolError

MAX_BRANCHES = 256
MAX_TEXT = 64
KEY_DIGITS = (64, 66)
MAX_MS = 86_400_000  # a day
MAX_AT = 2.0**40
UNSEEN_OUTCOMES = frozenset({Outcome.MISSED, Outcome.CANCELLED, Outcome.RINGING})

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BranchRecord:
    """One time that one device was asked. Times are ms since the press; None: it did not come to that."""

    peer: str
    name: str
    asked: int
    provisional: int | None = None
    early: int | None = None
    packet: int | None = None
    picture: int | None = None
    answered: int | None = None
    ended: int | None = None
    why: str = ""
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class PressRecord:
    """One press. A later `revision` replaces an earlier one; the door counts them."""

    id: str
    door: str
    name: str
    at: float
    revision: int = 1
    outcome: Outcome = Outcome.RINGING
    answered: str | None = None
    branches: tuple[BranchRecord, ...] = ()

    @property
    def finished(self) -> bool:
        return self.outcome is not Outcome.RINGING

    @property
    def missed(self) -> bool:
        """Did nobody answer, nor send the visitor away? A press whose door died in the middle counts as missed."""
        return self.outcome in UNSEEN_OUTCOMES

    @property
    def taken_over(self) -> tuple[str, ...]:
        """Who talked with the visitor after who answered, one after the other: it was handed over to them."""
        talked = [(branch.answered, branch.peer) for branch in self.branches if branch.answered is not None]
        return tuple(peer for _, peer in sorted(talked, key=lambda each: each[0])[1:])

    def to_json(self) -> Json:
        return asdict(self)

    @classmethod
    def parse(cls, document: Any) -> PressRecord:
        """Raises RemoteProtocolError."""
        values = _object(document, cls)
        branches = values["branches"]
        if not isinstance(branches, list | tuple) or len(branches) > MAX_BRANCHES:
            raise RemoteProtocolError("a press with too many branches, or none at all")
        try:
            outcome = Outcome(values["outcome"])
        except ValueError:
            raise RemoteProtocolError("a press with an outcome that nobody knows") from None
        return cls(
            hex_id(values["id"]),
            _key(values["door"]),
            _text(values["name"]),
            _at(values["at"]),
            _count(values["revision"]),
            outcome,
            None if values["answered"] is None else _key(values["answered"]),
            tuple(map(_branch, branches)),
        )


@dataclass(frozen=True, slots=True)
class OpeningRecord:
    """One time that somebody asked a lock to open. `press` is empty when nobody had rung."""

    id: str
    press: str
    at: float
    lock: str
    lock_name: str
    who: str
    who_name: str
    result: str

    def to_json(self) -> Json:
        return asdict(self)

    @classmethod
    def parse(cls, document: Any) -> OpeningRecord:
        """Raises RemoteProtocolError."""
        values = _object(document, cls)
        return cls(
            hex_id(values["id"]),
            hex_id(values["press"]) if values["press"] else "",
            _at(values["at"]),
            _key(values["lock"]),
            _text(values["lock_name"]),
            _key(values["who"]),
            _text(values["who_name"]),
            _text(values["result"]),
        )


def written_down(
    head: PressRecord,
    steps: Iterable[Record],
    origin: float,
    name_of: Callable[[bytes], str],
    dropped: Mapping[bytes, int],
) -> PressRecord:
    """`head` with what a fork asked to write down. `origin` is the press on the clock of `steps`."""
    attempts: list[BranchRecord] = []
    last: dict[bytes, int] = {}
    answered = None
    for step in steps:
        at = _ms(step.at - origin)
        if step.step is Step.ASKED:
            last[step.peer] = len(attempts)
            attempts.append(BranchRecord(step.peer.hex(), name_of(step.peer)[:MAX_TEXT], at))
            continue
        place = last[step.peer]
        attempts[place] = replace(attempts[place], **_noted(step, at))
        if step.step is Step.ANSWERED and answered is None:
            answered = step.peer.hex()
    for peer, place in last.items():
        attempts[place] = replace(attempts[place], dropped=dropped.get(peer, 0))
    return replace(head, answered=answered, branches=tuple(attempts[:MAX_BRANCHES]))


def hex_id(value: Any) -> str:
    """The id of a press or an opening. Raises RemoteProtocolError."""
    if not isinstance(value, str) or not 16 <= len(value) <= 32 or not set(value) <= set("0123456789abcdef"):
        raise RemoteProtocolError("an id that is none")
    return value


FIELDS = {
    Step.PROVISIONAL: "provisional",
    Step.EARLY: "early",
    Step.PACKET: "packet",
    Step.PICTURE: "picture",
    Step.ANSWERED: "answered",
    Step.ENDED: "ended",
}
TIMES = tuple(FIELDS.values())


def _noted(step: Record, at: int) -> dict[str, Any]:
    values: dict[str, Any] = {FIELDS[step.step]: at}
    return values | {"why": str(step.detail)[:MAX_TEXT]} if step.step is Step.ENDED else values


def _branch(document: Any) -> BranchRecord:
    values = _object(document, BranchRecord)
    times = {name: None if values[name] is None else _count(values[name], MAX_MS) for name in TIMES}
    return BranchRecord(
        peer=_key(values["peer"]),
        name=_text(values["name"]),
        asked=_count(values["asked"], MAX_MS),
        why=_text(values["why"]),
        dropped=_count(values["dropped"]),
        **times,
    )


def _object(document: Any, kind: type[BranchRecord | PressRecord | OpeningRecord]) -> Json:
    """A later version may say more; what this one needs must be there."""
    needed = {field.name for field in fields(kind)}
    if not isinstance(document, dict) or not needed <= document.keys():
        raise RemoteProtocolError(f"not a {kind.__name__}")
    return document


def _key(value: Any) -> str:
    if not isinstance(value, str) or len(value) not in KEY_DIGITS or not set(value) <= set("0123456789abcdef"):
        raise RemoteProtocolError("a key that is none")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
        raise RemoteProtocolError("a text that cannot be shown")
    return value


def _count(value: Any, limit: int = 2**31) -> int:
    if type(value) is not int or not 0 <= value <= limit:
        raise RemoteProtocolError("a number that cannot be")
    return value


def _at(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value <= MAX_AT:
        raise RemoteProtocolError("a time that cannot be")
    return float(value)


def _ms(seconds: float) -> int:
    return min(MAX_MS, max(0, round(seconds * 1000)))
