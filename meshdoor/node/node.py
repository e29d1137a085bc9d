"""The composition root: everything that a node is made of, built and run here."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import time
from collections.abc import Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from meshdoor.config import Config
from meshdoor.control import Json
from meshdoor.control.server import Verb, serve
from meshdoor.errors import ConfigError, MeshdoorError, StateError, StatementError
from meshdoor.mesh import interfaces as network
from meshdoor.mesh.acceptor import listen
from meshdoor.mesh.link import Links
from meshdoor.mesh.mdns import Mdns
from meshdoor.mesh.peers import PeerTable
from meshdoor.node import hardware, journal, systemd
from meshdoor.node.accounts import Accounts
from meshdoor.node.adopted import Adopted
from meshdoor.node.beginning import Beginning
from meshdoor.node.calls import CallService
from meshdoor.node.devices import Devices
from meshdoor.node.dialling import Dialling
from meshdoor.node.handover import HandOvers
from meshdoor.node.history import History
from meshdoor.node.homeview import HomeView
from meshdoor.node.house import House
from meshdoor.node.introducing import has_wall
from meshdoor.node.lock import Audit, LockService
from meshdoor.node.membership import Membership
from meshdoor.node.openers import Kept
from meshdoor.node.opening import Openings, lock_of
from meshdoor.node.pairing import PairingDesk
from meshdoor.node.phone_part import LoadWeb, Parts, PhonePart
from meshdoor.node.pipe_part import run_pipe
from meshdoor.node.recall import HistoryVerbs
from meshdoor.node.reporting import Reporting, StationReports, opening_of, tell_opening
from meshdoor.node.ringing import CallVerbs
from meshdoor.node.sip_identity import SipIdentity
from meshdoor.node.sounding import Sounding
from meshdoor.node.station_lock import CodeActuator
from meshdoor.node.status import describe
from meshdoor.node.unlocking import open_for_clients
from meshdoor.node.verbs import Verbs
from meshdoor.node.wall import Parts as WallParts
from meshdoor.node.wall import WallBoard
from meshdoor.node.wallwishes import WallWishes
from meshdoor.store.ledger import Ledger
from meshdoor.store.state import LEDGER, StateDirectory, Table
from meshdoor.trust.enrolment import Enrolments
from meshdoor.trust.history import History as Statements
from meshdoor.trust.identity import Identity
from meshdoor.trust.permissions import Role

SAVE_PEERS = 30.0  # seconds between two looks whether an address is new; nothing is written when none is
CODE_PULSE = 3.0  # seconds in which a panel that was sent its code is sent no other


def run_node(
    config: Config, state: Path, enrolment: Path | None, interactive: bool, load_web: LoadWeb | None = None
) -> int:
    """Run the node until SIGTERM or SIGINT; the process's exit code. Raises UserError.

    `load_web` loads the web server, when there is a phone.
    """
    with StateDirectory.open(state) as directory:
        try:
            asyncio.run(Node(config, directory, load_web).run(enrolment, interactive))
        except BaseExceptionGroup as group:
            # Not `except*`: what that raises is in a group again.
            known, others = group.split(MeshdoorError)
            if known is None or others is not None:
                raise
            raise _first(known) from None
    return 0


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class Node:
    """One node on one state directory. Raises StateError for what cannot be used."""

    def __init__(self, config: Config, state: StateDirectory, load_web: LoadWeb | None = None) -> None:
        self._config = config
        self._load_web = load_web
        self._state = state
        identity = state.load_identity() or self._new_identity()
        self._membership = Membership(identity, self._statements(), state.save_roster)
        self._peers = PeerTable(identity.key)
        self._desk = PairingDesk(self._membership, self._enrolments(), self._hints, self._save_enrolments)
        self._desk.name, self._desk.role = self._character()
        self._house = House(config, self._membership, self._peers, self._desk)
        self._stop = asyncio.Event()
        self._history: History | None = None

    async def run(self, enrolment: Path | None, interactive: bool) -> None:
        """Run until told to stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        beginning = Beginning(self._membership, self._desk, self._peers, self._state.path)
        beginning.become(enrolment)
        async with contextlib.AsyncExitStack() as stack:
            house = self._house
            links = Links(self._membership.identity, house, _sockets(self._config))
            house.links = await stack.enter_async_context(links)
            house.interfaces_changed(self._interfaces())
            self._load_peers()
            house.mdns = await stack.enter_async_context(Mdns(house.saw, house.lost, house.interfaces))
            devices = await stack.enter_async_context(Devices(self._config, house))
            openings = Openings(house, await self._lock(stack, devices))
            calls = self._calls = CallService(self._config, house, SipIdentity(self._config, house, self._state))
            handovers = HandOvers(house, calls)
            self._history = await self._keep_history(stack, calls)
            await stack.enter_async_context(calls.running())
            verbs_of_mesh = Verbs(house, time.time(), self._config.mesh.port)
            phones, accounts = self._phones(calls, openings, verbs_of_mesh, handovers), self._accounts(calls)
            phones.take_clients(accounts, calls.gate)
            adopted = await self._adopted(stack, calls, openings)
            kept = Kept(self._table(Table.OPENERS), partial(self._state.save_table, Table.OPENERS))
            openers = open_for_clients(calls, house, openings, kept, (adopted, phones))
            verbs = (
                verbs_of_mesh.table()
                | CallVerbs(calls).table()
                | handovers.table()
                | openings.table()
                | HistoryVerbs(house, self._history).table()
                | phones.table()
                | adopted.table(phones.desk, accounts)
                | openers.table()
                | calls.stations.table()
                | devices.table()
                | house.alarming.table()
            )
            wall = self._wall(calls, openings, verbs_of_mesh, verbs)
            sounding = self._sounding(calls, wall)
            await stack.enter_async_context(serve(self._state.path, verbs))
            beside = [phones.run(), adopted.run(), beginning.run(enrolment, interactive), *self._outside(calls)]
            beside += [devices.run(calls), sounding.run(), calls.listen(sounding.heard)]
            beside += [] if wall is None else [wall.run()]
            await self._live(beside)
            self._save_peers()
        journal.say("stopped", "this node has stopped")

    async def _lock(self, stack: contextlib.AsyncExitStack, devices: Devices) -> LockService | None:
        """The lock of this node, if it is one."""
        lock = lock_of(self._config, self._house, self._opened, devices.actuator())
        devices.serve(lock)
        return None if lock is None else await stack.enter_async_context(lock)

    async def _live(self, beside: list[Coroutine[Any, Any, None]]) -> None:
        """Until told to stop."""
        work = [self._house.run(), self._follow_interfaces(), self._keep_addresses(), systemd.feed_watchdog(), *beside]
        if self._history is not None:
            work.append(self._history.run())
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            running = [tasks.create_task(each) for each in work]
            self._greet()
            await self._stop.wait()
            systemd.notify("STOPPING=1")
            for task in running:
                task.cancel()

    async def _adopted(self, stack: contextlib.AsyncExitStack, calls: CallService, openings: Openings) -> Adopted:
        """The SIP clients and door stations that this node knows; a station with a code is a lock of this node."""
        stations = calls.stations
        code_lock = LockService(self._membership, CodeActuator(stations), "", CODE_PULSE, self._opened)
        stations.opens = partial(openings.take, await stack.enter_async_context(code_lock))
        stations.load(self._table(Table.STATIONS), partial(self._state.save_table, Table.STATIONS))
        saved = partial(self._state.save_table, Table.ADOPTED)
        adopted = Adopted(self._house, calls, self._table(Table.ADOPTED), saved)
        self._house.adopted += (adopted.uris, stations.uris)
        return adopted

    async def _keep_history(self, stack: contextlib.AsyncExitStack, calls: CallService) -> History | None:
        """A screen keeps the history; a door tells the screens, and keeps nothing itself."""
        if self._house.role is Role.DOOR:
            reporting = Reporting(self._house)
            calls.pressing.begun.append(reporting.begun)
            calls.pressing.over.append(reporting.over)
            calls.pressing.answered.append(reporting.answered)
        if self._house.role is not Role.SCREEN:
            return None
        try:
            ledger = await stack.enter_async_context(Ledger(self._state.path / LEDGER))
        except StateError as error:
            journal.warn("history", f"no history is kept: {error}")
            return None
        history = History(self._house, ledger, self._state.path, calls.snapshot)
        calls.answering.snap = history.snap
        reports = StationReports(self._house)
        calls.stations.begun.append(reports.begun)
        calls.stations.answered.append(reports.answered)
        calls.stations.over.append(reports.over)
        return history

    def _phones(self, calls: CallService, openings: Openings, verbs: Verbs, handovers: HandOvers) -> PhonePart:
        def rows() -> list[dict[str, Json]]:
            members: list[dict[str, Json]] = describe(verbs.view())["members"]
            return members

        known = self._config, self._state, self._house, calls.listen, openings, self._history
        parts = Parts(*known, rows, handovers.of_phone)
        part = PhonePart(parts, calls.attachments, self._table(Table.PHONES), self._load_web)
        part.desk.ended.append(calls.comings.dismiss)
        return part

    def _accounts(self, calls: CallService) -> Accounts:
        """Of SIP clients, by name and secret."""
        stored, state = self._table(Table.SIP), self._state
        accounts = Accounts(self._house, calls.attachments, stored, partial(state.save_table, Table.SIP))
        calls.registrations.accounts = accounts
        return accounts

    def _outside(self, calls: CallService) -> list[Coroutine[Any, Any, None]]:
        """What goes on beside for stations, for whom the settings name outside the home, and for scripts."""
        calls.outsiders.folder = calls.sleepers.folder = self._state.path
        calls.sleepers.load(self._table(Table.SLEEPERS), partial(self._state.save_table, Table.SLEEPERS))
        work: list[Coroutine[Any, Any, None]] = [calls.stations.run(), calls.outsiders.run(calls.button.routed)]
        if self._config.sip.pipe:
            dialling = Dialling(self._config, self._house, calls)
            work.append(run_pipe(self._config.sip.pipe, dialling, calls.outsiders.open_account))
        return work

    def _wall(
        self, calls: CallService, openings: Openings, mesh: Verbs, verbs: Mapping[str, Verb]
    ) -> WallBoard | None:
        """The screen on the wall, if this node is one."""
        if not has_wall(self._config, self._house.role):
            return None

        def status() -> dict[str, Json]:
            return describe(mesh.view())

        view = HomeView(self._house, self._history, openings, lambda: status()["members"])
        wishes = WallWishes.of(self._config).with_stored(self._table(Table.WALL))
        language = self._config.screen.language
        parts = WallParts(self._house, calls, view, self._history, verbs, status, language)
        return WallBoard(parts, wishes, partial(self._state.save_table, Table.WALL))

    def _sounding(self, calls: CallService, wall: WallBoard | None) -> Sounding:
        sounding = Sounding(self._config, self._house.role, calls.engine)
        calls.media_watchers.append(sounding.told)
        if wall is not None:
            wall.wished.append(sounding.wished)
            wall.silenced.append(sounding.silenced)
            sounding.wished(wall.wishes)
        return sounding

    def _opened(self, audit: Audit) -> None:
        """The lock of this node was asked to open."""
        self._calls.publish({"event": "lock", "who": audit.person or audit.name, "result": str(audit.result)})
        opening = opening_of(audit, self._house.name)
        if self._history is None:
            tell_opening(self._house, opening)
        else:
            self._tasks.create_task(self._history.opened(opening))

    def _greet(self) -> None:
        house = self._house
        home = self._membership.roster.home_name or "no home yet"
        where = ", ".join(house.addresses) or "no address"
        journal.say("ready", f"{house.name} ({house.role}) of {home} on port {house.links.port} at {where}")
        # What was made to start with stays: a full collection that looks at all of it would hold up a ring.
        gc.collect()
        gc.freeze()
        systemd.notify(f"READY=1\nSTATUS={house.name} ({house.role}) of {home}")

    async def _follow_interfaces(self) -> None:
        async with contextlib.aclosing(network.changes(self._interfaces)) as changes:
            async for found in changes:
                if found == self._house.interfaces:
                    continue
                names = ", ".join(interface.name for interface in found) or "none"
                journal.say("network", f"interfaces up: {names}")
                await self._house.mdns.interfaces_changed(found)
                self._house.interfaces_changed(found)

    def _interfaces(self) -> tuple[network.Interface, ...]:
        return network.snapshot(self._config.mesh.interfaces)

    async def _keep_addresses(self) -> None:
        while True:
            await asyncio.sleep(SAVE_PEERS)
            self._save_peers()

    def _save_peers(self) -> None:
        if self._membership.roster.home is not None:
            self._state.save_table(Table.PEERS, dict(self._peers.dump()))

    def _load_peers(self) -> None:
        loop_time = asyncio.get_running_loop().time()
        self._peers.roster_changed(self._membership.roster, loop_time)
        self._peers.load(self._table(Table.PEERS), loop_time)

    def _hints(self) -> tuple[str, ...]:
        return self._house.hints()

    def _new_identity(self) -> Identity:
        identity = Identity.generate()
        self._state.save_identity(identity)
        journal.say("identity", f"this device is {identity.device_id}")
        return identity

    def _statements(self) -> Statements:
        stored = self._state.load_roster()
        if stored.damage:
            journal.warn("roster", stored.damage)
        history = Statements()
        for statement in stored.statements:
            try:
                history.add(statement)
            except StatementError as error:
                journal.warn("roster", f"a stored statement does not count: {error}")
        return history

    def _enrolments(self) -> Enrolments:
        enrolments = Enrolments()
        enrolments.load(self._table(Table.ENROLMENTS))
        return enrolments

    def _save_enrolments(self, enrolments: Enrolments) -> None:
        self._state.save_table(Table.ENROLMENTS, enrolments.dump())

    def _character(self) -> tuple[str, Role]:
        """Name and role: as set, else as last time, else as the hardware suggests."""
        stored = self._table(Table.NODE)
        name = self._config.name or str(stored.get("name") or hardware.suggested_name())
        role = self._config.role or str(stored.get("role") or hardware.suggested_role())
        self._state.save_table(Table.NODE, {"name": name, "role": role})
        return name, Role(role)

    def _table(self, table: Table) -> dict[str, object]:
        stored = self._state.load_table(table)
        if stored.damage:
            journal.warn("state", stored.damage)
        return stored.values


def _sockets(config: Config) -> list[socket.socket]:
    """Listening on the mesh port, or on any other where that one is taken."""
    hosts = ("127.0.0.1",) if config.mesh.interfaces == ("lo",) else ("", "::")
    try:
        return listen(config.mesh.port, hosts)
    except ConfigError as error:
        journal.warn("port", f"{error}: using another")
        return listen(0, hosts)

