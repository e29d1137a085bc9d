"""The door stations that this node rings the house for: panels that somebody owned already, adopted as doors.

This node makes a key for each and keeps only the public half: it is the member's name. Where it is stays here, in
`stations.json`, and what it takes to know it and to open (`station_kept`).

A station is known by digest where it has a secret; else by its certificate, wherever it is, if it was adopted over TLS;
else by the address that it calls from.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final

from meshdoor.calls.clients import Client
from meshdoor.calls.commands import HandedOver
from meshdoor.control import Json
from meshdoor.control.server import Verb
from meshdoor.errors import ConfigError, NotFound, Refused, SipError, UserError
from meshdoor.media import reports
from meshdoor.mesh.frames import State as Busy
from meshdoor.node import journal
from meshdoor.node.adopted import described
from meshdoor.node.arguments import Args, checked
from meshdoor.node.attachments import MAX_CLIENTS, Attachments
from meshdoor.node.house import House
from meshdoor.node.press import Press
from meshdoor.node.pressing import Pressing
from meshdoor.node.station import Station, Yard
from meshdoor.node.station_kept import MAX_CODE, Kept, Known, hashed, read
from meshdoor.ratelimit import KeyedRateLimit
from meshdoor.sip import events as sip
from meshdoor.sip.dtmf import DIGITS, DtmfInfo
from meshdoor.sip.flow import Flow
from meshdoor.sip.message import Request, Response
from meshdoor.sip.registrar import ALGORITHMS, Registered, Registrar
from meshdoor.sip.uri import SipUri
from meshdoor.transport.tls import fingerprint_of
from meshdoor.trust.identity import Identity
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Member, Roster

OUTSIDE: Final = frozenset({"UDP", "TCP", "TLS"})
LOOK_AGAIN: Final = 60.0  # seconds between two looks where a name leads
PRESSES: Final = (0.2, 5.0)  # a second and at once, of one station
TRIES: Final = (0.5, 20.0)  # registrations a second and at once, of one address
FORBIDDEN: Final = 403
BUSY: Final = 486
ASK: Final = "WWW-Authenticate"
SECRET: Final = 12  # bytes
RELEASE_PATIENCE: Final = 5.0  # seconds until its code is typed: who opens waits for 6

Save = Callable[[dict[str, Json]], object]


class Stations:
    """Give it every event first; it takes what is about stations."""

    def __init__(self, yard: Yard, house: House, attachments: Attachments, timeout: float) -> None:
        self.begun: list[Callable[[bytes, Press], None]] = []  # told of each press, with the key of the station
        self.over: list[Callable[[bytes, Press], None]] = []
        self.answered: list[Callable[[bytes, Press, bytes], None]] = []  # and with who answered
        self.handed: list[Callable[[Press, HandedOver], None]] = []  # told what became of a hand-over
        self.opens: Callable[[str], None] = lambda name: None  # told which station this node opens, by its name
        self._yard = yard
        self._house = house
        self._attachments = attachments
        self._timeout = timeout
        self._save: Save = lambda table: None
        self._known: dict[bytes, Known] = {}
        self._stations: dict[bytes, Station] = {}
        self._addresses: dict[bytes, str] = {}
        self._registrar = Registrar(self._ha1)
        self._presses = KeyedRateLimit(*PRESSES)
        self._tries = KeyedRateLimit(*TRIES)
        house.membership.listen(self._roster_changed)

    def load(self, stored: Mapping[str, Json], save: Save) -> None:
        """`stored` is what `save` was given last; what cannot be read of it is not there."""
        self._save = save
        self._known = dict(read(stored))

    def uris(self) -> list[SipUri]:
        """Where the stations are that were adopted here."""
        members = self._house.membership.roster.members
        return [known.kept.where.uri for key, known in self._known.items() if key in members]

    def table(self) -> dict[str, Verb]:
        """By name, for the control server."""

        async def adopt(args: Args) -> Json:
            return await self._adopt(args)

        async def open_(args: Args) -> Json:
            return await self._open(args.text("door"))

        return {"station adopt": checked(adopt), "station open": checked(open_)}

    async def run(self) -> None:
        """Look again and again where the names of stations lead; until cancelled."""
        self._roster_changed(self._house.membership.roster)
        while True:
            for key in tuple(self._stations):
                await self._locate(key)
            await asyncio.sleep(LOOK_AGAIN)

    def find(self, key: bytes) -> Station | None:
        """The station of that key, if this node rings for it."""
        return self._stations.get(key)

    def pressings(self) -> list[tuple[bytes, Pressing]]:
        """The presses of each, by its key."""
        return [(key, station.pressing) for key, station in self._stations.items()]

    async def release(self) -> None:
        """Open the station that this node opens. Raises Refused."""
        station = self._with_code()
        if station is None:
            raise Refused("there is no station with a code here")
        try:
            async with asyncio.timeout(RELEASE_PATIENCE):
                await station.open()
        except TimeoutError:
            raise Refused(f"{station.name} did not take its code in time") from None

    def certificates(self) -> frozenset[bytes]:
        """By which stations are known that call over TLS."""
        return frozenset(filter(None, map(self._pin, self._stations)))

    def caller(self, flow: Flow) -> Member | None:
        """The station that a request comes from, as far as its connection or its address tells."""
        if flow.transport not in OUTSIDE:
            return None
        host, shown = flow.host, self._yard.outside.certificate(flow)
        pinned = (key for key in self._stations if shown and self._pin(key) == shown)
        there = (key for key, address in self._addresses.items() if address == host and not self._pin(key))
        return self._house.membership.roster.member(next(pinned, next(there, b"")))

    def trusts(self, flow: Flow) -> bool:
        """Did a person say that this address is a station's?"""
        return self.caller(flow) is not None

    def invited(self, event: sip.IncomingInvite, caller: Member, callee: Member | None) -> bool:
        """A call of a station, or for one; False for any other."""
        called = self._stations.get(callee.key) if callee is not None else None
        if called is not None and callee is not None and caller.key != callee.key:
            called.monitored(event, caller, callee)
            return True
        station = self._stations.get(caller.key)
        if station is None or event.flow.transport not in OUTSIDE:
            return False
        proven = self._proven(station, event)
        if proven is not None and self._presses.allow(proven.key, self._yard.now()):
            proven.invited(event)
        elif not event.session.over:
            event.session.reject(FORBIDDEN if proven is None else BUSY, self._yard.now())
        return True

    def handle(self, event: sip.SessionEvent) -> bool:
        """False for what is about no session of a station."""
        return any(station.handle(event) for station in self._stations.values())

    def registers(self, request: Request, flow: Flow) -> bool:
        """May a stranger be a station that says where it is? If there is one, all who register are asked alike."""
        return flow.transport in OUTSIDE and request.method == "REGISTER" and bool(self._with_secrets())

    def received(self, event: sip.RequestReceived) -> bool:
        """Digits for a station, in the dialog of who talks with it, and registrations; False for any other request."""
        if event.request.method == "REGISTER":
            return self._register(event)
        station = next((each for each in self._stations.values() if each.leg_of(event.session) is not None), None)
        if station is None or event.request.method != "INFO" or not event.request.body:
            return False
        try:
            info = DtmfInfo.parse(event.request.content_type or "", event.request.body)
        except SipError as error:
            self._yard.endpoint.respond(event, error.status)
            return True
        self._yard.endpoint.respond(event, 200)
        station.heard(station.leg_of(event.session) or "", info.digit)
        return True

    def media_event(self, event: reports.Event) -> None:
        """What the engine tells."""
        for station in self._stations.values():
            match event:
                case reports.FirstPacketSent(leg=leg, media="video"):
                    station.pressing.first_packet(leg)
                case reports.RtpSilence(leg=leg, media=kind):
                    station.silent(leg, kind)
                case reports.LegFailed(leg=leg):
                    station.failed(leg)
                case reports.DtmfReceived(leg=leg, digit=digit):
                    station.heard(leg, digit)
                case reports.EngineLost(legs=legs):
                    station.legs_lost(legs)
                case reports.EngineReady():
                    station.engine_back()
                case _:
                    pass

    def peer_up(self, key: bytes) -> None:
        for station in self._stations.values():
            station.pressing.peer_up(key)

    def peer_down(self, key: bytes) -> None:
        for station in self._stations.values():
            station.pressing.peer_down(key)
            station.talking.peer_down(key)

    def dismissed(self, key: bytes) -> None:
        """A member that may not be here any more."""
        for station in self._stations.values():
            station.pressing.dismissed(key)
            station.talking.dismissed(key)

    def picture_shown(self, key: bytes, call: str) -> None:
        for station in self._stations.values():
            station.pressing.picture_shown(key, call)

    def involves(self, key: bytes) -> bool:
        """Is a station's call on with this member?"""
        return any(station.involves(key) for station in self._stations.values())

    async def _adopt(self, args: Args) -> Json:
        """Make a door of a station: {joined, id, uri, media, fingerprint, warning, user, secret}. Raises UserError."""
        roster, membership = self._house.membership.roster, self._house.membership
        name, code = args.text("name"), args.optional("code") or ""
        if self._house.role is not Role.SCREEN:
            raise Refused("a station is adopted by a screen", "what hangs outside must not let others in")
        if not set(code) <= set(DIGITS) or len(code) > MAX_CODE:
            raise UserError(f"code: at most {MAX_CODE} of {DIGITS} are needed")
        if any(member.name.casefold() == name.casefold() for member in roster.members.values()):
            raise Refused(f"there is a {name} already", "choose another name")
        if len(self._stations) >= MAX_CLIENTS:
            raise Refused(f"{MAX_CLIENTS} stations were adopted here already", "adopt it on another screen")
        where = await described(args)
        if any(known.kept.where.uri.host == where.uri.host for known in self._known.values()):
            raise Refused(f"there is a station at {where.uri.host} already")
        key = Identity.generate().key
        secret = secrets.token_urlsafe(SECRET) if args.flag("digest") else ""
        if secret and self._ha1(where.uri.user or "", ALGORITHMS[0]) is not None:
            raise Refused(f"there is a station with a secret that is called {where.uri.user}", "give it another user")
        known = Known(Kept(where, code, args.flag("by_info")), hashed(where, secret))
        member = membership.admit_station(key, name, time.time())
        self._known = {each: found for each, found in self._known.items() if each in self._stations} | {key: known}
        await asyncio.to_thread(self._save, {each.hex(): found.stored() for each, found in self._known.items()})
        self._roster_changed(membership.roster)
        await self._locate(key)
        return {
            "joined": member.name,
            "id": member.device_id,
            "uri": str(where.uri),
            "media": str(where.keying),
            "product": "",
            "fingerprint": fingerprint_of(where.certificate) if where.certificate else None,
            "warning": Client(where.keying, "::", "", where.transport).warning,
            "user": where.uri.user if secret else None,
            "secret": secret or None,
        }

    async def _open(self, text: str) -> Json:
        """Type the code of a station. Raises Refused, NotFound."""
        member = self._house.membership.roster.find(text)
        station = self._stations.get(member.key)
        if station is None:
            raise Refused(f"{member.name} is no station of this node", "see: meshdoor status")
        await station.open()
        return {"opened": member.name}

    def _pin(self, key: bytes) -> bytes:
        """The certificate that a station has to show, which proves nothing by a secret."""
        known = self._known[key]
        return b"" if known.hashed else known.kept.where.certificate

    def _register(self, event: sip.RequestReceived) -> bool:
        """A station says where it is. One without a secret is where it was said to be."""
        caller, key = self.caller(event.flow), self._named(event.request)
        if key is None and caller is None:
            return False
        if key is None:
            contacts = [("Contact", str(each)) for each in event.request.contacts]
            self._yard.endpoint.respond(event, 200, contacts)
            return True
        if not self._tries.allow(event.flow.remote[0], self._yard.now()):
            self._yard.endpoint.respond(event, FORBIDDEN)
            return True
        answered = self._registrar.register(event.request, self._yard.now())
        response = answered.response if isinstance(answered, Registered) else answered
        if isinstance(answered, Registered) and isinstance(answered.contact, SipUri):
            self._addresses[key] = event.flow.host
            self._stations[key].found(answered.contact, event.flow)
        with self._yard.endpoint.acting() as now:
            event.transaction.respond(response, now)
        return True

    def _named(self, request: Request) -> bytes | None:
        """The station with a secret that a request says it is of."""
        uri = request.to.uri
        user = uri.user if isinstance(uri, SipUri) else None
        return next((each.key for each in self._with_secrets() if each.kept.where.uri.user == user), None)

    def _proven(self, station: Station, event: sip.IncomingInvite) -> Station | None:
        """Which station it is, of those at one address, once it has proven what it must; else it is asked to."""
        if not self._known[station.key].hashed:
            return station
        now = self._yard.now()
        who = self._registrar.authenticate(event.request, now)
        if isinstance(who, Response):
            event.session.reject(who.status, now, [(ASK, value) for value in who.headers.get_all(ASK)])
            return None
        return next((each for each in self._with_secrets() if each.kept.where.uri.user == who), None)

    def _with_secrets(self) -> list[Station]:
        return [station for key, station in self._stations.items() if self._known[key].hashed]

    def _ha1(self, user: str, algorithm: str) -> str | None:
        found = next((each for each in self._with_secrets() if each.kept.where.uri.user == user), None)
        return None if found is None else self._known[found.key].hashed[algorithm]

    async def _locate(self, key: bytes) -> None:
        """The address that it calls from."""
        where = self._known[key].kept.where
        try:
            target = await self._yard.outside.target(where.uri, where.certificate)
        except (NotFound, ConfigError) as error:
            journal.warn("station", f"{self._yard.name_of(key)}: {error}")
            return
        if key in self._stations and not self._stations[key].registered:
            self._addresses[key] = target.flow.host

    def _roster_changed(self, roster: Roster) -> None:
        for key in self._known.keys() & roster.members.keys() - self._stations.keys():
            self._stations[key] = self._made(key)
            self._attachments.host(key)
        for key in self._stations.keys() - roster.members.keys():
            self._addresses.pop(key, None)
            self._stations.pop(key).close()
        if (first := self._with_code()) is not None:
            self.opens(first.name)

    def _with_code(self) -> Station | None:
        """The one that this node opens: a node is one lock."""
        return next((station for station in self._stations.values() if station.kept.code), None)

    def _made(self, key: bytes) -> Station:
        station = Station(self._yard, key, self._known[key].kept, self._timeout)

        def begun(press: Press) -> None:
            self._attachments.occupy(key, Busy.RINGING)
            for listener in self.begun:
                listener(key, press)

        def answered(press: Press, by: bytes) -> None:
            self._attachments.occupy(key, Busy.IN_CALL)
            for listener in self.answered:
                listener(key, press, by)

        def over(press: Press) -> None:
            self._attachments.occupy(key, Busy.FREE)
            for listener in self.over:
                listener(key, press)

        def handed(press: Press, command: HandedOver) -> None:
            for listener in self.handed:
                listener(press, command)

        station.pressing.handed.append(handed)
        station.pressing.begun.append(begun)
        station.pressing.answered.append(answered)
        station.pressing.over.append(over)
        return station
