"""The pipe of a node: its socket, its commands, and what the node tells of its calls, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from meshdoor.errors import Refused, SipError, UserError
from meshdoor.node.dialling import Dialling
from meshdoor.node.pipe import pipe
from meshdoor.node.pipe_calls import PipeCalls
from meshdoor.node.pipe_verbs import PipeVerbs
from meshdoor.sip.uri import SipUri

MAX_REGISTERS: Final = 16
OK: Final = "LinphoneRegistrationOk"


class Account(Protocol):
    """An account at a server outside that a script asked for."""

    @property
    def state(self) -> str:
        """As liblinphone has it."""

    def end(self) -> None:
        """It is not wanted any more."""


Open = Callable[[str, str, str, str], Account]  # address, proxy, password, user; raises UserError


class Registers:
    """The accounts of a script. At the house itself nobody registers: who belongs to it is known."""

    def __init__(self, is_home: Callable[[str], bool], open_account: Open) -> None:
        self._is_home = is_home
        self._open = open_account
        self._known: dict[int, tuple[str, str, Account | None]] = {}
        self._count = 0

    def register(self, identity: str, proxy: str, password: str, user: str) -> int:
        try:
            uri = SipUri.parse(identity)
        except SipError as error:
            raise UserError(str(error)) from None
        if len(self._known) >= MAX_REGISTERS:
            raise Refused(f"there are {MAX_REGISTERS} accounts already")
        account = None if self._is_home(uri.host) else self._open(identity, proxy, password, user)
        self._count += 1
        self._known[self._count] = (identity, proxy, account)
        return self._count

    def unregister(self, number: int) -> bool:
        _, _, account = found = self._known.pop(number, ("", "", None))
        if account is not None:
            account.end()
        return bool(found[0])

    def rows(self) -> dict[int, tuple[str, str, str]]:
        return {
            number: (identity, proxy, OK if account is None else account.state)
            for number, (identity, proxy, account) in self._known.items()
        }


async def run_pipe(name: str, dialling: Dialling, open_account: Open) -> None:
    """Obey scripts until cancelled. Raises ConfigError."""
    calls = PipeCalls(lambda: dialling.domain)
    registers = Registers(dialling.is_home, open_account)
    verbs = PipeVerbs(dialling, registers, calls, asyncio.get_running_loop().time)
    async with pipe(name, verbs.obey):
        await dialling.listen(calls.heard)
