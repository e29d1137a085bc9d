"""The node's copy of the roster: merged, saved before it counts, and told to who must act on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from meshdoor.errors import Refused, StatementError, UserError
from meshdoor.trust.history import Added, History
from meshdoor.trust.identity import Identity
from meshdoor.trust.permissions import DEFAULTS, Permission, Role
from meshdoor.trust.roster import Member, Roster
from meshdoor.trust.statement import Admit, Change, Statement

Save = Callable[[Iterable[bytes]], object]
Listener = Callable[[Roster], None]


class Membership:
    """What this node knows of the home, and what it may add to it."""

    def __init__(self, identity: Identity, history: History, save: Save) -> None:
        self.identity = identity
        self.history = history
        self._save = save
        self._listeners: list[Listener] = []

    @property
    def roster(self) -> Roster:
        return self.history.roster

    @property
    def itself(self) -> Member | None:
        """This node's own entry; None while it belongs to no home or is revoked."""
        return self.roster.members.get(self.identity.key)

    def listen(self, listener: Listener) -> None:
        """Call `listener` after every change of the roster."""
        self._listeners.append(listener)

    def merge(self, carried: Iterable[bytes]) -> tuple[int, list[StatementError]]:
        """Take in statements of a peer: how many were new, and what was refused."""
        fresh, refused = 0, []
        for statement in carried:
            try:
                fresh += self.history.add(statement) is Added.NEW
            except StatementError as error:
                refused.append(error)
        if fresh:
            self._changed()
        return fresh, refused

    def found(self, home: str, name: str, role: str, now: float) -> None:
        """Found a home with this node as its first member. Raises Refused."""
        if self.roster.home is not None:
            raise Refused(f"this node is already in {self.roster.home_name}", "to leave it: meshdoor reset")
        if role != Role.SCREEN:
            raise Refused(
                f"a {role} cannot found a home: whoever steals it would own the house",
                "found it on a screen, and pair this node from there",
            )
        self.history.found(self.identity, home, name, int(now))
        self._changed()

    def admit(self, key: bytes, certificate: bytes, name: str, role: Role, now: float) -> Statement:
        """Admit a device with its role's default permissions. Raises Refused."""
        self.check_may_admit("admit a device")
        admit = Admit(key, certificate, self._free_name(name, key), role, DEFAULTS[role])
        statement = self.history.admit(self.identity, admit, int(now))
        self._changed()
        return statement

    def admit_phone(
        self, key: bytes, name: str, permissions: frozenset[Permission], until: int | None, now: float
    ) -> Member:
        """Admit a phone; `until` makes it a guest's. Raises Refused."""
        self.check_may_admit("let a phone in")
        admit = Admit(key, b"", self._free_name(name, key), Role.PHONE, permissions, until)
        self.history.admit(self.identity, admit, int(now))
        self._changed()
        return self.roster.members[key]

    def admit_station(self, key: bytes, name: str, now: float) -> Member:
        """Admit a door station, which has no links of its own. Raises Refused."""
        self.check_may_admit("let a door station in")
        admit = Admit(key, b"", self._free_name(name, key), Role.DOOR, DEFAULTS[Role.DOOR])
        self.history.admit(self.identity, admit, int(now))
        self._changed()
        return self.roster.members[key]

    def revoke(self, text: str, now: float) -> Member:
        """Revoke the member of that name or id. Raises Refused, NotFound."""
        self.check_may_admit("revoke a member")
        member = self.roster.find(text)
        screens = [each.key for each in self.administrators() if each.role is Role.SCREEN]  # a phone needs one
        if screens == [member.key]:
            raise Refused(
                f"{member.name} is the last one that may admit: without it nobody could join this home again",
                "pair another screen first",
            )
        self._revoke(member, now)
        return member

    def end_guest(self, member: Member, now: float) -> None:
        """Revoke a phone whose time is over. Raises Refused."""
        self.check_may_admit("revoke a member")
        assert member.expired(now)
        self._revoke(member, now)

    def rename(self, text: str, name: str, now: float) -> Member:
        """Give the member of that name or id another name. Raises Refused, NotFound."""
        self.check_may_admit("rename a member")
        member = self.roster.find(text)
        others = {other.name.casefold() for other in self.roster.members.values() if other.key != member.key}
        if name.casefold() in others:
            raise Refused(f"there is a {name} already", "choose another name")
        self.history.change(self.identity, Change(member.key, name), int(now))
        self._changed()
        return member

    def administrators(self) -> list[Member]:
        """Who may admit and revoke."""
        return [m for m in self.roster.members.values() if Permission.ADMIT in m.permissions]

    def check_may_admit(self, what: str) -> None:
        """Raises Refused or UserError, with where to do it, unless this node may."""
        if self.identity.key in self.roster.revoked:
            raise Refused("this node was revoked", "give it a new identity: meshdoor reset")
        if self.itself is None:
            raise UserError(
                "this node is in no home", 'pair it from another node, or found one: meshdoor found "My home"'
            )
        if Permission.ADMIT not in self.itself.permissions:
            names = ", ".join(sorted(member.name for member in self.administrators()))
            raise Refused(f"a {self.itself.role} may not {what}", f"do it on: {names}")

    def _revoke(self, member: Member, now: float) -> None:
        self.history.revoke(self.identity, member.key, int(now))
        self._changed()

    def _free_name(self, name: str, key: bytes) -> str:
        taken = {member.name.casefold() for member in self.roster.members.values() if member.key != key}
        candidates = (name, *(f"{name[:60]} {number}" for number in range(2, 1000)))
        return next(candidate for candidate in candidates if candidate.casefold() not in taken)

    def _changed(self) -> None:
        self._save(self.history.wire())
        for listener in self._listeners:
            listener(self.roster)
