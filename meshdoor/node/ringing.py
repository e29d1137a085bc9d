"""The verbs of the button and the screen: what the control socket asks of the call service."""

from __future__ import annotations

from collections.abc import Mapping

from meshdoor.control import Json
from meshdoor.control.server import Progress, Verb
from meshdoor.node.arguments import Args, checked
from meshdoor.node.calls import CallService


class CallVerbs:
    """`ring`, `answer`, `decline`, `hangup`, `visitors`, `call`, `monitor`, `page`, `talk`, `dtmf`, `calls` and
    `events`."""

    def __init__(self, calls: CallService) -> None:
        self._calls = calls

    def table(self) -> dict[str, Verb]:
        """By name, for the control server."""
        verbs = {
            "ring": self.ring,
            "answer": self.answer,
            "decline": self.decline,
            "hangup": self.hang_up,
            "visitors": self.visitors,
            "call": self.call,
            "monitor": self.monitor,
            "page": self.page,
            "talk": self.talk,
            "calls": self.calls,
            "dtmf": self.dtmf,
        }
        return {name: checked(verb) for name, verb in verbs.items()} | {"events": self.events}

    async def ring(self, args: Args) -> Json:
        return self._calls.ring()

    async def answer(self, args: Args) -> Json:
        return self._calls.answer(args.optional_number("visit"), args.optional_number("call"))

    async def decline(self, args: Args) -> Json:
        return self._calls.decline(args.optional_number("visit"), args.optional_number("call"))

    async def hang_up(self, args: Args) -> Json:
        return self._calls.hang_up()

    async def visitors(self, args: Args) -> Json:
        return self._calls.answering.visits()

    async def call(self, args: Args) -> Json:
        self._calls.want_engine()
        return self._calls.talking.call(args.text("member"))

    async def monitor(self, args: Args) -> Json:
        self._calls.want_engine()
        return self._calls.talking.monitor(args.optional("door"))

    async def page(self, args: Args) -> Json:
        self._calls.want_engine()
        return self._calls.talking.page()

    async def talk(self, args: Args) -> Json:
        return self._calls.talking.talk()

    async def dtmf(self, args: Args) -> Json:
        return await self._calls.digits.send(args.text("digits"))

    async def calls(self, args: Args) -> Json:
        return self._calls.on()

    async def events(self, args: Mapping[str, Json], progress: Progress) -> Json:
        """Everything that happens, as progress, until the connection is closed."""
        await self._calls.listen(progress)
