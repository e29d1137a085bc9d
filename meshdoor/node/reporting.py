"""What a door tells of its presses: the screens keep the history, the door keeps none. Of a door station that knows
nothing of us, the screen that rings for it tells the others, and itself.

It says when a press begins and when it is over, to every screen that it is linked with. What it could tell nobody it
remembers, in memory alone, until there is a screen to tell it to.

A note about "press" says {"press": as `calls.records` has it, "age": seconds since, "told": the keys it goes to},
one about "answered" {"press": id, "by": key}, at once.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from dataclasses import dataclass

from meshdoor.calls.fork import Outcome
from meshdoor.calls.parts import notes_of
from meshdoor.calls.records import MAX_TEXT, OpeningRecord, PressRecord, written_down
from meshdoor.calls.sync import Opening
from meshdoor.node.house import House
from meshdoor.node.lock import Audit
from meshdoor.node.notes import Note
from meshdoor.node.press import Press
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.roster import Roster

ABOUT = "press"
HISTORY = "history"
ANSWERED = "answered"
MAX_UNTOLD = 16
SETTLING = 0.5  # seconds until the last statistics of a press are there


def keeps_history(roster: Roster, key: bytes) -> bool:
    """Is it a screen that may view?"""
    member = roster.member(key)
    return member is not None and member.role is Role.SCREEN and Permission.VIEW in member.permissions


def opening_of(audit: Audit, lock_name: str, press: str = "") -> OpeningRecord:
    """What the history keeps of what a lock did; `press` if it was for a visitor."""
    who = (audit.person or audit.name)[:MAX_TEXT]
    opener, lock = audit.opener.hex(), audit.lock.hex()
    result = str(audit.result) + (" (simulated)" if audit.simulated else "")
    return OpeningRecord(secrets.token_hex(16), press, audit.at, lock, lock_name[:MAX_TEXT], opener, who, result)


def tell_opening(house: House, opening: OpeningRecord) -> None:
    """What a lock on a node that keeps no history tells the screens; one that does calls `History.opened`."""
    for link in house.links.links():
        if keeps_history(house.membership.roster, link.key):
            for note in notes_of(HISTORY, Opening(opening).to_json(), secrets.token_hex(8)):
                house.links.send_note(link.key, note)


@dataclass(frozen=True, slots=True)
class _Untold:
    record: PressRecord
    pressed: float  # on the loop's clock


class Reporting:
    """The reports of one door: this node, or the `station` of that key."""

    def __init__(self, house: House, station: bytes | None = None) -> None:
        self._house = house
        self._own_key = house.membership.identity.key
        self._door = self._own_key if station is None else station
        self._untold: deque[_Untold] = deque(maxlen=MAX_UNTOLD)
        self._begun = ""
        house.on_link.append(self._linked)

    def begun(self, press: Press) -> None:
        """Somebody pressed; a second press that joins the first is told of once."""
        if press.id != self._begun:
            self._begun = press.id
            self._tell(press, 1)

    def answered(self, press: Press, by: bytes) -> None:
        """Somebody answered: those who watch want to know who, now."""
        for screen in self._screens():
            self._note(screen, {"about": ANSWERED, "press": press.id, "by": by.hex()})

    def over(self, press: Press) -> None:
        """A press is over; its last statistics are on their way."""
        asyncio.get_running_loop().call_later(SETTLING, self._tell, press, 2)

    def _tell(self, press: Press, revision: int) -> None:
        name, age = self._name_of(self._door) or self._house.name, _now() - press.at
        outcome = press.fork.outcome if revision > 1 else Outcome.RINGING
        head = PressRecord(press.id, self._door.hex(), name[:MAX_TEXT], time.time() - age, revision, outcome)
        record = written_down(head, press.steps, press.at, self._name_of, press.dropped)
        report = _Untold(record, press.at)
        screens = self._screens()
        told = [self._send(screen, report, screens) for screen in screens]
        if revision > 1 and not any(told):
            self._untold.append(report)

    def _linked(self, key: bytes, up: bool) -> None:
        if up and self._untold and keeps_history(self._house.membership.roster, key):
            for report in self._untold:
                self._send(key, report, [key])
            self._untold.clear()

    def _send(self, key: bytes, report: _Untold, screens: list[bytes]) -> bool:
        told = [screen.hex() for screen in screens]
        message = {"press": report.record.to_json(), "age": max(0.0, _now() - report.pressed), "told": told}
        notes = notes_of(ABOUT, message, secrets.token_hex(8))
        return all(self._note(key, note) for note in notes)

    def _screens(self) -> list[bytes]:
        """Who keeps the history, within reach."""
        roster = self._house.membership.roster
        within_reach = [link.key for link in self._house.links.links()]
        if self._door != self._own_key:
            within_reach.append(self._own_key)
        return [key for key in within_reach if keeps_history(roster, key)]

    def _note(self, key: bytes, note: Note) -> bool:
        if key != self._own_key:
            return self._house.links.send_note(key, note)
        asyncio.get_running_loop().call_soon(self._house.note, key, note)
        return True

    def _name_of(self, key: bytes) -> str:
        member = self._house.membership.roster.member(key)
        return member.name if member is not None else self._house.outside_name(key)


class StationReports:
    """The reports of all stations that this screen rings for; see `Reporting`."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._reports: dict[bytes, Reporting] = {}

    def begun(self, station: bytes, press: Press) -> None:
        self._of(station).begun(press)

    def answered(self, station: bytes, press: Press, by: bytes) -> None:
        self._of(station).answered(press, by)

    def over(self, station: bytes, press: Press) -> None:
        self._of(station).over(press)

    def _of(self, station: bytes) -> Reporting:
        if station not in self._reports:
            self._reports[station] = Reporting(self._house, station)
        return self._reports[station]


def _now() -> float:
    return asyncio.get_running_loop().time()
