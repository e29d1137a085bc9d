"""Who is rung, who may call whom, and who is answered without a person: pure policy.

What a device is, and what it may do, comes from the roster alone; whether it can be reached, from the peer table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from meshdoor.mesh.peer import Peer, State
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.roster import Member, Roster

ROOMS = frozenset({Role.SCREEN, Role.PHONE})  # what people hold a conversation at
FORBIDDEN, BUSY = 403, 486  # RFC 3261 §21.4


class Kind(StrEnum):
    """What a call is for, which follows from who calls whom."""

    VISITOR = "visitor"  # a door rings
    MONITOR = "monitor"  # somebody indoors looks through a door
    ROOM = "room"  # room to room
    PAGE = "page"  # one screen to all of them, one way


class Answer(StrEnum):
    """What a device does with a call that comes in."""

    RING = "ring"
    AUTO = "auto"  # at once, announced by tone and light
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Policy:
    """What this node's settings say. `auto_answer` names the callers that it answers by itself: names or ids."""

    auto_answer: frozenset[str] = frozenset()

    def answers(self, caller: Member) -> bool:
        """Is this caller listed?"""
        listed = {entry.strip().casefold() for entry in self.auto_answer}
        return caller.name.casefold() in listed or caller.device_id in listed


@dataclass(frozen=True, slots=True)
class Silent:
    """A device that might have rung, and in words why it does not."""

    key: bytes
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a press or a page goes to, and who stays silent."""

    rung: tuple[bytes, ...]
    silent: tuple[Silent, ...]

    def only(self, keys: Collection[bytes]) -> Asked:
        """Those of them that are named."""
        rung = tuple(key for key in self.rung if key in keys)
        return Asked(rung, tuple(silent for silent in self.silent if silent.key in keys))


@dataclass(frozen=True, slots=True)
class Reception:
    """What to do with a call that comes in; `status` and `why` are those of a refusal."""

    kind: Kind
    answer: Answer
    status: int = 0
    why: str = ""


def who_rings(peers: Iterable[Peer], door: bytes) -> Asked:
    """Whom a press at `door` rings: every other screen and phone that may view and can be reached."""
    return _asked(peers, door, ROOMS, lambda member: _lacks(member, Permission.VIEW))


def who_is_paged(peers: Iterable[Peer], caller: Member) -> Asked:
    """Whom a page goes to: every other screen that can be reached; nobody if the caller may not page."""
    return _asked(peers, caller.key, frozenset({Role.SCREEN}), lambda member: objection(caller, member, page=True))


def objection(caller: Member, callee: Member, *, page: bool = False) -> str:
    """Why `caller` may not call `callee`; empty if it may."""
    if caller.key == callee.key:
        return f"{caller.name} would call itself"
    kind = kind_of(caller, callee, page=page)
    if kind is Kind.VISITOR:
        return _lacks(caller, Permission.RING) or _not_a_room(callee) or _lacks(callee, Permission.VIEW)
    if kind is Kind.MONITOR:
        return _not_a_room(caller) or _lacks(caller, Permission.VIEW)
    why = _not_a_room(caller) or _lacks(caller, Permission.TALK) or _not_a_room(callee)
    return why or (_no_page(caller, callee) if kind is Kind.PAGE else "")


def no_hand_over(roster: Roster, peers: Iterable[Peer], door: bytes, giver: bytes, taker: bytes) -> str:
    """Why `giver`, who talks with the visitor at `door`, may not hand over to `taker`; empty if it may."""
    if why := may_talk(roster, giver):
        return why
    if giver == taker:
        return "that is who talks now"
    asked = who_rings(peers, door)
    if taker in asked.rung:
        return ""
    return next((f"{each.name}: {each.why}" for each in asked.silent if each.key == taker), "there is no such room")


def kind_of(caller: Member, callee: Member, *, page: bool = False) -> Kind:
    """What a call between these two is for."""
    if caller.role is Role.DOOR:
        return Kind.VISITOR
    if callee.role is Role.DOOR:
        return Kind.MONITOR
    return Kind.PAGE if page else Kind.ROOM


def may_talk(roster: Roster, caller: bytes) -> str:
    """Why `caller` may not open two-way sound; empty if it may."""
    member = roster.member(caller)
    return "it is no member of this home" if member is None else _lacks(member, Permission.TALK)


def receive(callee: Member, caller: Member, policy: Policy, *, page: bool = False, busy: bool = False) -> Reception:
    """What `callee`, this node, does with a call of `caller`. `busy`: somebody talks here.

    A visitor always rings (or knocks); a door is always open to who may view; nobody cuts into a conversation.
    """
    kind = kind_of(caller, callee, page=page)
    if why := objection(caller, callee, page=page):
        return Reception(kind, Answer.REFUSE, FORBIDDEN, why)
    if kind is Kind.MONITOR:
        return Reception(kind, Answer.AUTO)
    if kind is not Kind.VISITOR and busy:
        return Reception(kind, Answer.REFUSE, BUSY, f"{callee.name} is in a call")
    auto = kind is not Kind.VISITOR and policy.answers(caller)
    return Reception(kind, Answer.AUTO if auto else Answer.RING)


def _asked(peers: Iterable[Peer], caller: bytes, roles: frozenset[Role], objects: Callable[[Member], str]) -> Asked:
    rung, silent = [], []
    for peer in peers:
        if peer.key == caller or peer.member.role not in roles:
            continue
        if why := objects(peer.member) or _unreachable(peer):
            silent.append(Silent(peer.key, peer.member.name, why))
        else:
            rung.append(peer.key)
    return Asked(tuple(rung), tuple(silent))


def _unreachable(peer: Peer) -> str:
    if peer.state is State.QUIET:
        return "quiet hours"
    if peer.state is not State.UNREACHABLE:
        return ""
    if peer.member.role is Role.PHONE:
        return "its page is not open"
    if peer.since is None:
        return "never seen"
    return f"unreachable: {peer.reason}" if peer.reason else "unreachable"


def _lacks(member: Member, permission: Permission) -> str:
    return "" if permission in member.permissions else f"{member.name} may not {permission}"


def _not_a_room(member: Member) -> str:
    return "" if member.role in ROOMS else f"{member.name} is a {member.role}"


def _no_page(*members: Member) -> str:
    wrong = next((member for member in members if member.role is not Role.SCREEN), None)
    return "" if wrong is None else f"{wrong.name} is a {wrong.role}, and pages go from screen to screen"
