"""The commands of linphone-daemon, with the answers that 5.1.65 gives."""

from __future__ import annotations

import pytest

from meshdoor.control import Json
from meshdoor.errors import Refused
from meshdoor.node.pipe_calls import PipeCalls
from meshdoor.node.pipe_verbs import PipeVerbs
from meshdoor.version import __version__

PRESS = "cd" * 8


class Phone:
    """Takes notes, and rings."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.calls = PipeCalls(lambda: "myhouse")
        self.begun: Json = {"press": PRESS}

    def dial(self, address: str) -> Json:
        self.done.append(("dial", address))
        if "nobody" in address:
            raise Refused("nobody is called so", "see members")
        if "press" in self.begun:
            self.calls.heard({"event": "pressed", "press": PRESS})
        return self.begun

    def answer(self, visit: int | None, call: int | None) -> Json:
        self.done.append(("answer", visit, call))

    def decline(self, visit: int | None, call: int | None) -> Json:
        self.done.append(("decline", visit, call))

    def hang_up(self) -> Json:
        self.done.append("hang up")

    async def dtmf(self, digits: str) -> Json:
        self.done.append(("dtmf", digits))

    async def message(self, address: str, text: str) -> str:
        self.done.append((address, text))
        return "m1"


class Registers:
    """Accounts without a server."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[str, str, str]] = {}
        self.asked: list[tuple[str, str, str, str]] = []

    def register(self, identity: str, proxy: str, password: str, user: str) -> int:
        self.asked.append((identity, proxy, password, user))
        self.known[len(self.asked)] = (identity, proxy, "LinphoneRegistrationOk")
        return len(self.asked)

    def unregister(self, number: int) -> bool:
        return self.known.pop(number, None) is not None

    def rows(self) -> dict[int, tuple[str, str, str]]:
        return self.known


class Script:
    """One script and what it talks to."""

    def __init__(self) -> None:
        self.phone, self.registers = Phone(), Registers()
        self.verbs = PipeVerbs(self.phone, self.registers, self.phone.calls, lambda: 3.0)

    async def says(self, line: str) -> str:
        return bytes(await self.verbs.obey(line)).decode()


def error(reason: str) -> str:
    return f"Status: Error\nReason: {reason}\n"


OK = "Status: Ok\n"
VISITOR = {"event": "visitor", "visit": 4, "door": "Gate"}


async def test_a_button_calls_the_home_screen_and_hangs_up() -> None:
    script = Script()
    assert await script.says("call sip:homescreen@myhouse") == "Status: Ok\n\nId: 1\n\n"
    assert await script.says("call sip:homescreen@myhouse --early-media") == "Status: Ok\n\nId: 1\n\n"
    progress = "Status: Ok\n\nState: LinphoneCallOutgoingProgress\nFrom: sip:homescreen@myhouse\n\n"
    assert await script.says("call-status") == await script.says("call-status 1") == progress
    assert "Event: LinphoneCallOutgoingInit" in await script.says("pop-event")
    assert await script.says("terminate") == OK
    assert script.phone.done[0] == ("dial", "sip:homescreen@myhouse")
    assert script.phone.done[-1] == "hang up"


async def test_a_screen_calls_rooms() -> None:
    script = Script()
    script.phone.begun = {"call": 6}
    assert await script.says("call sip:hall@myhouse") == "Status: Ok\n\nId: 1\n\n"


async def test_a_screen_answers_and_declines() -> None:
    script = Script()
    assert await script.says("answer") == error("No call to accept.")
    script.phone.calls.heard(VISITOR)
    assert await script.says("answer 7") == error("No call with such id.")
    assert await script.says("answer 1") == await script.says("answer") == OK
    assert await script.says("terminate 1") == OK
    script.phone.calls.heard({"event": "answered", "visit": 4, "at": 1.0})
    assert await script.says("answer 1") == error("Can't accept this call.")
    assert "Duration: 2" in await script.says("call-status 1")
    assert await script.says("dtmf 1 2") == OK
    assert script.phone.done == [("answer", 4, None)] * 2 + [("decline", 4, None), ("dtmf", "1")]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("call", error("Missing address parameter.")),
        ("call sip:nobody@myhouse", error("nobody is called so (see members)")),
        ("call-status", error("No current call available.")),
        ("call-status 9", error("No call with such id.")),
        ("terminate", error("No active call.")),
        ("terminate x", error("No call with such id.")),
        ("dtmf", error("Missing digit parameter.")),
        ("dtmf 1", OK),
        ("message", error("Missing uri parameter.")),
        ("message sip:bob@myhouse hello  you", "Status: Ok\n\nId: m1\n\n"),
        ("register", error("Missing/Incorrect parameter(s).")),
        ("register sip:a@b", error("Missing/Incorrect parameter(s).")),
        ("unregister", error("Missing parameter.")),
        ("unregister 3", error("No register with such id.")),
        ("unregister ALL", OK),
        ("register-status", error("Missing parameter.")),
        ("register-status 3", error("No register with such id.")),
        ("register-status ALL", OK),
        ("contact", error("Missing/Incorrect parameter(s).")),
        ("contact sip:a@b", OK),
        ("pop-event", "Status: Ok\n\nSize: 0\n\n"),
        ("version", f"Status: Ok\n\nVersion: {__version__}\n"),
        ("quit", OK),
        ("nonsense", error("Unknown command.")),
        ("help nonsense", error("Unknown command.")),
        ("help call", "Status: Ok\n\ncall <sip_address> [--early-media]\n"),
    ],
)
async def test_answers(line: str, answer: str) -> None:
    assert await Script().says(line) == answer


async def test_help_lists_the_commands() -> None:
    assert "\nterminate [<call_id>]\n" in await Script().says("help")


async def test_accounts_are_numbered() -> None:
    script = Script()
    assert await script.says("register sip:door@x <sip:x;transport=tls> secret NULL") == "Status: Ok\n\nId: 1\n\n"
    assert await script.says("register sip:b@y sip:y") == "Status: Ok\n\nId: 2\n\n"
    assert script.registers.asked == [("sip:door@x", "sip:x;transport=tls", "secret", ""), ("sip:b@y", "sip:y", "", "")]
    state = "State: LinphoneRegistrationOk\n"
    assert await script.says("register-status 1") == f"Status: Ok\n\nId: 1\n{state}\n"
    assert await script.says("register-status ALL") == f"Status: Ok\n\nId: 1\n{state}\nId: 2\n{state}\n"
    info = f"Status: Ok\n\nId: 2\nIdentity: sip:b@y\nProxy: sip:y\n{state}\n"
    assert await script.says("register-info 2") == info
    assert await script.says("unregister ALL") == OK
    assert await script.says("register-status 1") == error("No register with such id.")


async def test_settings_that_mean_nothing_here_do_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "meshdoor")
    script = Script()
    assert await script.says("media-encryption srtp") == await script.says("media-encryption") == OK
    assert [record.getMessage() for record in caplog.records] == [
        "a script says 'media-encryption', which changes nothing here"
    ]
