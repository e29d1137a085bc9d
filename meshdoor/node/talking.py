"""The calls of a node that are no press: who looks through a door, room to room, and pages.

One thing at a time: looking through a door gives way to whatever else a person begins or answers, a conversation to
nothing but a visitor whom somebody answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from meshdoor.calls import plan
from meshdoor.calls.call import Call
from meshdoor.calls.fork import RING_TIMEOUT
from meshdoor.calls.plan import Kind
from meshdoor.calls.progress import State
from meshdoor.control import Json
from meshdoor.errors import NotFound, Refused
from meshdoor.mesh.frames import State as Busy
from meshdoor.mesh.peers import Peer
from meshdoor.node import journal
from meshdoor.node.call_media import CallMedia
from meshdoor.node.calling import RETURN, Desk
from meshdoor.node.conversation import UNANSWERED, Conversation, Setting
from meshdoor.node.digits import Talk
from meshdoor.sip import events as sip
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Member, Roster

MAX_CALLS = 16  # that came in and are not over


class Rooms(Desk, Protocol):
    """The call service, as seen by what carries out calls."""

    @property
    def roster(self) -> Roster:
        """Who belongs to the home."""

    @property
    def itself(self) -> Member | None:
        """This node, if it belongs to a home."""

    def peers(self) -> list[Peer]:
        """The other members, as they are now."""

    def visitor_talks(self) -> bool:
        """Does somebody talk with a visitor, at this door or this screen?"""


@dataclass(frozen=True, slots=True)
class Settings:
    """Whom this node answers by itself, whether it has a camera for its own calls, how long it rings elsewhere, what
    makes the media of a call."""

    policy: plan.Policy = field(default_factory=plan.Policy)
    camera: bool = False
    timeout: float = RING_TIMEOUT
    media: Callable[[Desk, str, str], CallMedia] = CallMedia


class Talking:
    """The calls that are not over. `on_engaged` is told when somebody here begins to speak, and when nobody does."""

    def __init__(self, rooms: Rooms, settings: Settings, on_engaged: Callable[[bool], None]) -> None:
        self._rooms = rooms
        self._settings = settings
        self._setting = Setting(rooms, self, settings.camera, settings.media)
        self._on_engaged = on_engaged
        self._conversations: dict[int, Conversation] = {}
        self._count = 0
        self._told: dict[int, dict[str, Any]] = {}
        self._speaks = False

    @property
    def active(self) -> list[Conversation]:
        """Those that are on, in the order in which they began."""
        return [each for each in self._conversations.values() if each.call.ending is None]

    @property
    def busy(self) -> Busy:
        calls = [each.call for each in self.active]
        if any(call.gates.microphone or call.gates.speaker for call in calls):
            return Busy.IN_CALL
        rings = any(call.state in UNANSWERED and call.kind is not Kind.MONITOR for call in calls)
        return Busy.RINGING if rings else Busy.FREE

    @property
    def engaged(self) -> bool:
        """Is there a call that nobody should cut into? Looking through a door is none."""
        return any(each.call.kind is not Kind.MONITOR or each.call.gates.microphone for each in self.active)

    def involves(self, key: bytes) -> bool:
        """Is there a call with this member?"""
        return any(each.call.peer == key for each in self.active)

    def rows(self) -> list[dict[str, Json]]:
        """What is on."""
        return [each.row() for each in self.active]

    def talks(self) -> list[Talk]:
        """Those in which somebody here is heard or hears."""
        return [talk for each in self.active if (talk := each.talk) is not None]

    def call(self, text: str) -> Json:
        """Call another room. Raises Refused, NotFound."""
        member = self._rooms.roster.find(text)
        if member.role is Role.DOOR:
            raise Refused(f"{member.name} is a door", f'to look through it: meshdoor monitor "{member.name}"')
        return self._begin(Kind.ROOM, member).row()

    def call_member(self, member: Member) -> Json:
        """Call somebody who is a room, wherever it is. Raises Refused."""
        return self._begin(Kind.ROOM, member).row()

    def monitor(self, text: str | None) -> Json:
        """Look through a door, by default the only one. Raises Refused, NotFound."""
        member = self._only_door() if text is None else self._rooms.roster.find(text)
        if member.role is not Role.DOOR:
            raise Refused(f"{member.name} is a {member.role}, not a door", "doors are looked through, rooms are called")
        return self._begin(Kind.MONITOR, member).row()

    def page(self) -> Json:
        """Speak to every other screen. Raises Refused."""
        itself = self._may_begin()
        asked = plan.who_is_paged(self._rooms.peers(), itself)
        silent = [{"name": silent.name, "why": silent.why} for silent in asked.silent]
        if not asked.rung:
            reasons = "; ".join(f"{row['name']}: {row['why']}" for row in silent)
            raise Refused("there is no screen to page", reasons)
        self._make_room()
        begun = [self._add(self._outgoing(Kind.PAGE, key)) for key in asked.rung]
        return {"calls": [each.row() for each in begun], "silent": silent}

    def talk(self) -> Json:
        """Speak to whom this node looks at or listens to. Raises Refused."""
        for each in self.active:
            if each.call.speak():
                each.obey()
                return each.row()
        raise Refused("there is nobody to talk to", "look through a door first: meshdoor monitor DOOR")

    def answer(self, number: int | None = None) -> Json:
        """Answer the call that rings here; None when none does."""
        return self._of_ringing(number, Call.accept)

    def decline(self, number: int | None = None) -> Json:
        """Decline the call that rings here; None when none does."""
        return self._of_ringing(number, Call.decline)

    def hang_up(self) -> list[str]:
        """End what is on, but for what only rings here: with whom it was."""
        ended = [each for each in self.active if each.call.state is not State.ALERTING]
        for each in ended:
            each.act(Call.hang_up)
        return [each.name for each in ended]

    def leave(self) -> None:
        """End and decline everything: somebody went to the door."""
        for each in self.active:
            each.act(Call.hang_up)

    def yield_sound(self) -> None:
        """A visitor is answered at this door: who spoke here without a ring makes room."""
        for each in self.active:
            if each.call.converses:
                each.act(Call.hang_up)

    def invited(self, event: sip.IncomingInvite, caller: Member, reception: plan.Reception) -> None:
        """A member calls, and policy lets it."""
        if sum(each.call.called for each in self.active) >= MAX_CALLS:
            event.session.reject(plan.BUSY, self._rooms.now())
            return
        auto = reception.answer is plan.Answer.AUTO
        self._add(Call.incoming(reception.kind, caller.key, self._rooms.now(), auto=auto), event)

    def handle(self, event: sip.SessionEvent) -> bool:
        """An event of the stack; False when it is about no call of ours."""
        found = next((each for each in self._conversations.values() if each.session is event.session), None)
        if found is not None:
            found.handle(event)
        return found is not None

    def peer_down(self, key: bytes) -> None:
        """A link is lost; while we talk it may come back within a moment, if its owner still belongs here."""
        for each in self.active:
            if each.call.peer != key:
                continue
            if each.call.state in UNANSWERED or self._rooms.roster.member(key) is None:
                each.link_down()
            else:
                asyncio.get_running_loop().call_later(RETURN, self._vanished, each)

    def dismissed(self, key: bytes) -> None:
        """A member that may not be here any more: nothing is waited for."""
        for each in self.active:
            if each.call.peer == key:
                each.act(Call.hang_up)

    def legs_lost(self, legs: tuple[str, ...]) -> None:
        """The media engine died: a call without sound or picture is over."""
        for each in self.active:
            if each.media.leg in legs:
                each.leg_lost()

    def changed(self, conversation: Conversation) -> None:
        row, number = conversation.row(), conversation.number
        if number in self._conversations and self._told.get(number) != row:
            self._told[number] = row
            self._rooms.publish({"event": "call"} | row)
        if conversation.over:
            self._conversations.pop(number, None)
            self._told.pop(number, None)
        if conversation.call.kind is Kind.ROOM and conversation.call.converses:
            self._stop_looking()
        speaks = any(each.call.gates.microphone for each in self.active)
        if speaks != self._speaks:
            self._speaks = speaks
            self._on_engaged(speaks)
        self._rooms.busy_changed()

    def objection(self, conversation: Conversation) -> int:
        if why := plan.may_talk(self._rooms.roster, conversation.call.peer):
            journal.warn("call", f"{conversation.name} may not speak here: {why}", member=conversation.name)
            return plan.FORBIDDEN
        others = any(each.call.converses for each in self.active if each is not conversation)
        taken = conversation.call.kind is Kind.MONITOR and (others or self._rooms.visitor_talks())
        return plan.BUSY if taken else 0

    def _begin(self, kind: Kind, member: Member) -> Conversation:
        itself = self._may_begin()
        if why := plan.objection(itself, member):
            raise Refused(f"{itself.name} may not call {member.name}: {why}")
        if self._rooms.target(member.key) is None:
            raise Refused(f"{member.name} is unreachable", "see: meshdoor status")
        self._make_room()
        return self._add(self._outgoing(kind, member.key))

    def _outgoing(self, kind: Kind, key: bytes) -> Call:
        return Call.outgoing(kind, key, self._rooms.now(), self._settings.timeout)

    def _may_begin(self) -> Member:
        itself = self._rooms.itself
        if itself is None:
            raise Refused("this node is in no home", "pair it first")
        if itself.role not in plan.ROOMS:
            raise Refused(f"{itself.name} is a {itself.role}, and calls nobody", "screens and phones call")
        return itself

    def _make_room(self) -> None:
        """For what a person begins now."""
        talks = next((each.name for each in self.active if each.call.gates.microphone), "")
        if talks or self._rooms.visitor_talks():
            raise Refused(f"somebody talks here with {talks or 'a visitor'}", "end that first: meshdoor hangup")
        self.hang_up()

    def _stop_looking(self) -> None:
        for each in self.active:
            if each.call.kind is Kind.MONITOR:
                each.act(Call.hang_up)

    def _add(self, call: Call, event: sip.IncomingInvite | None = None) -> Conversation:
        self._count += 1
        made = self._conversations[self._count] = Conversation(self._setting, self._count, call, event)
        made.obey()
        return made

    def _of_ringing(self, number: int | None, act: Callable[[Call], bool]) -> Json:
        ringing = [each for each in self.active if number in (None, each.number)]
        for each in ringing:
            if act(each.call):
                each.obey()
                return each.row()
        return None

    def _only_door(self) -> Member:
        doors = [member for member in self._rooms.roster.members.values() if member.role is Role.DOOR]
        if not doors:
            raise NotFound("there is no door in this home")
        if len(doors) > 1:
            raise NotFound(f"there are several doors: {', '.join(door.name for door in doors)}", "say which")
        return doors[0]

    def _vanished(self, conversation: Conversation) -> None:
        if conversation in self.active and self._rooms.target(conversation.call.peer) is None:
            conversation.link_down()
