"""What the control socket can ask of the node; each verb takes and gives JSON."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable

from meshdoor.config import check_name
from meshdoor.control import Json
from meshdoor.control.server import Verb
from meshdoor.errors import NotFound, PairingError, Refused, UserError, WrongCode
from meshdoor.mesh.newcomers import Newcomer
from meshdoor.node import doctor
from meshdoor.node.arguments import Args, checked
from meshdoor.node.house import House
from meshdoor.node.status import Itself, View, describe
from meshdoor.trust.enrolment import Enrolment
from meshdoor.trust.permissions import Role

ENROLLED = (Role.DOOR, Role.SCREEN, Role.LOCK)  # phones are let in by other means
LONGEST_ENROLMENT = 31 * 86400  # seconds


class Verbs:
    """The verbs of the mesh."""

    def __init__(self, house: House, started: float, wanted_port: int) -> None:
        self._house = house
        self._started = started
        self._wanted_port = wanted_port

    def table(self) -> dict[str, Verb]:
        """By name, for the control server."""
        verbs: dict[str, Callable[[Args], Awaitable[Json]]] = {
            "status": self.status,
            "newcomers": self.newcomers,
            "outsiders": self.outsiders,
            "pair": self.pair,
            "found": self.found,
            "members": self.members,
            "revoke": self.revoke,
            "rename": self.rename,
            "enrol": self.enrol,
            "doctor": self.doctor,
        }
        return {name: checked(verb) for name, verb in verbs.items()}

    def view(self) -> View:
        """What the status is made of; times are Unix seconds."""
        house, loop_time = self._house, asyncio.get_running_loop().time()
        offset = time.time() - loop_time
        itself = Itself(
            key=house.membership.identity.key,
            name=house.name,
            role=house.role,
            addresses=house.addresses,
            port=house.links.port,
            started=self._started,
            settled=house.settled,
            pairing=house.desk.status(time.monotonic()),
            busy=house.busy.name.lower(),
            media=house.media,
            devices=house.conditions.devices | dict(house.wired()),
        )
        peers, members = house.everyone(), house.membership.roster.members
        return View(
            itself=itself,
            roster=house.membership.roster,
            peers=[dataclasses.replace(p, since=None if p.since is None else p.since + offset) for p in peers],
            newcomers=[dataclasses.replace(n, since=n.since + offset) for n in house.newcomers()],
            alarms=[dataclasses.replace(a, since=a.since + offset) for a in house.peers.alarms(loop_time)],
            troubles=house.alarming.on(),
            contacts={key: house.alarming.contact_of(key, house.name_of(key)) for key in members},
            conditions={key: house.conditions.of(key) for key in members},
            now=time.time(),
            by_code=house.by_code(),
        )

    async def status(self, args: Args) -> Json:
        return describe(self.view())

    async def newcomers(self, args: Args) -> Json:
        self._house.membership.check_may_admit("let others in")
        return describe(self.view())["newcomers"]

    async def outsiders(self, args: Args) -> Json:
        """SIP devices of others that announce themselves."""
        self._house.membership.check_may_admit("let others in")
        now = asyncio.get_running_loop().time()
        return [
            {
                "uri": found.uri,
                "name": found.name,
                "transport": found.transport,
                "age_s": round(max(0.0, now - found.since), 1),
            }
            for found in self._house.outsiders()
        ]

    async def doctor(self, args: Args) -> Json:
        members = self._house.membership.roster.members
        clocks = {members[key].name: skew for key, skew in self._house.clocks.items() if key in members}
        names = tuple(interface.name for interface in self._house.interfaces)
        return doctor.examine(doctor.Facts(self.view(), self._wanted_port, clocks, names))

    async def found(self, args: Args) -> Json:
        """Found a home, unless there is one in reach that this node could join."""
        home = check_name(args.text("home"))
        if not home:
            raise UserError("the name of the home is empty", 'for example: meshdoor found "My home"')
        near = self._house.peers.homes()
        if near and not args.flag("anyway"):
            raise Refused(
                "there is a home within reach that this node could join",
                "pair it from a screen there (meshdoor pair), or found another all the same: --anyway",
            )
        house = self._house
        house.membership.found(home, house.desk.name, house.desk.role, time.time())
        return {"name": home, "node": house.name}

    async def pair(self, args: Args) -> Json:
        """Let a newcomer in."""
        house = self._house
        house.membership.check_may_admit("let others in")
        newcomer = self._newcomer(args.text("id"))
        name = args.optional("name")
        try:
            admitted = await house.desk.admit(newcomer, args.text("code"), name and check_name(name))
        except WrongCode as error:
            raise Refused(
                "the code is wrong", "look again at the newcomer: `meshdoor pair --show` prints it"
            ) from error
        except PairingError as error:
            raise Refused(f"pairing with {newcomer.name} failed: {error}", "try again") from error
        member = house.membership.roster.members[admitted.key]
        return {
            "name": member.name,
            "role": str(member.role),
            "id": member.device_id,
            "home": house.membership.roster.home_name,
        }

    async def members(self, args: Args) -> Json:
        roster = self._house.membership.roster
        everyone = [(member, False) for member in roster.members.values()]
        everyone += [(member, True) for member in roster.revoked.values()]
        names = {member.key: member.name for member, _ in everyone}
        by_code = self._house.by_code()
        return [
            {
                "name": member.name,
                "role": str(member.role),
                "id": member.device_id,
                "permissions": sorted(str(permission) for permission in member.permissions),
                "at": member.at,
                "by": names.get(member.admitted_by),
                "until": member.until,
                "revoked": revoked,
                "by_code": member.key in by_code,
            }
            for member, revoked in sorted(everyone, key=lambda entry: (entry[1], entry[0].seniority))
        ]

    async def revoke(self, args: Args) -> Json:
        member = self._house.membership.revoke(args.text("member"), time.time())
        return {"name": member.name, "id": member.device_id, "told": len(self._house.links.links())}

    async def rename(self, args: Args) -> Json:
        name = check_name(args.text("name"))
        if not name:
            raise UserError("the new name is empty")
        member = self._house.membership.rename(args.text("member"), name, time.time())
        return {"was": member.name, "name": name, "id": member.device_id}

    async def enrol(self, args: Args) -> Json:
        """Write an enrolment."""
        house = self._house
        house.membership.check_may_admit("let others in")
        now = time.time()
        roster, addresses = house.membership.roster, house.hints()
        assert roster.home is not None
        if not addresses:
            raise Refused("this node has no address for the file", "connect it to the network first")
        enrolment = Enrolment(
            home=roster.home,
            home_name=roster.home_name,
            issuer=house.membership.identity.key,
            role=_role(args.text("role")),
            name=check_name(args.text("name")),
            token=house.desk.enrolments.new_token(),
            addresses=addresses,
            expires=int(now) + max(0, min(args.number("lifetime"), LONGEST_ENROLMENT)),
        )
        if not enrolment.name:
            raise UserError("the name is empty")
        house.desk.hand_out(enrolment, now)
        return {"file": str(enrolment), "expires": enrolment.expires}

    def _newcomer(self, text: str) -> Newcomer:
        for newcomer in self._house.newcomers():
            if newcomer.id == text:
                return newcomer
        raise NotFound(f"no newcomer {text} is in reach any more", "see: meshdoor pair --list")


def _role(text: str) -> Role:
    if text not in ENROLLED:
        raise UserError(f"role: {text!r} is none of {', '.join(ENROLLED)}")
    return Role(text)
