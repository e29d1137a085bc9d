"""What the page of an attached phone may ask, by verb (wire form in `meshdoor.web`):

    home                              HOME and me: {id, name, permissions, until, quiet, push}
    history    before?, limit?        {visits: [VISIT]}                                       (see `homeview`)
    picture    id                     {jpeg: base64}
    seen       ids                    {}
    open.ask   door, note             {note, lock}: what the lock answers, and its key; the note is signed by the page
    open.grant note                   {note, lock}
    phones                            {phones: [{id, name, permissions, until, state, at}], invited: [{name, expires}]}
    phone.add  name, permissions?, until?   {url, svg, expires}; the event "joined" comes when the phone is in
    revoke     id                     {}
    quiet      from, to, tz_offset?   {}; both null: never quiet
    push       subscription?          {key}; null: no more; without it only the key is told
    shown      call, press            {}: the first picture of a visitor is on this screen
    hand_over  call, to               {door, to}, when the room `to` talks with the visitor; refused when it will not
"""

from __future__ import annotations

import asyncio
import base64
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from meshdoor.control import Json
from meshdoor.errors import GrantError, NotFound, Refused, UserError
from meshdoor.node import qr
from meshdoor.node.arguments import Args
from meshdoor.node.homeview import HomeView
from meshdoor.node.opening import Openings
from meshdoor.node.phones import PhoneDesk
from meshdoor.node.push import Push, check_endpoint
from meshdoor.node.web import Json as WebJson
from meshdoor.node.wishes import Quiet, Subscription, Wishes
from meshdoor.trust import grants
from meshdoor.trust.permissions import Permission
from meshdoor.trust.roster import Member

USUAL: Final = 30  # visits
MAX_IDS: Final = 256
MAX_ASKS: Final = 64  # openings of which the lock has answered the first note only

Ask = Callable[[Member, Args], Awaitable[Json]]
OnQuiet = Callable[[bytes], None]
OnShown = Callable[[bytes, str], None]
HandOver = Callable[[Member, str, str], Awaitable[Json]]


