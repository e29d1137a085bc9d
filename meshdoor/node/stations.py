"""The door stations that this node rings the house for: panels that somebody owned already, adopted as doors.

This node makes a key for each and keeps only the public half: it is the member's name. Where it is stays here, in
`stations.json`, and what it takes to know it and to open:

    {KEY: {"uri": "sip:panel@192.168.1.40", "media": "srtp"|"dtls"|"plain", "certificate"?: hex of DER,
           "code"?: digits, "by_info"?: true, "SHA-256"?: H(A1), "MD5"?: H(A1)}}

A station is known by the address that it calls from and, where it has a secret, by digest.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from meshdoor.calls.clients import Client
from meshdoor.control import Json
from meshdoor.control.server import Verb
from meshdoor.errors import ConfigError, NotFound, Refused, SipError, UserError
from meshdoor.media import messages as media
from meshdoor.mesh.frames import State as Busy
from meshdoor.node import journal
from meshdoor.node.adopted import Place, described
from meshdoor.node.arguments import Args, checked
from meshdoor.node.attachments import MAX_CLIENTS, Attachments
from meshdoor.node.house import House
from meshdoor.node.pressing import Press
from meshdoor.node.station import Kept, Station, Yard
from meshdoor.ratelimit import KeyedRateLimit
from meshdoor.sip import events as sip
from meshdoor.sip.credentials import Challenge
from meshdoor.sip.digest import DigestServer, make_ha1
from meshdoor.sip.dtmf import DIGITS, DtmfInfo
from meshdoor.sip.flow import Flow
from meshdoor.sip.registrar import ALGORITHMS, REALM
from meshdoor.sip.uri import SipUri
from meshdoor.transport.tls import fingerprint_of
from meshdoor.trust.identity import Identity, is_key
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Member, Roster

OUTSIDE: Final = frozenset({"UDP", "TCP", "TLS"})
MAX_CODE: Final = 16  # digits
LOOK_AGAIN: Final = 60.0  # seconds between two looks where a name leads
PRESSES: Final = (0.2, 5.0)  # a second and at once, of one station
UNAUTHORIZED: Final = 401
SECRET: Final = 12  # bytes

Save = Callable[[dict[str, Json]], object]


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a station; `hashed` are H(A1) by algorithm, where it has a secret."""

    kept: Kept
    hashed: Mapping[str, str]

    @classmethod
    def read(cls, stored: Json) -> Known:
        """Raises ValueError, SipError."""
        where = Place.read(stored)
        code = str(stored.get("code", ""))
        if not set(code) <= set(DIGITS) or len(code) > MAX_CODE:
            raise ValueError("a code that is none")
        hashed = {name: str(stored[name]) for name in ALGORITHMS if name in stored}
        return cls(Kept(where, code, stored.get("by_info") is True), hashed)

    def stored(self) -> Json:
        table: dict[str, Json] = dict(self.kept.where.stored())
        table |= {"code": self.kept.code} if self.kept.code else {}
        table |= {"by_info": True} if self.kept.by_info else {}
        return table | dict(self.hashed)


class CodeActuator:
    """A lock that opens by the code of a station: the panel itself shuts it again."""

    simulated = False

    def __init__(self, stations: Stations) -> None:
        self._stations = stations

    def release(self) -> None:
        """Raises Refused."""
        self._stations.release()

    def shut(self) -> None:
        """The panel does, by itself."""


