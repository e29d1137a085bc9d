"""Handing a visitor over: who talks with one lets another room ring, which takes over when it answers.

The screen asks the door, for the person there or for a phone that is attached to it; the door decides, and tells what
becomes of it:

    {"about": "hand over", "call": Call-ID of the talk, "to": key}    and "for": the key of the phone
    {"about": "handed over", "call", "door": its key, "state", "why"}

`state` is "refused" (`why` is for a person) or "ringing"; after that it is how the ring ended, in the words of the ring
ledger: "answered" when the other room talks now; else the talk goes on as it was, but for "cancelled": it is over. A
door that does not know the call says nothing. For a door station the node speaks that rings for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from meshdoor.calls import plan
from meshdoor.calls.commands import Ending, HandedOver
from meshdoor.calls.fork import HANDOVER_TIMEOUT
from meshdoor.control import Json
from meshdoor.control.server import Progress, Verb
from meshdoor.errors import Refused, RemoteProtocolError
from meshdoor.node import journal
from meshdoor.node.arguments import Args
from meshdoor.node.calls import CallService
from meshdoor.node.house import House
from meshdoor.node.notes import Note
from meshdoor.node.press import Press
from meshdoor.node.pressing import Pressing
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Member

ASK: Final = "hand over"
TOLD: Final = "handed over"
RINGING: Final = "ringing"
REFUSED: Final = "refused"
PATIENCE: Final = 3.0  # seconds until a door has said whether it rings
STATES: Final = frozenset({RINGING, REFUSED, *Ending})
MAX_ASKED: Final = 16
MAX_CALL: Final = 256
MAX_WHY: Final = 128
WORDS: Final = {
    Ending.DECLINED: "{} declines",
    Ending.BUSY: "{} is busy",
    Ending.MISSED: "{} does not answer",
    Ending.CANCELLED: "the talk with the visitor is over",
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """At a door: a hand-over that is under way, and to whom it matters."""

    door: bytes
    node: bytes
    call: str
    giver: bytes


@dataclass(frozen=True, slots=True)
class _Said:
    """What a door said."""

    door: bytes
    state: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Wish:
    """At a screen: a hand-over that was asked for. `giver` is a phone, or this node."""

    call: str
    giver: Member
    taker: Member
    doors: tuple[bytes, ...]
    said: asyncio.Queue[_Said]


class HandOvers:
    """Those at this door, and those that are asked for at this screen. Make it once, before the house runs."""

    def __init__(self, house: House, calls: CallService) -> None:
        self._house = house
        self._calls = calls
        self._asked: dict[str, _Asked] = {}  # by press
        self._wishes: dict[str, _Wish] = {}
        house.notes.register(ASK, self._wanted)
        house.notes.register(TOLD, self._told)
        calls.pressing.handed.append(self._handed)
        calls.stations.handed.append(self._handed)

    def table(self) -> dict[str, Verb]:
        """By name, for the control server."""
        return {ASK: self._verb}

    async def of_phone(self, phone: Member, call: str, room: str) -> Json:
        """A phone that is attached here hands over who it talks with, and waits for what becomes of it. Raises
        Refused, NotFound."""
        roster = self._calls.roster
        doors = tuple(key for key, member in roster.members.items() if member.role is Role.DOOR)
        return await self._ask(_Wish(call, phone, roster.find(room), doors, asyncio.Queue(2)), lambda told: None)

    async def _verb(self, args: Mapping[str, Json], progress: Progress) -> Json:
        """`hand over`: who talks with a visitor here hands over to the room `to`."""
        taker = self._calls.roster.find(Args(args).text("to"))
        talk = next(iter(self._calls.answering.talks()), None)
        itself = self._calls.itself
        if talk is None or itself is None:
            raise Refused("nobody here talks with a visitor", "answer one first: meshdoor answer")
        door, call = talk.peer, talk.call_id
        self._calls.answering.handing(door, call, on=True)
        try:
            return await self._ask(_Wish(call, itself, taker, (door,), asyncio.Queue(2)), progress)
        except Refused:
            self._calls.answering.handing(door, call, on=False)
            raise

    async def _ask(self, wish: _Wish, progress: Callable[[Json], None]) -> Json:
        if wish.call in self._wishes or len(self._wishes) >= MAX_ASKED:
            raise Refused("the visitor is being handed over already")
        self._wishes[wish.call] = wish
        try:
            self._send(wish)
            said = await self._heard(wish, PATIENCE)
            if said.state == RINGING:
                progress({"state": RINGING, "to": wish.taker.name})
                said = await self._heard(wish, HANDOVER_TIMEOUT + PATIENCE)
        finally:
            del self._wishes[wish.call]
        if said.state != Ending.ANSWERED:
            raise Refused(said.why or WORDS.get(Ending(said.state), "{} cannot be reached").format(wish.taker.name))
        return {"door": self._calls.name_of(said.door), "to": wish.taker.name}

    def _send(self, wish: _Wish) -> None:
        note = {"about": ASK, "call": wish.call, "to": wish.taker.key.hex()}
        if wish.giver is not self._calls.itself:
            note["for"] = wish.giver.key.hex()
        for node in {self._calls.node_of(door) for door in wish.doors}:
            self._calls.note(node, note)

    async def _heard(self, wish: _Wish, patience: float) -> _Said:
        try:
            async with asyncio.timeout(patience):
                said = await wish.said.get()
        except TimeoutError:
            raise Refused("no door knows of that talk", "see: meshdoor calls") from None
        names = {"door": said.door, "from": wish.giver.key, "to": wish.taker.key}
        self._publish(said.state, names)
        return said

    def _told(self, node: bytes, note: Note) -> None:
        """At a screen: a door says what becomes of it."""
        door, call, state, why = _key(note.get("door")), note.get("call"), note.get("state"), note.get("why", "")
        if not isinstance(call, str) or not isinstance(state, str) or state not in STATES:
            raise RemoteProtocolError("a hand-over of which nothing is said")
        if not isinstance(why, str) or len(why) > MAX_WHY or not why.isprintable():
            raise RemoteProtocolError("a reason that cannot be shown")
        wish = self._wishes.get(call)
        if wish is not None and door in wish.doors and self._calls.node_of(door) == node and not wish.said.full():
            wish.said.put_nowait(_Said(door, state, why or ("it was refused" if state == REFUSED else "")))

    def _wanted(self, node: bytes, note: Note) -> None:
        """At a door: who talks wants to hand over."""
        call, taker = note.get("call"), _key(note.get("to"))
        if not isinstance(call, str) or len(call) > MAX_CALL:
            raise RemoteProtocolError("a hand-over of no call")
        giver = node if note.get("for") is None else _key(note["for"])
        for door, pressing in self._calls.doors():
            talk = next((each for each in pressing.talks() if each.call_id == call), None)
            if talk is not None and pressing.press is not None:
                asked = _Asked(door, node, call, giver)
                self._hand(asked, pressing, taker, self._objection(asked, taker, talk.peer))

    def _hand(self, asked: _Asked, pressing: Pressing, taker: bytes, why: str) -> None:
        if not why and not pressing.hand_over(taker):
            why = "the visitor is being handed over already"
        if why:
            self._answer(asked, REFUSED, why)
            journal.warn("handover", f"{self._calls.name_of(asked.giver)} may not hand over the visitor: {why}")
        elif pressing.press is not None:
            self._asked[pressing.press.id] = asked
            self._answer(asked, RINGING)
            self._publish(RINGING, {"from": asked.giver, "to": taker})

    def _objection(self, asked: _Asked, taker: bytes, talker: bytes) -> str:
        if asked.giver != asked.node:
            found = self._calls.attachments.find(asked.giver)
            if found is None or found.node != asked.node:
                return "that phone is not attached there"
        if asked.giver != talker:
            return "somebody else talks with the visitor"
        return plan.no_hand_over(self._calls.roster, self._calls.everyone(), asked.door, asked.giver, taker)

    def _handed(self, press: Press, command: HandedOver) -> None:
        """At a door: what became of it."""
        asked = self._asked.pop(press.id, None)
        if asked is not None:
            self._answer(asked, command.ending)
            self._publish(command.ending, {"from": asked.giver, "to": command.peer})

    def _answer(self, asked: _Asked, state: str, why: str = "") -> None:
        door = asked.door.hex()
        note = {"about": TOLD, "call": asked.call, "door": door, "state": str(state), "why": why[:MAX_WHY]}
        self._calls.note(asked.node, note)

    def _publish(self, state: str, whom: Mapping[str, bytes]) -> None:
        names = {word: self._calls.name_of(key) for word, key in whom.items()}
        self._calls.publish({"event": "hand over", "state": str(state)} | names)


def _key(value: object) -> bytes:
    """Raises RemoteProtocolError."""
    try:
        return bytes.fromhex(value if isinstance(value, str) else "-")
    except ValueError:
        raise RemoteProtocolError("a key that is none") from None