class PhoneAsks:
    """`quiet`, `shown` and `hand_over` are told of what concerns calls."""

    quiet: OnQuiet
    shown: OnShown
    hand_over: HandOver

    def __init__(
        self, view: HomeView, desk: PhoneDesk, openings: Openings, wishes: Wishes, push: Push
    ) -> None:
        self._view = view
        self._desk = desk
        self._openings = openings
        self._wishes = wishes
        self._push = push
        self._asked: OrderedDict[tuple[bytes, str], bytes] = OrderedDict()  # phone and ask: the lock
        self._verbs: Mapping[str, Ask] = {
            "home": self._home,
            "history": self._history,
            "picture": self._picture,
            "seen": self._seen,
            "open.ask": self._open_ask,
            "open.grant": self._open_grant,
            "phones": self._phones,
            "phone.add": self._phone_add,
            "revoke": self._revoke,
            "quiet": self._set_quiet,
            "push": self._set_push,
            "shown": self._shown,
            "hand_over": self._hand_over,
        }

    async def answer(self, phone: Member, what: str, args: Mapping[str, WebJson]) -> Json:
        """Raises UserError."""
        verb = self._verbs.get(what)
        if verb is None:
            raise NotFound(f"no such verb: {what[:32]!r}")
        return await verb(phone, Args(args))

    def me(self, phone: Member) -> Json:
        """What the page shows of its own phone."""
        quiet = self._wishes.quiet(phone.key)
        return {
            "id": phone.device_id,
            "name": phone.name,
            "permissions": sorted(phone.permissions),
            "until": phone.until,
            "quiet": None if quiet is None else quiet.to_json(),
            "push": phone.key in self._wishes.subscriptions(),
        }

    async def _home(self, phone: Member, args: Args) -> Json:
        return await self._view.home() | {"me": self.me(phone)}

    async def _history(self, phone: Member, args: Args) -> Json:
        _needs(phone, Permission.VIEW)
        limit, before = args.optional_number("limit") or USUAL, args.optional("before") or ""
        return {"visits": await self._view.visits(limit, before)}

    async def _picture(self, phone: Member, args: Args) -> Json:
        _needs(phone, Permission.VIEW)
        data = await self._view.history().picture(args.text("id"))
        if not data:
            raise NotFound("there is no picture of that visitor")
        return {"jpeg": base64.b64encode(data).decode()}

    async def _seen(self, phone: Member, args: Args) -> Json:
        _needs(phone, Permission.VIEW)
        await self._view.history().mark(args.texts("ids")[:MAX_IDS])
        return {}

    async def _open_ask(self, phone: Member, args: Args) -> Json:
        note = _signed_by(phone, args.table("note"), grants.Ask)
        lock = self._openings.find(args.text("door"))
        self._asked[phone.key, note["ask"]] = lock.key
        while len(self._asked) > MAX_ASKS:
            self._asked.popitem(last=False)
        return await self._carry(lock.key, note)

    async def _open_grant(self, phone: Member, args: Args) -> Json:
        note = _signed_by(phone, args.table("note"), grants.GrantNote)
        lock = self._asked.pop((phone.key, note["ask"]), None)
        if lock is None:
            raise Refused("no lock was asked for that")
        return await self._carry(lock, note)

    async def _carry(self, lock: bytes, note: grants.Note) -> Json:
        return {"note": await self._openings.carry(lock, note), "lock": lock.hex()}

    async def _phones(self, phone: Member, args: Args) -> Json:
        _needs(phone, Permission.ADMIT)
        rows = {row["id"]: row for row in self._view.members()}
        return {
            "phones": [
                {
                    "id": each.device_id,
                    "name": each.name,
                    "permissions": sorted(each.permissions),
                    "until": each.until,
                    "state": rows.get(each.device_id, {}).get("state", "unreachable"),
                    "at": rows.get(each.device_id, {}).get("at"),
                }
                for each in self._desk.phones()
            ],
            "invited": [{"name": each.name, "expires": each.expires} for each in self._desk.waiting()],
        }

    async def _phone_add(self, phone: Member, args: Args) -> Json:
        permissions = args.texts("permissions") if args.has("permissions") else None
        invited = await self._desk.invite(
            args.text("name").strip(), permissions, args.optional_number("until"), by=phone.key
        )
        svg = await asyncio.to_thread(qr.svg, invited.url)
        return {"url": invited.url, "svg": svg, "expires": invited.invitation.expires}

    async def _revoke(self, phone: Member, args: Args) -> Json:
        self._desk.revoke(args.text("id"), by=phone.key)
        return {}

    async def _set_quiet(self, phone: Member, args: Args) -> Json:
        quiet = None
        if args.has("from") or args.has("to"):
            quiet = Quiet.parse(args.text("from"), args.text("to"), args.optional_number("tz_offset"))
        await asyncio.to_thread(self._wishes.set_quiet, phone.key, quiet)
        self.quiet(phone.key)
        return {}

    async def _set_push(self, phone: Member, args: Args) -> Json:
        key = await asyncio.to_thread(self._push.public_key)
        if args.named("subscription"):
            chosen = None
            if args.has("subscription"):
                chosen = check_endpoint(Subscription.parse(args.table("subscription")))
            await asyncio.to_thread(self._wishes.set_push, phone.key, chosen)
        return {"key": key}

    async def _shown(self, phone: Member, args: Args) -> Json:
        self.shown(phone.key, args.text("call")[:MAX_IDS])
        return {}

    async def _hand_over(self, phone: Member, args: Args) -> Json:
        _needs(phone, Permission.TALK)
        return await self.hand_over(phone, args.text("call")[:MAX_IDS], args.text("to"))


def _needs(phone: Member, permission: Permission) -> None:
    if permission not in phone.permissions:
        raise Refused(f"this phone may not {permission}")


def _signed_by(phone: Member, note: grants.Note, kind: type[grants.Ask] | type[grants.GrantNote]) -> grants.Note:
    """The note, if it is of the phone itself: a node carries nothing for others. Raises UserError."""
    try:
        step = grants.parse(note)
    except GrantError as error:
        raise UserError(f"note: {error}") from None
    opener = step.grant.opener if isinstance(step, grants.GrantNote) else getattr(step, "opener", b"")
    if not isinstance(step, kind) or opener != phone.key:
        raise Refused("note: it is not this phone's")
    return {"about": grants.ABOUT} | note
