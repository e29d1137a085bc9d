"""All that a node has for phones, put together; the composition root makes one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshdoor.config import Config
from meshdoor.control import Json
from meshdoor.control.server import Verb
from meshdoor.node.accounts import Accounts
from meshdoor.node.arguments import checked
from meshdoor.node.calls import Listener
from meshdoor.node.family import Family
from meshdoor.node.history import History
from meshdoor.node.homeview import HomeView, Rows
from meshdoor.node.house import House
from meshdoor.node.notifying import Notifying
from meshdoor.node.openers import KeepKey
from meshdoor.node.opening import Openings
from meshdoor.node.phone_asks import HandOver, PhoneAsks
from meshdoor.node.phone_verbs import PhoneVerbs
from meshdoor.node.phones import PhoneDesk
from meshdoor.node.provisioning import FindGate, Provisioning
from meshdoor.node.push import Push
from meshdoor.node.web import WebFactory
from meshdoor.node.webhouse import Lines, WebHouse
from meshdoor.node.webstart import Serve, WebStart
from meshdoor.node.wishes import Wishes
from meshdoor.store.state import StateDirectory, Table

Listen = Callable[[Listener], Coroutine[Any, Any, None]]  # gives the events of the calls, until cancelled
LoadWeb = Callable[[], WebFactory]  # blocks, as it loads code


@dataclass(frozen=True, slots=True)
class Parts:
    """What it is built on."""

    config: Config
    state: StateDirectory
    house: House
    listen: Listen
    openings: Openings
    history: History | None
    rows: Rows  # the members, as the status has them
    hand_over: HandOver


class PhonePart:
    """`run` beside the house; `table` for the control socket."""

    def __init__(self, parts: Parts, lines: Lines, wished: dict[str, Json], load: LoadWeb | None) -> None:
        self._parts = parts
        self._accounts: Accounts | None = None
        self._provisioning: Provisioning | None = None
        state, house = parts.state, parts.house

        def load_server() -> Serve:
            assert load is not None
            factory = load()
            return lambda: factory(parts.config, self.house, state)

        self._start = WebStart(house, None if load is None else load_server)
        self.desk = PhoneDesk(house, self._start.open)
        wishes = Wishes(wished, lambda table: state.save_table(Table.PHONES, table))
        push = Push(state)
        view = HomeView(house, parts.history, parts.openings, parts.rows)
        asks = PhoneAsks(view, self.desk, parts.openings, wishes, push)
        asks.hand_over = parts.hand_over
        self.house = WebHouse(house, self.desk, lines, view, asks, wishes)
        self._notifying = Notifying(house, wishes, push, self._family(), lines.is_here)
        if parts.history is not None:
            self.house.follow(parts.history)
            parts.history.pictured_listeners.append(self._notifying.pictured)

    def take_clients(self, accounts: Accounts, find_gate: FindGate) -> None:
        """Serve SIP clients that register by digest, too, and those that set themselves up."""
        self._accounts = self.house.clients = accounts
        self._provisioning = self.house.provisions = Provisioning(accounts, self.desk, find_gate, self._start.open)

    def keep_keys(self, keep: KeepKey) -> None:
        """Who keeps what the clients of digest accounts sign with."""
        if self._accounts is not None:
            self._accounts.keep_keys(keep)

    def table(self) -> dict[str, Verb]:
        """By name, for the control server."""
        verbs = PhoneVerbs(self.desk, self._parts.rows, self._start.open).table()
        if self._accounts is not None:
            verbs |= self._accounts.table(self.desk, self._start.open)
        if self._provisioning is not None:
            verbs |= self._provisioning.table()
        return verbs | {"phone notify": checked(self._notifying.test)}

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._start.run())
            tasks.create_task(self.desk.run())
            tasks.create_task(self.house.run())
            tasks.create_task(self._notifying.run())
            tasks.create_task(self._parts.listen(self._notifying.tell))

    def _family(self) -> Family | None:
        file = self._parts.config.notify.urls_file
        return Family(self._parts.state.path / Path(file)) if file else None
