"""What the page of a phone shows of the home:

    HOME     {home_name, node, doors: [DOOR], members: [MEMBER], missed, can}; `missed` counts visitors that nobody has
             seen; `can` names asks that an earlier version does not know: "hand_over"
    DOOR     {id, name, state, trouble, dark, contact, picture, lock}; `picture` is the id of the newest visit with
             one, or null; `lock`: is there one within reach that opens it
    MEMBER   {id, name, role, state, at}; `at` is the node to which a phone is attached, or null
    VISIT    {id, door, door_id, at, result, by, then, picture, seen}; `door` and `by` are names, `by` is null if
             nobody answered, `then` names those to whom the visitor was handed over; `result` is answered, missed,
             declined, cancelled, ringing or interrupted

States are those of the status: ready, ringing, in call, joining, unreachable, and what else a phone may be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sized
from typing import Final

from meshdoor.calls.records import PressRecord
from meshdoor.calls.sync import Stored
from meshdoor.control import Json
from meshdoor.errors import NotFound, Refused
from meshdoor.node.history import History
from meshdoor.node.house import House
from meshdoor.node.opening import Openings
from meshdoor.store.ledgerfile import STALE
from meshdoor.trust.identity import device_id
from meshdoor.trust.permissions import Role

MOST: Final = 100  # visits in one answer
MAX_MISSED: Final = 99
CAN: Final = ["hand_over"]  # what an earlier version cannot

Rows = Callable[[], list[dict[str, Json]]]


class HomeView:
    """`rows` gives the members as the status has them."""

    def __init__(self, house: House, history: History | None, openings: Openings, rows: Rows) -> None:
        self._house = house
        self._history = history
        self._openings = openings
        self._rows = rows

    async def home(self) -> dict[str, Json]:
        """What all phones see alike. Raises StateError."""
        return await self.home_with(await self.missed())

    async def home_with(self, missed: Sized) -> dict[str, Json]:
        """The same, to those who know already what `missed` gives."""
        doors = [row for row in self._rows() if row["state"] != "revoked" and row["role"] == Role.DOOR]
        pictures = {} if self._history is None else await self._history.last_pictures()
        by_id = {device_id(bytes.fromhex(door)): press for door, press in pictures.items()}
        return {
            "home_name": self._house.membership.roster.home_name,
            "node": self._house.name,
            "doors": [self._door(row, by_id.get(row["id"])) for row in doors],
            "members": self.members(),
            "missed": len(missed),
            "can": CAN,
        }

    def members(self) -> list[dict[str, Json]]:
        """Who belongs to the home, and where they are now."""
        return [
            {name: row.get(name) for name in ("id", "name", "role", "state")} | {"at": row.get("where")}
            for row in self._rows()
            if row["state"] != "revoked"
        ]

    async def missed(self) -> list[dict[str, Json]]:
        """The newest missed visitors that nobody has seen. Raises StateError."""
        if self._history is None:
            return []
        return await self._visits(await self._history.newest(MAX_MISSED, missed=True))

    async def visits(self, limit: int, before: str) -> list[dict[str, Json]]:
        """The newest visits before one of them, or of all. Raises StateError, Refused."""
        return await self._visits(await self.history().visits(max(1, min(limit, MOST)), before))

    def history(self) -> History:
        """Raises Refused where none is kept."""
        if self._history is None:
            raise Refused("no history is kept here")
        return self._history

    async def _visits(self, entries: Iterable[Stored]) -> list[dict[str, Json]]:
        presses = [(each.entry, each.seen) for each in entries if isinstance(each.entry, PressRecord)]
        pictured = await self.history().pictured(press.id for press, _ in presses)
        return [self._visit(press) | {"picture": press.id in pictured, "seen": seen} for press, seen in presses]

    def _visit(self, press: PressRecord) -> dict[str, Json]:
        given_up = not press.finished and time.time() - press.at > STALE
        names = {branch.peer: branch.name for branch in press.branches}
        talked = () if press.answered is None else (press.answered, *press.taken_over)
        talkers = [self._name(peer, names.get(peer, "")) for peer in talked]
        return {
            "id": press.id,
            "door": self._name(press.door, press.name),
            "door_id": device_id(bytes.fromhex(press.door)),
            "at": press.at,
            "result": "interrupted" if given_up else str(press.outcome),
            "by": next(iter(talkers), None),
            "then": talkers[1:],
        }

    def _door(self, row: dict[str, Json], picture: str | None) -> dict[str, Json]:
        shown = {name: row[name] for name in ("id", "name", "state", "trouble", "dark", "contact")}
        return shown | {"picture": picture, "lock": self._opens(row["id"])}

    def _opens(self, door: str) -> bool:
        try:
            return bool(self._openings.find(door))
        except (NotFound, Refused):
            return False

    def _name(self, key: str, then: str) -> str:
        member = self._house.membership.roster.member(bytes.fromhex(key))
        return member.name if member is not None else then
