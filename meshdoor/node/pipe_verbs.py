"""The commands of linphone-daemon, for scripts that were written for it.

Whoever called a home screen through it calls the house: on a door `call` is a press. What is a setting of a media
stack that is not here (codecs, jitter buffers, ports, encryption) is accepted, said once in the log, and changes
nothing: media is encrypted in any case.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

from meshdoor.control import Json
from meshdoor.control.daemon import Reply
from meshdoor.errors import MeshdoorError, UserError
from meshdoor.node import journal
from meshdoor.node.pipe_calls import PipeCall, PipeCalls, State
from meshdoor.version import __version__

SETTINGS: Final = frozenset(
    {
        "adaptive-jitter-compensation",
        "audio-codec-disable",
        "audio-codec-enable",
        "audio-codec-move",
        "audio-codec-set",
        "auth-infos-clear",
        "autovideo",
        "call-mute",
        "cn",
        "config-set",
        "firewall-policy",
        "ipv6",
        "jitter-buffer",
        "jitter-buffer-reset",
        "media-encryption",
        "msfilter-add-fmtp",
        "netsim",
        "port",
        "ptime",
        "video",
        "video-codec-disable",
        "video-codec-enable",
        "videodisplay-set",
        "videopreview",
        "videosource",
        "videosource-reload",
        "videosource-set",
    }
)
USAGE: Final = {
    "answer": "answer <call_id>",
    "call": "call <sip_address> [--early-media]",
    "call-status": "call-status [<call_id>]",
    "dtmf": "dtmf <digit>",
    "help": "help [<command>]",
    "message": "message <sip_address> <text>",
    "pop-event": "pop-event",
    "quit": "quit",
    "register": "register <identity> <proxy_address> [<password>] [<userid>] [<realm>] [<parameter>]",
    "register-info": "register-info <register_id>|ALL",
    "register-status": "register-status <register_id>|ALL",
    "terminate": "terminate [<call_id>]",
    "unregister": "unregister <register_id>|ALL",
    "version": "version",
}
NO_CALL: Final = Reply.error("No call with such id.")
NO_REGISTER: Final = Reply.error("No register with such id.")


class Phone(Protocol):
    """What a script may do here. Each raises MeshdoorError."""

    def dial(self, address: str) -> Json:
        """Call whom an address means: {"press": id} or {"call": number}."""

    def answer(self, visit: int | None, call: int | None) -> Json:
        """Answer what rings here."""

    def decline(self, visit: int | None, call: int | None) -> Json:
        """Decline what rings here."""

    def hang_up(self) -> Json:
        """End what is on here."""

    async def dtmf(self, digits: str) -> Json:
        """Type digits to whom this node talks with."""

    async def message(self, address: str, text: str) -> str:
        """Send a text; its id."""


class Registers(Protocol):
    """Outside accounts that a script asks for."""

    def register(self, identity: str, proxy: str, password: str, user: str) -> int:
        """A number for the account. Raises MeshdoorError."""

    def unregister(self, number: int) -> bool:
        """False if there is no such account."""

    def rows(self) -> dict[int, tuple[str, str, str]]:
        """Identity, proxy and state (as liblinphone has them) of each."""


Command = Callable[[str], Reply | Awaitable[Reply]]


class PipeVerbs:
    """`obey` each command; `quit` is a matter of who reads the pipe."""

    def __init__(self, phone: Phone, registers: Registers, calls: PipeCalls, now: Callable[[], float]) -> None:
        self._phone = phone
        self._registers = registers
        self._calls = calls
        self._now = now
        self._said: set[str] = set()
        self._commands: dict[str, Command] = {
            "answer": self._answer,
            "call": self._call,
            "call-status": self._status,
            "contact": self._contact,
            "dtmf": self._dtmf,
            "help": self._help,
            "message": self._message,
            "pop-event": lambda _: self._calls.pop(),
            "quit": lambda _: Reply(),
            "register": self._register,
            "register-info": self._register_info,
            "register-status": self._register_status,
            "terminate": self._terminate,
            "unregister": self._unregister,
            "version": lambda _: Reply(body=f"Version: {__version__}"),
        }

    async def obey(self, line: str) -> Reply:
        """One command, and what is said to it."""
        name, _, rest = line.partition(" ")
        command = self._commands.get(name)
        if command is None:
            return self._setting(name)
        try:
            reply = command(rest.strip())
            return reply if isinstance(reply, Reply) else await reply
        except MeshdoorError as error:
            hint = f" ({error.hint})" if isinstance(error, UserError) and error.hint else ""
            return Reply.error(f"{error}{hint}")

    def _setting(self, name: str) -> Reply:
        if name not in SETTINGS:
            return Reply.error("Unknown command.")
        if name not in self._said:
            self._said.add(name)
            journal.say("pipe", f"a script says {name!r}, which changes nothing here")
        return Reply()

    def _call(self, rest: str) -> Reply:
        words = rest.split()
        addresses = [word for word in words if not word.startswith("--")]
        if not addresses:
            return Reply.error("Missing address parameter.")
        address = " ".join(addresses)
        begun = self._phone.dial(address)
        if "press" in begun:
            return Reply.fields(Id=self._calls.pressed(begun["press"], address).id)
        return Reply.fields(Id=self._calls.called(begun["call"], address).id)

    def _answer(self, rest: str) -> Reply:
        waiting = [call for call in self._calls.on if call.state is State.RINGS_HERE]
        call = self._calls.find(_number(rest)) if rest else next(iter(waiting), None)
        if call is None:
            return NO_CALL if rest else Reply.error("No call to accept.")
        if call not in waiting:
            return Reply.error("Can't accept this call.")
        self._phone.answer(call.visit, call.call)
        return Reply()

    def _terminate(self, rest: str) -> Reply:
        call = self._calls.find(_number(rest)) if rest else self._calls.current
        if call is None:
            return NO_CALL if rest else Reply.error("No active call.")
        if call.state is State.RINGS_HERE:
            self._phone.decline(call.visit, call.call)
        else:
            self._phone.hang_up()
        return Reply()

    def _status(self, rest: str) -> Reply:
        call = self._calls.find(_number(rest)) if rest else self._calls.current
        if call is None:
            return NO_CALL if rest else Reply.error("No current call available.")
        return self._calls.status(call, self._now())

    async def _dtmf(self, rest: str) -> Reply:
        digits = rest.split()
        if not digits:
            return Reply.error("Missing digit parameter.")
        current: PipeCall | None = self._calls.current
        if current is not None and current.state is State.RUNNING:
            await self._phone.dtmf(digits[0][:1])
        return Reply()  # the daemon says so without a call as well

    async def _message(self, rest: str) -> Reply:
        address, _, text = rest.partition(" ")
        if not address:
            return Reply.error("Missing uri parameter.")
        return Reply.fields(Id=await self._phone.message(address, text))

    def _contact(self, rest: str) -> Reply:
        return Reply() if rest else Reply.error("Missing/Incorrect parameter(s).")

    def _register(self, rest: str) -> Reply:
        words = rest.split()
        if len(words) < 2:
            return Reply.error("Missing/Incorrect parameter(s).")
        identity, proxy, password, user = (word.strip("<>\"'") for word in (*words, "", "")[:4])
        return Reply.fields(Id=self._registers.register(identity, proxy, password, "" if user == "NULL" else user))

    def _unregister(self, rest: str) -> Reply:
        if not rest:
            return Reply.error("Missing parameter.")
        numbers = list(self._registers.rows()) if rest == "ALL" else [_number(rest)]
        known = [self._registers.unregister(number) for number in numbers]
        return Reply() if all(known) else NO_REGISTER

    def _register_status(self, rest: str) -> Reply:
        return self._described(rest, lambda number, row: f"Id: {number}\nState: {row[2]}\n")

    def _register_info(self, rest: str) -> Reply:
        return self._described(
            rest, lambda number, row: f"Id: {number}\nIdentity: {row[0]}\nProxy: {row[1]}\nState: {row[2]}\n"
        )

    def _described(self, rest: str, describe: Callable[[int, tuple[str, str, str]], str]) -> Reply:
        if not rest:
            return Reply.error("Missing parameter.")
        rows = self._registers.rows()
        wanted: Iterable[int] = rows if rest == "ALL" else [_number(rest)]
        if not set(wanted) <= rows.keys():
            return NO_REGISTER
        return Reply(body="\n".join(describe(number, rows[number]) for number in wanted))

    def _help(self, rest: str) -> Reply:
        if not rest:
            return Reply(body="".join(f"{usage}\n" for usage in USAGE.values()))
        return Reply(body=USAGE[rest]) if rest in USAGE else Reply.error("Unknown command.")


def _number(text: str) -> int:
    """What the daemon makes of it: a text that is no number is 0, the number of no call."""
    return int(text) if text.isdecimal() and len(text) < 10 else 0
