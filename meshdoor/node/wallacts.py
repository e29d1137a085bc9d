"""What a person does at the screen on the wall, carried out by the code of the verbs.

`meshdoor.wall` lists the actions. What comes of one, if a person is to know, becomes a notice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

from meshdoor.control import Json
from meshdoor.control.server import Verb
from meshdoor.errors import MeshdoorError, UserError
from meshdoor.wall import model

JOINED_STAYS: Final = 6.0  # seconds that a phone that is in is shown as such
BAD, GOOD = "bad", "good"

Words = tuple[str, ...]


class Board(Protocol):
    """The screen on the wall, as seen by what is done at it."""

    def notice(self, notice: model.Notice) -> None:
        """Tell a person; `id` is given by the board."""

    def show_invited(self, invited: model.Invited | None) -> None:
        """A phone is invited here, or no more."""

    def dismiss(self, alarm: str) -> None:
        """A person has seen an alarm."""

    def hush(self, notice: str) -> None:
        """A person has seen a notice."""

    def silence(self, visit: str) -> None:
        """It rings on without a sound here."""

    async def mute(self, on: bool) -> None:
        """The microphone gives silence."""

    async def mark_seen(self, visits: Words) -> None:
        """A person has seen these visits."""

    async def wish(self, name: str, value: str) -> None:
        """A setting of this screen. Raises UserError."""

    async def play(self, tone: str) -> None:
        """Let a ring tone be heard."""

    def name_of(self, identifier: str) -> str:
        """What people call a member."""


class WallActs:
    """`verbs` are those of the control socket; `own` gives the id of this node."""

    def __init__(self, verbs: Mapping[str, Verb], board: Board, own: Callable[[], str]) -> None:
        self._verbs = verbs
        self._board = board
        self._own = own
        self._inviting: asyncio.Task[None] | None = None
        self._acts: dict[str, Callable[[Words], Awaitable[None]]] = {
            "answer": lambda args: self._ask("answer", visit=int(args[0])),
            "decline": lambda args: self._ask("decline", visit=int(args[0])),
            "accept": lambda args: self._ask("answer", call=int(args[0])),
            "refuse": lambda args: self._ask("decline", call=int(args[0])),
            "hangup": lambda args: self._ask("hangup"),
            "talk": lambda args: self._ask("talk"),
            "page": lambda args: self._ask("page"),
            "monitor": lambda args: self._ask("monitor", door=args[0]),
            "call": lambda args: self._ask("call", member=args[0]),
            "open": self._open,
            "handover": self._hand_over,
            "silence": self._silence,
            "mute": lambda args: self._board.mute(args[0] == "on"),
            "seen": self._board.mark_seen,
            "pair": self._pair,
            "found": lambda args: self._ask("found", home=args[0], anyway=True),
            "invite": self._invite,
            "withdraw": self._withdraw,
            "dismiss": self._dismiss,
            "hush": self._hush,
            "set": self._set,
            "play": lambda args: self._board.play(args[0]),
        }

    async def act(self, verb: str, args: Words) -> None:
        """Never raises for what went wrong: a person is told."""
        try:
            act = self._acts.get(verb)
            if act is None:
                raise UserError(f"{verb}: no such action")
            await act(args)
        except (MeshdoorError, ValueError, IndexError) as error:
            self._board.notice(model.Notice("", text=str(error), kind=BAD))

    async def close(self) -> None:
        if self._inviting is not None:
            self._inviting.cancel()
            with suppress(asyncio.CancelledError):
                await self._inviting

    async def _ask(self, verb: str, **args: Json) -> None:
        await self._verbs[verb](args, _ignore)

    async def _open(self, args: Words) -> None:
        door = self._board.name_of(args[0])
        opened = await self._verbs["open"]({"door": args[0]}, _ignore)
        key = "door.simulated" if opened["simulated"] else "door.opened"
        self._board.notice(model.Notice("", key, (("door", door),), kind=GOOD))

    async def _hand_over(self, args: Words) -> None:
        taker = self._board.name_of(args[0])
        self._board.notice(model.Notice("", "call.handing", (("name", taker),)))
        await self._ask("hand over", to=args[0])
        self._board.notice(model.Notice("", "call.handed", (("name", taker),), kind=GOOD))

    async def _silence(self, args: Words) -> None:
        self._board.silence(args[0])

    async def _dismiss(self, args: Words) -> None:
        """What is over is forgotten in the whole house."""
        self._board.dismiss(args[0])
        await self._ask("alarms_clear")

    async def _hush(self, args: Words) -> None:
        self._board.hush(args[0])

    async def _pair(self, args: Words) -> None:
        joined = await self._verbs["pair"]({"id": args[0], "code": args[1], "name": None}, _ignore)
        self._board.notice(model.Notice("", "people.joined", (("name", joined["name"]),), kind=GOOD))

    async def _set(self, args: Words) -> None:
        name, value = args
        if name == "name":
            await self._ask("rename", member=self._own(), name=value)
        else:
            await self._board.wish(name, value)

    async def _invite(self, args: Words) -> None:
        await self.close()
        self._inviting = asyncio.create_task(self._until_joined(args[0]))

    async def _withdraw(self, args: Words) -> None:
        await self.close()

    async def _until_joined(self, name: str) -> None:
        """From the code until the phone is in, the code is too old, or a person gives up."""
        invited = model.Invited(name, "", time.time())

        def shown(told: Json) -> None:
            nonlocal invited
            invited = model.Invited(told["name"], told["url"], float(told["expires"]))
            self._board.show_invited(invited)

        try:
            await self._verbs["phone add"]({"name": name}, shown)
            self._board.show_invited(replace(invited, joined=True))
            await asyncio.sleep(JOINED_STAYS)
        except MeshdoorError as error:
            self._board.notice(model.Notice("", text=str(error), kind=BAD))
        finally:
            self._board.show_invited(None)


def _ignore(told: Json) -> None:
    """Nobody waits for how it goes on."""
