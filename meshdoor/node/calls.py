"""The call service of a node: SIP over the links, the media engine, the button and the screen, joined."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from meshdoor.calls import plan
from meshdoor.calls.hosts import host_of
from meshdoor.calls.policy import caller_of, policy_for
from meshdoor.config import Config, IceServer
from meshdoor.control import Json
from meshdoor.errors import ConfigError, Refused, RemoteProtocolError
from meshdoor.media import messages as media
from meshdoor.media.engine_client import Engine
from meshdoor.media.suites import suites
from meshdoor.mesh.acceptor import listen
from meshdoor.mesh.frames import State as Busy
from meshdoor.mesh.peers import Peer
from meshdoor.node import journal
from meshdoor.node.answering import Answering
from meshdoor.node.attachments import Attachments
from meshdoor.node.calling import Findable
from meshdoor.node.digits import Digits
from meshdoor.node.house import House
from meshdoor.node.introducing import camera, hello
from meshdoor.node.media_events import MediaEvents
from meshdoor.node.notes import Note
from meshdoor.node.pressing import Press, Pressing
from meshdoor.node.relay import Relay
from meshdoor.node.talking import Settings, Talking
from meshdoor.sip import events as sip
from meshdoor.sip.core import Config as SipConfig
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.message import Request
from meshdoor.sip.uri import SipUri
from meshdoor.transport.endpoint import SipEndpoint
from meshdoor.transport.links import LinkTransport
from meshdoor.transport.tcp import TcpTransport
from meshdoor.transport.udp import UdpTransport, bind
from meshdoor.transport.websocket import WebSocketTransport
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.roster import Member, Roster

LOGGER = logging.getLogger("meshdoor")
MAX_LISTENERS = 16

Listener = Callable[[dict[str, Any]], None]


class CallService:
    """Implements `Desk` and `Rooms`. Open it with `running`."""

    endpoint: SipEndpoint
    engine: Engine

    def __init__(self, config: Config, house: House) -> None:
        self._house = house
        self._config = config
        self._listeners: list[Listener] = []
        self._tasks: asyncio.TaskGroup | None = None
        self._link = LinkTransport(house.membership.identity.key, self._send_sip)
        self._sockets = WebSocketTransport(house.membership.identity.key)
        self.attachments = Attachments(house, self._sockets)
        self._linked: set[bytes] = set()
        self._ringable: set[bytes] = set()
        self._engine_wanted = asyncio.Event()
        self._browsers = False  # the engine was told of them
        self.pressing = Pressing(self, config.ring.timeout)
        self.answering = Answering(self)
        self._policy = plan.Policy(frozenset(config.calls.auto_answer))
        room = Settings(self._policy, camera(config, house.role) != "none", config.ring.timeout)
        self.talking = Talking(self, room, self.answering.in_call)
        self.digits = Digits(self, (self.pressing, self.answering, self.talking))
        self._media = MediaEvents(self, house)
        self.media_watchers: list[Callable[[media.Event], None]] = []  # told of all that the media engine tells
        house.on_sip = self._link.received
        house.on_peers = self._peers_changed
        house.membership.listen(self._roster_changed)
        house.notes.register("picture", self._picture_shown)
        house.notes.register("knock", self._knocked)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the block lasts, this node can ring and be rung."""
        await asyncio.to_thread(suites)  # a press shall not wait for a file
        self.engine = Engine(hello(self._config, self._house.role, self._house.name), self._heard)
        settings = SipConfig(user=str(self._house.role), policy=policy_for(self._caller))
        self.endpoint = SipEndpoint(settings, self._sip_event)
        self.endpoint.add(self._link)
        self.endpoint.add(self._sockets)
        self._relay = self.endpoint.relay = Relay(self._house, self.attachments, self.endpoint.forward)
        self._add_outside()
        async with self.endpoint, asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            engine = tasks.create_task(self._run_engine())
            self._peers_changed()
            try:
                yield
            finally:
                self._tasks = None
                engine.cancel()

    def _add_outside(self) -> None:
        """UDP and TCP for devices outside the mesh, on one port; they are served what `calls.policy` says."""
        hosts = ("127.0.0.1",) if self._config.mesh.interfaces == ("lo",) else ("", "::")
        port = self._config.sip.port
        try:
            streams = listen(port, hosts)
        except ConfigError as error:
            journal.warn("port", f"SIP: {error}: using another")
            streams = listen(0, hosts)
        tcp = TcpTransport(streams)
        self._house.sip_port = tcp.port
        self.endpoint.add(tcp)
        try:
            self.endpoint.add(UdpTransport(bind(tcp.port, hosts)))
        except ConfigError as error:
            journal.warn("port", f"SIP over UDP: {error}; {error.hint}")

    async def _run_engine(self) -> None:
        """The engine starts when there is somebody to show pictures to or to see them from, and stays."""
        await self._engine_wanted.wait()
        self._house.media = "starting"
        async with self.engine:
            self._prepare_browsers()
            await asyncio.Event().wait()

    def _heard(self, event: media.Event) -> None:
        self._media(event)
        for watcher in self.media_watchers:
            watcher(event)

    @property
    def roster(self) -> Roster:
        return self._house.membership.roster

    @property
    def itself(self) -> Member | None:
        return self._house.membership.itself

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def target(self, key: bytes) -> Target | None:
        if key not in self._linked or (way := self._relay.way(key)) is None:
            return None
        user = "phone" if self.is_browser(key) else "meshdoor"
        return Target(way.uri or SipUri("sip", user, None, host_of(key)), way.flow)

    def address(self, key: bytes) -> str:
        node = self._node_of(key)
        return next((link.address.host for link in self._house.links.links() if link.key == node), "")

    def is_browser(self, key: bytes) -> bool:
        member = self.roster.member(key)
        return member is not None and member.role is Role.PHONE

    def findable(self) -> Findable:
        servers = tuple(IceServer.parse(text) for text in self._config.web.ice_servers)
        return Findable(self._house.addresses, servers)

    def hurry(self, key: bytes, interval: float | None) -> None:
        """Until nothing is on with that member any more, nor with a phone that is reached over the same link."""
        node = self._node_of(key)
        same = [node, *(peer.key for peer in self._house.everyone() if peer.where == node)]
        if interval is not None or not any(map(self._involves, same)):
            self._house.links.hurry(node, interval)

    def note(self, key: bytes, note: dict[str, Any]) -> None:
        self._house.links.send_note(key, note)

    def name_of(self, key: bytes) -> str:
        member = self.roster.members.get(key) or self.roster.revoked.get(key)
        return member.name if member is not None else ""

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
            states.append(Busy.IN_CALL if press.fork.talks else Busy.RINGING)
            if press.fork.talks:
                self.talking.yield_sound()
        self._house.set_busy(max(states))

    def ring(self) -> Json:
        """Somebody pressed the button of this door. Raises Refused."""
        roster, key = self._house.membership.roster, self._house.membership.identity.key
        if not roster.may(key, Permission.RING):
            raise Refused(f"a {self._house.role} does not ring", "the button is at a door")
        asked = plan.who_rings(self.peers(), key)
        press = self.pressing.ring(secrets.token_hex(8), asked.rung)
        journal.say("pressed", f"ringing {', '.join(map(self.name_of, asked.rung)) or 'nobody'}", press=press.id)
        return {
            "press": press.id,
            "rings": [self.name_of(peer) for peer in asked.rung],
            "silent": [{"name": silent.name, "why": silent.why} for silent in asked.silent],
        }

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
        at_door = press is not None and press.fork.talks
        return at_door or self.answering.busy is Busy.IN_CALL

    def _picture_shown(self, key: bytes, note: Note) -> None:
        call = note.get("call")
        if not isinstance(call, str):
            raise RemoteProtocolError("a picture of no call")
        self.pressing.picture_shown(key, call)

    def _knocked(self, key: bytes, note: Note) -> None:
        self.answering.knocked(key)

    def _invited(self, event: sip.IncomingInvite) -> None:
        """What the caller may is what the roster says."""
        caller = self._caller(event.request, event.flow)
        itself = self._house.membership.itself
        if caller is None or itself is None:
            event.session.reject(plan.FORBIDDEN, self.now())
            return
        page = event.request.headers.get("Meshdoor-Call") == "page"
        busy = self.talking.engaged or self.visitor_talks()
        received = plan.receive(itself, caller, self._policy, page=page, busy=busy)
        if received.answer is plan.Answer.REFUSE:
            journal.warn("call", f"a call of {caller.name} was refused: {received.why}", member=caller.name)
            event.session.reject(received.status, self.now())
        elif received.kind is plan.Kind.VISITOR:
            self.answering.invited(event, caller)
        else:
            self._engine_wanted.set()
            self.talking.invited(event, caller, received)

    def _caller(self, request: Request, flow: Flow) -> Member | None:
        return caller_of(request, flow, self.roster, time.time())

    def _node_of(self, key: bytes) -> bytes:
        """Over whose link a member is reached."""
        found = self.attachments.find(key)
        return key if found is None else found.node

    def _involves(self, key: bytes) -> bool:
        return any(part.involves(key) for part in (self.pressing, self.answering, self.talking))

    def dismiss(self) -> None:
        """End what is on with phones that were revoked, and with guests whose time is over."""
        now = time.time()
        guests = [member for member in self.roster.members.values() if member.expired(now)]
        for member in (*self.roster.revoked.values(), *guests):
            if member.role is Role.PHONE and self._tasks is not None and self._involves(member.key):
                self.pressing.dismissed(member.key)
                self.talking.dismissed(member.key)
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

    def _send_sip(self, key: bytes, message: bytes) -> bool:
        return self._house.links.send_sip(key, message)

    def _peers_changed(self) -> None:
        """Links and phones came or went."""
        if self._tasks is None:
            return  # it looks when it runs
        linked = {peer.key for peer in self.peers() if peer.state != "unreachable"}
        for key in self._linked - linked:
            self.pressing.peer_down(key)
            self.answering.peer_down(key)
            self._link.lost(key)
            self.talking.peer_down(key)
        self._linked = linked
        before = self._ringable
        self._ringable = set(plan.who_rings(self.peers(), self._house.membership.identity.key).rung)
        for key in self._ringable - before:
            self.pressing.peer_up(key)
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
        elif isinstance(event, sip.SessionEvent):
            _ = self.pressing.handle(event) or self.answering.handle(event) or self.talking.handle(event)
        elif isinstance(event, sip.RequestReceived) and not self.digits.received(event):
            self.endpoint.respond(event, 405, (("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO"),))


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    """What goes wrong in one call goes wrong for it alone."""
    try:
        await work
    except Exception:
        LOGGER.exception("a call could not be served")
