"""Who is meant by what a script dials here, and the call that follows: a press, a look, or a conversation."""

from __future__ import annotations

import secrets
from typing import Final

from meshdoor.calls.names import Meant
from meshdoor.calls.plan import Kind
from meshdoor.config import Config
from meshdoor.control import Json
from meshdoor.errors import NotFound, Refused
from meshdoor.node import journal
from meshdoor.node.calls import CallService, Listener
from meshdoor.node.house import House
from meshdoor.node.outsiders import names_of
from meshdoor.sip.compose import body_fields
from meshdoor.sip.flow import Target
from meshdoor.trust.permissions import Role

TEXT: Final = "text/plain;charset=UTF-8"
MAX_MESSAGE: Final = 1000  # bytes of a text: a MESSAGE fits into a datagram (RFC 3428 §8)


class Dialling:
    """What `pipe_verbs` asks of a node."""

    def __init__(self, config: Config, house: House, calls: CallService) -> None:
        self._config = config
        self._house = house
        self._calls = calls

    @property
    def domain(self) -> str:
        """What the addresses of members end with."""
        return self._config.sip.domain or "meshdoor"

    def is_home(self, host: str) -> bool:
        """Is an address at this host one of the house?"""
        return names_of(self._config, self._house).is_home(host)

    async def listen(self, tell: Listener) -> None:
        """Give `tell` every event of the calls until cancelled. Raises Refused."""
        await self._calls.listen(tell)

    def dial(self, address: str) -> Json:
        """Call whom an address means: {"press": id} at a door, {"call": number} elsewhere. Raises NotFound, Refused.

        A name that nobody has rings the whole house from a door: the visitor is real, whatever a script calls the
        screen.
        """
        roster = self._house.membership.roster
        names = names_of(self._config, self._house)
        at_door = self._house.role is Role.DOOR
        try:
            meant = names.resolve(address, roster)
        except NotFound as error:
            if not at_door:
                raise
            journal.say("dial", f"{error}: everybody is rung; [routes] says whom else it may mean", address=address)
            meant = names.everyone(roster)
        if at_door:
            return self._calls.ring(names.everyone(roster) if meant.everyone else meant)
        return self._call(meant)

    def answer(self, visit: int | None, call: int | None) -> Json:
        return self._calls.answer(visit, call)

    def decline(self, visit: int | None, call: int | None) -> Json:
        return self._calls.decline(visit, call)

    def hang_up(self) -> Json:
        return self._calls.hang_up()

    async def dtmf(self, digits: str) -> Json:
        return await self._calls.digits.send(digits)

    async def message(self, address: str, text: str) -> str:
        """Send a text to each that an address means; its id. Raises NotFound, Refused."""
        body = text.encode(errors="replace")
        if len(body) > MAX_MESSAGE:
            raise Refused(f"a text has {MAX_MESSAGE} bytes at most")
        names = names_of(self._config, self._house)
        meant = names.resolve(address, self._house.membership.roster)
        targets = [target for key in meant.members if (target := self._calls.target(key)) is not None]
        targets += [await self._calls.outsiders.reach(uri) for uri in meant.outside]
        if not targets:
            raise Refused(f"{address} cannot be reached", "see: meshdoor status")
        for target in targets:
            self._calls.spawn(self._send(target, body))
        return secrets.token_urlsafe(6)

    async def _send(self, target: Target, body: bytes) -> None:
        answered = await self._calls.endpoint.ask(target, "MESSAGE", body_fields(body, TEXT), body)
        if answered.response.status >= 300:
            status = answered.response.status
            journal.warn("message", f"{target.uri} did not take a text: {status} {answered.response.reason}")

    def _call(self, meant: Meant) -> Json:
        if meant.everyone or len(meant.members) + len(meant.outside) != 1:
            raise Refused("a screen calls one at a time", "a page goes to all of them: meshdoor page")
        if meant.outside:
            self._calls.want_engine()
            return self._calls.talking.call_member(self._calls.outsiders.member(meant.outside[0]))
        member = self._house.membership.roster.members[meant.members[0]]
        self._calls.want_engine()
        talking = self._calls.talking
        kind = Kind.MONITOR if member.role is Role.DOOR else Kind.ROOM
        return talking.monitor(member.device_id) if kind is Kind.MONITOR else talking.call(member.device_id)