class Stations:
    """Give it every event first; it takes what is about stations."""

    def __init__(self, yard: Yard, house: House, attachments: Attachments, timeout: float) -> None:
        self.begun: list[Callable[[bytes, Press], None]] = []  # told of each press, with the key of the station
        self.over: list[Callable[[bytes, Press], None]] = []
        self.answered: list[Callable[[bytes, Press, bytes], None]] = []  # and with who answered
        self.opens: Callable[[str], None] = lambda name: None  # told which station this node opens, by its name
        self._yard = yard
        self._house = house
        self._attachments = attachments
        self._timeout = timeout
        self._save: Save = lambda table: None
        self._known: dict[bytes, Known] = {}
        self._stations: dict[bytes, Station] = {}
        self._addresses: dict[bytes, str] = {}
        self._digest = DigestServer(REALM, self._ha1, ALGORITHMS)
        self._presses = KeyedRateLimit(*PRESSES)
        house.membership.listen(self._roster_changed)

    def load(self, stored: Mapping[str, Json], save: Save) -> None:
        """`stored` is what `save` was given last; what cannot be read of it is not there."""
        self._save = save
        self._known = dict(_read(stored))

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

    def release(self) -> None:
        """Open the station that this node opens. Raises Refused."""
        station = self._with_code()
        if station is None:
            raise Refused("there is no station with a code here")
        self._yard.spawn(_opened(station))

    def caller(self, flow: Flow) -> Member | None:
        """The station that a request comes from, as far as its address tells."""
        if flow.transport not in OUTSIDE:
            return None
        host = flow.remote[0].partition("%")[0]
        key = next((key for key, address in self._addresses.items() if address == host), b"")
        return self._house.membership.roster.member(key)

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
        if self._may_ring(station, event):
            station.invited(event)
        return True

    def handle(self, event: sip.SessionEvent) -> bool:
        """False for what is about no session of a station."""
        return any(station.handle(event) for station in self._stations.values())

    def received(self, event: sip.RequestReceived) -> bool:
        """Digits for a station, in the dialog of who talks with it; False for any other request."""
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

    def media_event(self, event: media.Event) -> None:
        """What the engine tells."""
        for station in self._stations.values():
            match event:
                case media.FirstPacketSent(leg=leg, media="video"):
                    station.pressing.first_packet(leg)
                case media.RtpSilence(leg=leg, media=kind):
                    station.silent(leg, kind)
                case media.LegFailed(leg=leg):
                    station.failed(leg)
                case media.DtmfReceived(leg=leg, digit=digit):
                    station.heard(leg, digit)
                case media.EngineLost(legs=legs):
                    station.legs_lost(legs)
                case media.EngineReady():
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
        known = Known(Kept(where, code, args.flag("by_info")), _hashed(where, secret))
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

    def _may_ring(self, station: Station, event: sip.IncomingInvite) -> bool:
        """Whether it is the station, and does not ring without end."""
        now, known = self._yard.now(), self._known[station.key]
        if known.hashed:
            who = self._digest.authenticate(event.request, now)
            if who.username != station.kept.where.uri.user:
                asked = [("WWW-Authenticate", str(challenge)) for challenge in who.challenges if _is_known(challenge)]
                event.session.reject(UNAUTHORIZED if asked else 403, now, asked)
                return False
        if not self._presses.allow(station.key, now):
            event.session.reject(486, now)
            return False
        return True

    def _ha1(self, user: str, algorithm: str) -> str | None:
        found = (known for known in self._known.values() if known.kept.where.uri.user == user)
        return next((known.hashed[algorithm] for known in found if algorithm in known.hashed), None)

    async def _locate(self, key: bytes) -> None:
        """The address that it calls from."""
        where = self._known[key].kept.where
        try:
            target = await self._yard.outside.target(where.uri, where.certificate)
        except (NotFound, ConfigError) as error:
            journal.warn("station", f"{self._yard.name_of(key)}: {error}")
            return
        if key in self._stations:
            self._addresses[key] = target.flow.remote[0].partition("%")[0]

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

        station.pressing.begun.append(begun)
        station.pressing.answered.append(answered)
        station.pressing.over.append(over)
        return station


async def _opened(station: Station) -> None:
    try:
        await station.open()
    except Refused as error:
        journal.warn("lock", str(error))


def _is_known(challenge: Challenge) -> bool:
    """Panels know MD5 alone, and give up where another algorithm is offered beside it (baresip 1.0, for one)."""
    return challenge.parameters["algorithm"] == "MD5"


def _hashed(where: Place, secret: str) -> dict[str, str]:
    """H(A1) by algorithm. Raises UserError."""
    if not secret:
        return {}
    if not where.uri.user:
        raise UserError("a station with a secret has a user name", "for example: sip:panel@192.168.1.40")
    return {name: make_ha1(name, where.uri.user, REALM, secret) for name in ALGORITHMS}


def _read(stored: Mapping[str, Json]) -> Iterable[tuple[bytes, Known]]:
    for name, found in list(stored.items())[:MAX_CLIENTS]:
        try:
            key, known = bytes.fromhex(name), Known.read(found)
        except (ValueError, SipError):
            continue
        if is_key(key):
            yield key, known
