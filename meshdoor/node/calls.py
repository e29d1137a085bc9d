"""The call service of a node: SIP over the links, the media engine, the button and the screen, joined."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from meshdoor.calls import plan
from meshdoor.calls.fork import State as ForkState
from meshdoor.calls.policy import member_of, policy_for
from meshdoor.config import Config
from meshdoor.control import Json
from meshdoor.errors import ConfigError, Refused, RemoteProtocolError
from meshdoor.media import messages as media
from meshdoor.media.engine_client import Engine
from meshdoor.mesh.acceptor import listen
from meshdoor.mesh.frames import State as Busy
from meshdoor.mesh.peers import Peer
from meshdoor.node import journal, media_plan
from meshdoor.node.answering import Answering
from meshdoor.node.digits import Digits
from meshdoor.node.house import House
from meshdoor.node.notes import Note
from meshdoor.node.pressing import Press, Pressing
from meshdoor.node.talking import Settings, Talking
from meshdoor.sip import events as sip
from meshdoor.sip.core import Config as SipConfig
from meshdoor.sip.flow import Target
from meshdoor.transport.endpoint import SipEndpoint
from meshdoor.transport.links import LinkTransport
from meshdoor.transport.tcp import TcpTransport
from meshdoor.transport.udp import UdpTransport, bind
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
        self._linked: set[bytes] = set()
        self._engine_wanted = asyncio.Event()
        self.pressing = Pressing(self, config.ring.timeout)
        self.answering = Answering(self)
        self._policy = plan.Policy(frozenset(config.calls.auto_answer))
        room = Settings(self._policy, self._camera() != "none", config.ring.timeout)
        self.talking = Talking(self, room, self.answering.in_call)
        self.digits = Digits(self, (self.pressing, self.answering, self.talking))
        house.on_sip = self._link.received
        house.on_peers = self._peers_changed
        house.notes.register("picture", self._picture_shown)
        house.notes.register("knock", self._knocked)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the block lasts, this node can ring and be rung."""
        await asyncio.to_thread(media_plan.suites)  # a press shall not wait for a file
        self.engine = Engine(self._hello(), self._media_event)
        policy = policy_for(lambda key: key in self._house.membership.roster.members)
        self.endpoint = SipEndpoint(SipConfig(user=str(self._house.role), policy=policy), self._sip_event)
        self.endpoint.add(self._link)
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
        return self._link.target(key, "meshdoor") if key in self._linked else None

    def address(self, key: bytes) -> str:
        return next((link.address.host for link in self._house.links.links() if link.key == key), "")

    def hurry(self, key: bytes, interval: float | None) -> None:
        """Until nothing is on with that member any more."""
        parts = (self.pressing, self.answering, self.talking)
        if interval is not None or not any(part.involves(key) for part in parts):
            self._house.links.hurry(key, interval)

    def note(self, key: bytes, note: dict[str, Any]) -> None:
        self._house.links.send_note(key, note)

    def name_of(self, key: bytes) -> str:
        member = self._house.membership.roster.member(key)
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
            states.append(Busy.IN_CALL if press.fork.state is ForkState.TALKING else Busy.RINGING)
            if press.fork.state is ForkState.TALKING:
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
        at_door = press is not None and press.fork.state is ForkState.TALKING
        return at_door or self.answering.busy is Busy.IN_CALL

    def _picture_shown(self, key: bytes, note: Note) -> None:
        call = note.get("call")
        if not isinstance(call, str):
            raise RemoteProtocolError("a picture of no call")
        self.pressing.picture_shown(key, call)

    def _knocked(self, key: bytes, note: Note) -> None:
        self.answering.knocked(key)

    def _invited(self, event: sip.IncomingInvite) -> None:
        """Who calls is who has proven the key of the link; what it may is what the roster says."""
        roster = self._house.membership.roster
        caller = roster.member(member_of(event.flow) or b"")
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

    def _told(self, row: Json) -> Json:
        if row is None:
            raise Refused("nothing rings here")
        return row

    def on_press_over(self, listener: Callable[[Press], None]) -> None:
        """Call `listener` when a press of this door is over."""
        self.pressing.over.append(listener)

    def peers(self) -> list[Peer]:
        return list(self._house.peers.peers()) if self._house.settled else []

    def _send_sip(self, key: bytes, message: bytes) -> bool:
        return self._house.links.send_sip(key, message)

    def _peers_changed(self) -> None:
        """Links came or went."""
        linked = {peer.key for peer in self.peers() if peer.state != "unreachable"}
        for key in self._linked - linked:
            self.pressing.peer_down(key)
            self.answering.peer_down(key)
            self._link.lost(key)
            self.talking.peer_down(key)
        fresh = linked - self._linked
        self._linked = linked
        ringable = plan.who_rings(self.peers(), self._house.membership.identity.key).rung
        for key in fresh & set(ringable):
            self.pressing.peer_up(key)
        if any(self._needs_media(peer) for peer in self.peers()):
            self._engine_wanted.set()

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

    def _media_event(self, event: media.Event) -> None:
        match event:
            case media.FirstPacketSent(leg=leg, media="video"):
                self.pressing.first_packet(leg)
            case media.FirstPicture(leg=leg):
                self.answering.picture(event)
                self.publish({"event": "picture", "leg": leg, "frame": event.frame_number, "at": event.at})
            case media.PictureLost(leg=leg):
                self.publish({"event": "no picture", "leg": leg, "at": event.at})
            case media.FirstSound(leg=leg):
                self.publish({"event": "sound", "leg": leg, "at": event.at})
            case media.RtpSilence(leg=leg):
                self.pressing.silent(leg)
                self.answering.silent(leg)
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
