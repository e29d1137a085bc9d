"""What the control socket can ask of the phone desk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from meshdoor.control import Json
from meshdoor.control.server import Progress, Verb
from meshdoor.errors import UserError
from meshdoor.node import qr
from meshdoor.node.arguments import Args, checked
from meshdoor.node.homeview import Rows
from meshdoor.node.phones import Invited, OpenWeb, PhoneDesk


class PhoneVerbs:
    """`members` gives the rows of the status, which know where a phone is."""

    def __init__(self, desk: PhoneDesk, members: Rows, open_web: OpenWeb) -> None:
        self._desk = desk
        self._members = members
        self._open_web = open_web

    def table(self) -> dict[str, Verb]:
        """By name, for the control server."""
        return {"phone add": self.add, "phone list": checked(self.phones), "phone ca": checked(self.authority)}

    async def add(self, args: Mapping[str, Json], progress: Progress) -> Json:
        """Invite a phone: tells what to scan, and answers when the phone is in."""
        given = Args(args)
        invited = await self._desk.invite(
            given.text("name"), _texts(args.get("permissions")), given.optional_number("until")
        )
        try:
            progress(await asyncio.to_thread(describe, invited))
            member = await self._desk.arrival(invited)
        finally:
            self._desk.withdraw(invited.invitation)
        return {"joined": member.name, "id": member.device_id}

    async def phones(self, args: Args) -> Json:
        """The phones of the home, and those that were invited."""
        rows = {row["id"]: row for row in self._members()}
        phones = [
            {
                "name": member.name,
                "id": member.device_id,
                "permissions": sorted(member.permissions),
                "until": member.until,
                "at": member.at,
                "state": rows.get(member.device_id, {}).get("state", "unreachable"),
                "where": rows.get(member.device_id, {}).get("where"),
            }
            for member in self._desk.phones()
        ]
        invited = [{"name": each.name, "expires": each.expires} for each in self._desk.waiting()]
        return {"phones": phones, "invited": invited}

    async def authority(self, args: Args) -> Json:
        """The authority that a phone may be told to trust."""
        return await (await self._open_web()).authority()


def describe(invited: Invited) -> dict[str, Json]:
    """What a person who invites a phone is shown."""
    invitation = invited.invitation
    return {
        "name": invitation.name,
        "permissions": sorted(invitation.permissions),
        "until": invitation.until,
        "url": invited.url,
        "svg": qr.svg(invited.url),
        "fingerprint": invited.fingerprint.hex(),
        "expires": invitation.expires,
    }


def _texts(value: Json) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise UserError("permissions: a list of names is needed")
    return value
