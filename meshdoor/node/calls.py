"""The call service of a node: SIP over the links, the media engine, the button and the screen, joined."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from meshdoor.calls import plan
from meshdoor.calls.clients import Client
from meshdoor.calls.hosts import host_of
from meshdoor.calls.names import Meant
from meshdoor.calls.policy import policy_for
from meshdoor.config import Config, IceServer
from meshdoor.control import Json
from meshdoor.errors import Refused, RemoteProtocolError
from meshdoor.media import reports
from meshdoor.media.engine_client import Engine
from meshdoor.media.suites import suites
from meshdoor.mesh.frames import State as Busy
from meshdoor.mesh.peer import State as Presence
from meshdoor.mesh.peers import Peer
from meshdoor.node.answering import Answering
from meshdoor.node.attachments import Attachments
from meshdoor.node.bridge import Bridges
from meshdoor.node.button import Button
from meshdoor.node.calling import Findable
from meshdoor.node.comings import Comings
from meshdoor.node.digits import Digits
from meshdoor.node.house import House
from meshdoor.node.introducing import camera, hello
from meshdoor.node.listening import keep_certificate, listen_outside
from meshdoor.node.media_events import MediaEvents
from meshdoor.node.notes import Note
from meshdoor.node.outsiders import Outsiders
from meshdoor.node.press import Press
from meshdoor.node.pressing import Pressing
from meshdoor.node.provisioning import Gate
from meshdoor.node.registrations import Registrations
from meshdoor.node.relay import Relay
from meshdoor.node.sip_events import Part, SipEvents
from meshdoor.node.sip_identity import SipIdentity
from meshdoor.node.sleepers import Sleepers
from meshdoor.node.stations import Stations
from meshdoor.node.talking import Settings, Talking
from meshdoor.sip.core import Config as SipConfig
from meshdoor.sip.flow import Target
from meshdoor.sip.media_control import MEDIA_CONTROL
from meshdoor.sip.uri import SipUri
from meshdoor.sip.validate import DEFAULT
from meshdoor.transport.endpoint import SipEndpoint
from meshdoor.transport.links import LinkTransport
from meshdoor.transport.outside import Outside
from meshdoor.transport.websocket import WebSocketTransport
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Member, Roster

LOGGER = logging.getLogger("meshdoor")
MAX_LISTENERS = 16
ABLE = replace(
    DEFAULT, methods=(*DEFAULT.methods, "REGISTER"), content_types=(*DEFAULT.content_types, MEDIA_CONTROL)
)

Listener = Callable[[dict[str, Any]], None]


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
        self._engine_wanted = asyncio.Event()
        self.pressing = Pressing(self, config.ring.timeout)
        self.answering = Answering(self)
        policy = plan.Policy(frozenset(config.calls.auto_answer))
        room = Settings(policy, camera(config, house.role) != "none", config.ring.timeout)
        self.talking = Talking(self, room, self.answering.in_call)
        self.bridges = Bridges(self, self.attachments)
        self.registrations = Registrations(self, house, self.attachments)
        self.stations = Stations(self, house, self.attachments, config.ring.timeout)
        self.outsiders = Outsiders(self, config.accounts)
        self.sleepers = Sleepers(config.sip.push_gateway, config.sip.push_secret_file, house)
        self.registrations.sleepers = self.sleepers
        house.outside_name = self.outsiders.name_of
        self.button = Button(self, config, house, self.stations.peer_up)
        self.digits = Digits(self, (self.pressing, self.answering, self.talking))
        self.comings = Comings(self, house, self._link)
        self._media = MediaEvents(self, house)
        self._sip = SipEvents(self, policy)
        self.media_watchers: list[Callable[[reports.Event], None]] = []  # told of all that the media engine tells
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
        settings = SipConfig(
            user=str(self._house.role),
            capabilities=ABLE,
            policy=policy_for(self._sip.caller, self._sip.judge),
            authorize=self.outsiders.authorize,
        )
        self.endpoint = SipEndpoint(settings, self._sip, self._sip.trusts)
        self.endpoint.lost = self._sip.lost
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
                pins = self.stations.certificates
                kept = keep_certificate(self._house, self._sip_identity, self.outside.tls, pins)
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
            self.comings.prepare_browsers()
            await asyncio.Event().wait()

    def _heard(self, event: reports.Event) -> None:
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
        if key == self._house.membership.identity.key:
            return self._link.target(key, "meshdoor")
        if (party := self.outsiders.party(key)) is not None:
            return party.way()
        if not self.comings.linked(key) or (way := self._relay.way(key)) is None:
            return None
        user = "phone" if self.is_browser(key) else "meshdoor"
        return Target(way.uri or SipUri("sip", user, None, host_of(key)), way.flow)

    def address(self, key: bytes) -> str:
        client = self.client(key)
        if client is not None:
            return client.host
        node = self.node_of(key)
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
        node = self.node_of(key)
        same = [node, *(peer.key for peer in self._house.everyone() if peer.where == node)]
        if interval is not None or not any(map(self.involves, same)):
            self._house.links.hurry(node, interval)

    def note(self, key: bytes, note: dict[str, Any]) -> None:
        node = self.node_of(key)
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
            states.append(Busy.IN_CALL if press.fork.talks else Busy.RINGING)
            if press.fork.talks:
                self.talking.yield_sound()
        self._house.set_busy(max(states))

    def ring(self, meant: Meant | None = None) -> Json:
        """Somebody pressed the button of this door, for everybody or for some. Raises Refused."""
        return self.button.press(meant)

    def found(self, key: bytes) -> None:
        """There is a way to somebody outside now."""
        self.button.found(key)

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
        at_door = press is not None and press.fork.talks
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

    def node_of(self, key: bytes) -> bytes:
        """Over whose link a member is reached."""
        found = self.attachments.find(key)
        return key if found is None else found.node

    def doors(self) -> list[tuple[bytes, Pressing]]:
        """The presses that this node carries out: its own, and those of its stations."""
        return [(self._house.membership.identity.key, self.pressing), *self.stations.pressings()]

    @property
    def parts(self) -> tuple[Part, ...]:
        """What carries out the calls, in the order in which they are asked."""
        return self.bridges, self.stations, self.pressing, self.answering, self.talking

    def involves(self, key: bytes) -> bool:
        """Is something on with this member?"""
        return self._tasks is not None and any(part.involves(key) for part in self.parts)

    def _roster_changed(self, roster: Roster) -> None:
        self.comings.dismiss()

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
        if self._tasks is not None:  # else it looks when it runs
            self.comings.look()



async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    """What goes wrong in one call goes wrong for it alone."""
    try:
        await work
    except Exception:
        LOGGER.exception("a call could not be served")
