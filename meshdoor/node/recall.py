"""The verbs of the history; what they answer is this document, schema 1, which a later one only adds to:

    history   {schema, presses: [PRESS], openings: [OPENING], more}, the newest first; `more` if they did not all fit
    PRESS     {id, at, door, outcome, answered_by, handed_over_to: [name], missed, seen, branches: [BRANCH],
              openings: [OPENING]}
    BRANCH    {name, asked_ms, provisional_ms, early_ms, first_packet_ms, first_picture_ms, answered_ms, ended_ms, why,
              dropped}; ms since the press, null where it did not come to that
    OPENING   {id, at, lock, who, result}; beside the presses are those that belong to none
    seen      {seen: [id]}, those that were not seen before
    snapshot  {id, data}, the picture of a visitor in base64

`at` is a Unix time. A name is what the member is called today, or was when it left.
"""

from __future__ import annotations

import base64
import json
import time

from meshdoor.calls.records import BranchRecord, OpeningRecord, PressRecord
from meshdoor.calls.sync import Stored
from meshdoor.control import Json
from meshdoor.control.server import Verb
from meshdoor.errors import NotFound, Refused, UserError
from meshdoor.node.arguments import Args, checked
from meshdoor.node.history import History
from meshdoor.node.house import House
from meshdoor.store.ledgerfile import STALE

MOST, USUAL = 1000, 20
MAX_ANSWER = 800_000  # bytes; a line of the control socket holds 1 MiB


class HistoryVerbs:
    """`history`, `seen` and `snapshot`. A node without a history says where there is one."""

    def __init__(self, house: House, history: History | None) -> None:
        self._house = house
        self._history = history

    def table(self) -> dict[str, Verb]:
        """By name, for the control server."""
        verbs = {"history": self.history, "seen": self.seen, "snapshot": self.snapshot}
        return {name: checked(verb) for name, verb in verbs.items()}

    async def history(self, args: Args) -> Json:
        limit = args.optional_number("limit") or USUAL
        if not 0 < limit <= MOST:
            raise UserError(f"limit: a number from 1 to {MOST} is needed")
        history = self._ask()
        document: dict[str, Json] = {"schema": 1, "presses": [], "openings": [], "more": False}
        size = 0
        for stored in await history.newest(limit, missed=args.flag("missed")):
            where, row = await self._row(history, stored)
            size += len(json.dumps(row))
            if size > MAX_ANSWER:
                return document | {"more": True}
            document[where].append(row)
        return document

    async def seen(self, args: Args) -> Json:
        return {"seen": await self._ask().mark_seen(args.text("which"))}

    async def snapshot(self, args: Args) -> Json:
        history = self._ask()
        press = await history.find(args.text("id"))
        data = await history.picture(press)
        if not data:
            raise NotFound("there is no picture of that visitor", "pictures are kept of those that nobody answered")
        return {"id": press, "data": base64.b64encode(data).decode()}

    def _ask(self) -> History:
        if self._history is None:
            raise Refused(f"a {self._house.role} keeps no history", "ask a screen")
        return self._history

    async def _row(self, history: History, stored: Stored) -> tuple[str, dict[str, Json]]:
        if not isinstance(stored.entry, PressRecord):
            return "openings", self._opening(stored.entry)
        openings = await history.openings_of(stored.entry.id)
        return "presses", self._press(stored.entry, openings) | {"seen": stored.seen}

    def _press(self, press: PressRecord, openings: list[OpeningRecord]) -> dict[str, Json]:
        given_up = not press.finished and time.time() - press.at > STALE
        talked = self._talked(press)
        return {
            "id": press.id,
            "at": press.at,
            "door": self._name(press.door, press.name),
            "outcome": "interrupted" if given_up else str(press.outcome),
            "answered_by": next(iter(talked), None),
            "handed_over_to": talked[1:],
            "missed": press.missed and (press.finished or given_up),
            "branches": [self._branch(branch) for branch in press.branches],
            "openings": [self._opening(opening) for opening in openings],
        }

    def _talked(self, press: PressRecord) -> list[str]:
        names = {branch.peer: branch.name for branch in press.branches}
        talked = () if press.answered is None else (press.answered, *press.taken_over)
        return [self._name(peer, names.get(peer, "")) for peer in talked]

    def _branch(self, branch: BranchRecord) -> dict[str, Json]:
        return {
            "name": self._name(branch.peer, branch.name),
            "asked_ms": branch.asked,
            "provisional_ms": branch.provisional,
            "early_ms": branch.early,
            "first_packet_ms": branch.packet,
            "first_picture_ms": branch.picture,
            "answered_ms": branch.answered,
            "ended_ms": branch.ended,
            "why": branch.why,
            "dropped": branch.dropped,
        }

    def _opening(self, opening: OpeningRecord) -> dict[str, Json]:
        return {
            "id": opening.id,
            "at": opening.at,
            "lock": self._name(opening.lock, opening.lock_name),
            "who": self._name(opening.who, opening.who_name),
            "result": opening.result,
        }

    def _name(self, key: str, then: str) -> str:
        member = self._house.membership.roster.member(bytes.fromhex(key))
        return member.name if member is not None else then
