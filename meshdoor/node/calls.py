"""The call service of a node: SIP over the links, the media engine, the button and the screen, joined."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol

from meshdoor.calls import plan
from meshdoor.calls.clients import Client
from meshdoor.calls.fork import State as ForkState
from meshdoor.calls.hosts import host_of, member_at, member_called
from meshdoor.calls.names import Meant
from meshdoor.calls.policy import caller_of, policy_for
from meshdoor.config import Config, IceServer
from meshdoor.control import Json
from meshdoor.errors import Refused, RemoteProtocolError
from meshdoor.media import messages as media
from meshdoor.media.engine_client import Engine
from meshdoor.media.suites import suites
from meshdoor.mesh.frames import State as Busy
from meshdoor.mesh.peer import State as Presence
from meshdoor.mesh.peers import Peer
from meshdoor.node import journal
from meshdoor.node.answering import Answering
from meshdoor.node.attachments import Attachments
from meshdoor.node.bridge import Bridges
from meshdoor.node.calling import Findable
from meshdoor.node.digits import Digits
from meshdoor.node.house import House
from meshdoor.node.listening import keep_certificate, listen_outside
from meshdoor.node.notes import Note
from meshdoor.node.outsiders import Outsiders, names_of
from meshdoor.node.pressing import Press, Pressing
from meshdoor.node.provisioning import Gate
from meshdoor.node.registrations import OUTSIDE, Registrations
from meshdoor.node.relay import Relay
from meshdoor.node.sip_identity import SipIdentity
from meshdoor.node.sleepers import Sleepers
from meshdoor.node.stations import Stations
from meshdoor.node.talking import Settings, Talking
from meshdoor.sip import events as sip
from meshdoor.sip.core import Config as SipConfig
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.media_control import MEDIA_CONTROL, asks_for_key_frame
from meshdoor.sip.message import Request
from meshdoor.sip.uri import SipUri, unescape
from meshdoor.sip.validate import DEFAULT, Fault
from meshdoor.transport.endpoint import SipEndpoint
from meshdoor.transport.links import LinkTransport
from meshdoor.transport.outside import Outside
from meshdoor.transport.websocket import WebSocketTransport
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.roster import Member, Roster

LOGGER = logging.getLogger("meshdoor")
MAX_LISTENERS = 16
ABLE = replace(
    DEFAULT, methods=(*DEFAULT.methods, "REGISTER"), content_types=(*DEFAULT.content_types, MEDIA_CONTROL)
)

Listener = Callable[[dict[str, Any]], None]


class Part(Protocol):
    """What carries out some of the calls."""

    def handle(self, event: sip.SessionEvent) -> bool:
        """False when it is about no session of its own."""

    def involves(self, key: bytes) -> bool:
        """Is something on with this member?"""


class CallService:
    """Implements `Desk` and `Rooms`. Open it with `running`."""

    endpoint: SipEndpoint
    engine: Engine
    outside: Outside

    def __init__(self, config: Config, house: House, identity: SipIdentity | None = None) -> None:
        self._house = house
        self._sip_identity = identity
        self._config = config
        self._listeners: list[Listener] = []
        self._tasks: asyncio.TaskGroup | None = None
        self._link = LinkTransport(house.membership.identity.key, self._send_sip)
        self._sockets = WebSocketTransport(house.membership.identity.key)
        self.attachments = Attachments(house, self._sockets)
        self._linked: set[bytes] = set()
        self._ringable: set[bytes] = set()
        self._only: frozenset[bytes] | None = None  # whom the last press was for; None: everybody
        self._engine_wanted = asyncio.Event()
        self._browsers = False  # the engine was told of them
        self.pressing = Pressing(self, config.ring.timeout)
        self.answering = Answering(self)
        self._policy = plan.Policy(frozenset(config.calls.auto_answer))
        room = Settings(self._policy, self._camera() != "none", config.ring.timeout)
        self.talking = Talking(self, room, self.answering.in_call)
        self.bridges = Bridges(self, self.attachments)
        self.registrations = Registrations(self, house, self.attachments)
        self.stations = Stations(self, house, self.attachments, config.ring.timeout)
        self.outsiders = Outsiders(self, config.accounts)
        self.sleepers = Sleepers(config.sip.push_gateway, config.sip.push_secret_file, house)
        self.registrations.sleepers = self.sleepers
        house.outside_name = self.outsiders.name_of
        self._outside_rung: frozenset[bytes] = frozenset()  # by the last press
        self.digits = Digits(self, (self.pressing, self.answering, self.talking))
        house.on_sip = self._link.received
        house.on_peers = self._peers_changed
        house.membership.listen(self._roster_changed)
        house.notes.register("picture", self._picture_shown)
        house.notes.register("knock", self._knocked)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the block lasts, this node can ring and be rung."""
        await asyncio.to_thread(suites)  # a press shall not wait for a file
        self.engine = Engine(self._hello(), self._media_event)
        settings = SipConfig(
            user=str(self._house.role),
            capabilities=ABLE,
            policy=policy_for(self._caller, self._judge),
            authorize=self.outsiders.authorize,
        )
        self.endpoint = SipEndpoint(settings, self._sip_event, self._trusts)
        self.endpoint.lost = self._lost
        self.endpoint.add(self._link)
        self.endpoint.add(self._sockets)
        self._relay = self.endpoint.relay = Relay(self._house, self.attachments, self.endpoint.forward)
        self.outside = await listen_outside(self._config, self._house, self._sip_identity)
        for transport in self.outside.transports:
            self.endpoint.add(transport)
        async with self.endpoint, asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            beside = [tasks.create_task(self._run_engine())]
            if self.outside.tls is not None and self._sip_identity is not None and self._house.role is Role.SCREEN:
                kept = keep_certificate(self._house, self._sip_identity, self.outside.tls)
                beside.append(tasks.create_task(kept))
            self._peers_changed()
            try:
                yield
            finally:
                self._tasks = None
                for task in beside:
                    task.cancel()

    async def _run_engine(self) -> None:
        """The engine starts when there is somebody to show pictures to or to see them from, and stays."""
        await self._engine_wanted.wait()
        self._house.media = "starting"
        async with self.engine:
            self._prepare_browsers()
            await asyncio.Event().wait()

    def _hello(self) -> media.Hello:
        devices = self._config.media
        return media.Hello(
            role=str(self._house.role),
            name=self._house.name,
            camera=self._camera(),
            microphone=devices.microphone,
            speaker=devices.speaker,
            display=devices.display,
            out_dir=devices.out_dir or None,
            video=media.VideoFormat(devices.width, devices.height, devices.fps, devices.bitrate),
        )

    def _camera(self) -> str:
        """A screen has one only where the settings name it: the test card is for doors."""
        devices = self._config.media
        return devices.camera if self._house.role is Role.DOOR or devices.camera != "card" else "none"

    @property
    def roster(self) -> Roster:
        return self._house.membership.roster

    @property
    def itself(self) -> Member | None:
        return self._house.membership.itself

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def target(self, key: bytes) -> Target | None:
        if key == self._house.membership.identity.key:
            return self._link.target(key, "meshdoor")
        if (party := self.outsiders.party(key)) is not None:
            return party.way()
        if key not in self._linked or (way := self._relay.way(key)) is None:
            return None
        user = "phone" if self.is_browser(key) else "meshdoor"
        return Target(way.uri or SipUri("sip", user, None, host_of(key)), way.flow)

    def address(self, key: bytes) -> str:
        client = self.client(key)
        if client is not None:
            return client.host
        node = self._node_of(key)
        return next((link.address.host for link in self._house.links.links() if link.key == node), "")

    def is_browser(self, key: bytes) -> bool:
        member = self.roster.member(key)
        return member is not None and member.role is Role.PHONE and self.client(key) is None

    def client(self, key: bytes) -> Client | None:
        found = self.attachments.find(key)
        return self.outsiders.client(key) if found is None else found.client

    def findable(self) -> Findable:
        servers = tuple(IceServer.parse(text) for text in self._config.web.ice_servers)
        return Findable(self._house.addresses, servers)

    def hurry(self, key: bytes, interval: float | None) -> None:
        """Until nothing is on with that member any more, nor with a phone that is reached over the same link."""
        if self.outsiders.party(key) is not None:
            return
        node = self._node_of(key)
        same = [node, *(peer.key for peer in self._house.everyone() if peer.where == node)]
        if interval is not None or not any(map(self._involves, same)):
            self._house.links.hurry(node, interval)

    def note(self, key: bytes, note: dict[str, Any]) -> None:
        node = self._node_of(key)
        if node == self._house.membership.identity.key:
            asyncio.get_running_loop().call_soon(self._house.note, node, note)
        else:
            self._house.links.send_note(node, note)

    def name_of(self, key: bytes) -> str:
        member = self.roster.members.get(key) or self.roster.revoked.get(key)
        return member.name if member is not None else self.outsiders.name_of(key)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._tasks is None:
            work.close()
        else:
            self._tasks.create_task(_guarded(work))

    def publish(self, event: dict[str, Any]) -> None:
        stamped = {"at": self.now()} | event
        for listener in tuple(self._listeners):
            listener(stamped)

    def busy_changed(self) -> None:
        press = self.pressing.press
        states = [self.answering.busy, self.talking.busy]
        if press is not None:
            states.append(Busy.IN_CALL if press.fork.state is ForkState.TALKING else Busy.RINGING)
            if press.fork.state is ForkState.TALKING:
                self.talking.yield_sound()
        self._house.set_busy(max(states))

    def ring(self, meant: Meant | None = None) -> Json:
        """Somebody pressed the button of this door, for everybody or for some. Raises Refused."""
        roster, key = self._house.membership.roster, self._house.membership.identity.key
        if not roster.may(key, Permission.RING):
            raise Refused(f"a {self._house.role} does not ring", "the button is at a door")
        meant = meant or self.routed()
        self._only = None if meant.everyone else frozenset(meant.members)
        asked = plan.who_rings(self.peers(), key)
        if self._only is not None:
            asked = asked.only(self._only)
        outside = self.outsiders.keys(meant.outside)
        self._outside_rung = frozenset(outside)
        asked = replace(asked, rung=asked.rung + outside)
        press = self.pressing.ring(secrets.token_hex(8), asked.rung)
        journal.say("pressed", f"ringing {', '.join(map(self.name_of, asked.rung)) or 'nobody'}", press=press.id)
        return {
            "press": press.id,
            "rings": [self.name_of(peer) for peer in asked.rung],
            "silent": [{"name": silent.name, "why": silent.why} for silent in asked.silent],
        }

    def routed(self) -> Meant:
        """Whom a press is for: everybody, and whom the routes name beside."""
        return names_of(self._config, self._house).everyone(self.roster)

    def found(self, key: bytes) -> None:
        """There is a way to somebody outside now."""
        if key in self._outside_rung:
            self.pressing.peer_up(key)

    def answer(self, visit: int | None, call: int | None) -> Json:
        """Answer what rings here, a visitor before anybody else. Raises Refused."""
        if call is None and (visit is not None or self.answering.rings):
            answered = self.answering.answer(visit)
            self.talking.leave()
            return answered
        return self._told(self.talking.answer(call))

    def decline(self, visit: int | None, call: int | None) -> Json:
        """Decline what rings here, a visitor before anybody else. Raises Refused."""
        if call is None and (visit is not None or self.answering.rings):
            return self.answering.decline(visit)
        return self._told(self.talking.decline(call))

    def hang_up(self) -> Json:
        """End what is on here, at a door or a screen; with whom that was."""
        ended = self.talking.hang_up()
        if self.pressing.press is not None:
            ended.append("the press")
            self.pressing.hang_up()
        talked = [visit["door"] for visit in self.answering.visits() if visit["state"] == "talking"]
        if self.answering.hang_up():
            ended += talked
        return {"ended": ended}

    def on(self) -> Json:
        """What is on here now."""
        press = self.pressing.press
        return {
            "press": None if press is None else {"press": press.id, "state": str(press.fork.state).lower()},
            "visitors": self.answering.visits(),
            "calls": self.talking.rows(),
        }

    def gate(self) -> Gate:
        """Where SIP clients register. Raises Refused."""
        tls = self.outside.tls
        if tls is None or self._sip_identity is None:
            raise Refused("no SIP client can register here", "do it on a screen")
        return Gate(self._sip_identity.host, tls.port)

    def want_engine(self) -> None:
        """A person is about to need it."""
        self._engine_wanted.set()

    async def listen(self, tell: Listener) -> None:
        """Give `tell` every event until cancelled, first a word that it listens. Raises Refused."""
        if len(self._listeners) >= MAX_LISTENERS:
            raise Refused("too many listen already")
        self._listeners.append(tell)
        tell({"at": self.now(), "event": "listening"})
        try:
            await asyncio.Event().wait()
        finally:
            self._listeners.remove(tell)

    async def snapshot(self, path: str, leg: str) -> None:
        """Write what a leg shows to a file. Raises EngineError."""
        await self.engine.snapshot(path, leg)

    def leave_call(self) -> None:
        self.talking.leave()

    def visitor_talks(self) -> bool:
        press = self.pressing.press
        at_door = press is not None and press.fork.state is ForkState.TALKING
        return at_door or self.answering.busy is Busy.IN_CALL

    def _picture_shown(self, key: bytes, note: Note) -> None:
        call = note.get("call")
        if not isinstance(call, str):
            raise RemoteProtocolError("a picture of no call")
        self.pressing.picture_shown(key, call)
        self.stations.picture_shown(key, call)

    def _knocked(self, key: bytes, note: Note) -> None:
        press = note.get("press")
        self.answering.knocked(key, press if isinstance(press, str) else "")

    def _invited(self, event: sip.IncomingInvite) -> None:
        """What the caller may is what the roster says."""
        caller = self._caller(event.request, event.flow)
        itself = self._house.membership.itself
        if caller is None or itself is None:
            event.session.reject(plan.FORBIDDEN, self.now())
            return
        callee = member_at(self.roster, event.request.uri) or self._dialled(event)
        if self.stations.invited(event, caller, callee):
            return
        if callee is not None and callee.key != itself.key:
            join = self.bridges.from_client if self._is_outside(event.flow) else self.bridges.to_client
            join(event, caller, callee)
            return
        page = event.request.headers.get("Meshdoor-Call") == "page"
        busy = self.talking.engaged or self.visitor_talks()
        received = plan.receive(itself, caller, self._policy, page=page, busy=busy)
        if received.answer is plan.Answer.REFUSE:
            journal.warn("call", f"a call of {caller.name} was refused: {received.why}", member=caller.name)
            event.session.reject(received.status, self.now())
        elif received.kind is plan.Kind.VISITOR:
            self.answering.invited(event, caller)
            self.spawn(self.sleepers.rang(caller.name, self.attachments.is_here))
        else:
            self._engine_wanted.set()
            self.talking.invited(event, caller, received)

    def _dialled(self, event: sip.IncomingInvite) -> Member | None:
        """Whom a SIP client means by what it dials; None for whoever answers here."""
        uri = event.request.uri
        if not self._is_outside(event.flow) or not isinstance(uri, SipUri):
            return None
        return member_called(self.roster, unescape(uri.user or ""))

    def _is_outside(self, flow: Flow) -> bool:
        return flow.transport in OUTSIDE

    def _caller(self, request: Request, flow: Flow) -> Member | None:
        outside = self.stations.caller(flow) or self.registrations.caller(request, flow)
        outside = outside or self.outsiders.caller(request, flow)
        return outside or caller_of(request, flow, self.roster, time.time())

    def _judge(self, request: Request, flow: Flow) -> Fault | None:
        return None if self.stations.registers(request, flow) else self.registrations.judge(request, flow)

    def _trusts(self, flow: Flow) -> bool:
        return self.stations.trusts(flow) or self.registrations.trusts(flow) or self.outsiders.trusts(flow)

    def _lost(self, flow: Flow) -> None:
        self.registrations.lost(flow)
        self.outsiders.lost(flow)

    def _node_of(self, key: bytes) -> bytes:
        """Over whose link a member is reached."""
        found = self.attachments.find(key)
        return key if found is None else found.node

    def _parts(self) -> tuple[Part, ...]:
        return self.bridges, self.stations, self.pressing, self.answering, self.talking

    def _involves(self, key: bytes) -> bool:
        return any(part.involves(key) for part in self._parts())

    def dismiss(self) -> None:
        """End what is on with phones that were revoked, and with guests whose time is over."""
        now = time.time()
        guests = [member for member in self.roster.members.values() if member.expired(now)]
        for member in (*self.roster.revoked.values(), *guests):
            if member.role is Role.PHONE and self._tasks is not None and self._involves(member.key):
                self.pressing.dismissed(member.key)
                self.talking.dismissed(member.key)
                self.bridges.dismissed(member.key)
                self.stations.dismissed(member.key)
        self.attachments.look()

    def _roster_changed(self, roster: Roster) -> None:
        self.dismiss()

    def _told(self, row: Json) -> Json:
        if row is None:
            raise Refused("nothing rings here")
        return row

    def on_press_over(self, listener: Callable[[Press], None]) -> None:
        """Call `listener` when a press of this door is over."""
        self.pressing.over.append(listener)

    def peers(self) -> list[Peer]:
        return self._house.everyone() if self._house.settled else []

    def everyone(self) -> list[Peer]:
        """All members as they are now, this node included."""
        itself = self.itself
        if itself is None:
            return self.peers()
        return [*self.peers(), Peer(itself.key, itself, Presence.READY, 0.0, "", None, None, True, None, True)]

    def _send_sip(self, key: bytes, message: bytes) -> bool:
        """What this node rings for others rings here, too: it calls itself like everybody else."""
        if key == self._house.membership.identity.key:
            asyncio.get_running_loop().call_soon(self._link.received, key, message)
            return True
        return self._house.links.send_sip(key, message)

    def _peers_changed(self) -> None:
        """Links and phones came or went."""
        linked = {peer.key for peer in self.peers() if peer.state != "unreachable"}
        for key in self._linked - linked:
            self.pressing.peer_down(key)
            self.stations.peer_down(key)
            self.answering.peer_down(key)
            self._link.lost(key)
            self.talking.peer_down(key)
        self._linked = linked
        before = self._ringable
        self._ringable = set(plan.who_rings(self.peers(), self._house.membership.identity.key).rung)
        for key in self._ringable - before:
            if self._only is None or key in self._only:
                self.pressing.peer_up(key)
            self.stations.peer_up(key)
        if any(self._needs_media(peer) for peer in self.peers()):
            self._engine_wanted.set()
        self._prepare_browsers()

    def _prepare_browsers(self) -> None:
        """Where phones belong to the home, the first of them shall not wait for what it needs."""
        if not self._browsers and any(self.is_browser(key) for key in self.roster.members):
            self._browsers = True
            self.spawn(self.engine.prepare())

    def _needs_media(self, peer: Peer) -> bool:
        if self._house.role is Role.DOOR:
            return Permission.VIEW in peer.member.permissions
        return self._house.role is Role.SCREEN and peer.member.role is Role.DOOR

    def _sip_event(self, event: sip.Event) -> None:
        if isinstance(event, sip.IncomingInvite):
            self._invited(event)
        elif isinstance(event, sip.RegistrationChanged):
            self.outsiders.changed(event.registration)
        elif isinstance(event, sip.SessionEvent):
            _ = any(part.handle(event) for part in self._parts())
        elif isinstance(event, sip.RequestReceived) and not self._requested(event):
            self.endpoint.respond(event, 405, (("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO"),))

    def _requested(self, event: sip.RequestReceived) -> bool:
        if any(part.received(event) for part in (self.bridges, self.stations, self.registrations)):
            return True
        if event.session is not None and asks_for_key_frame(event.request.content_type, event.request.body):
            self.endpoint.respond(event, 200)
            self.spawn(self.engine.key_frame())
            return True
        return self.digits.received(event)

    def _media_event(self, event: media.Event) -> None:
        self.stations.media_event(event)
        match event:
            case media.FirstPacketSent(leg=leg, media="video"):
                self.pressing.first_packet(leg)
            case media.FirstPicture(leg=leg):
                self.answering.picture(event)
                self.publish({"event": "picture", "leg": leg, "frame": event.frame_number, "at": event.at})
            case media.FirstSound(leg=leg):
                self.publish({"event": "sound", "leg": leg, "at": event.at})
            case media.RtpSilence(leg=leg):
                self.pressing.silent(leg)
                self.answering.silent(leg)
            case media.LegFailed(leg=leg, reason=reason):
                journal.warn("media", f"{leg}: {reason}")
                self.pressing.silent(leg)
                self.answering.silent(leg)
                self.talking.legs_lost((leg,))
            case media.EngineReady():
                self._house.media = "ready"
                self.pressing.engine_back()
                self.answering.engine_back()
            case media.EngineLost(legs=legs, reason=reason):
                self._house.media = "starting"
                journal.warn("media", f"the media engine ended ({reason}); it is started again")
                self.pressing.legs_lost(legs)
                self.answering.legs_lost(legs)
                self.talking.legs_lost(legs)
            case media.DtmfReceived(leg=leg, digit=digit):
                self.digits.heard(leg, digit)
            case media.Device(kind=kind, state="failed", text=text):
                journal.warn(kind, text)
            case _:
                pass


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    """What goes wrong in one call goes wrong for it alone."""
    try:
        await work
    except Exception:
        LOGGER.exception("a call could not be served")
