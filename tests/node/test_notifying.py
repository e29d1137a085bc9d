"""Who is told of a visitor though not here, how often, and with what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from meshdoor.errors import ConfigError, Refused
from meshdoor.node import notifying as module
from meshdoor.node.arguments import Args
from meshdoor.node.family import Family, Sent
from meshdoor.node.notifying import Notifying
from meshdoor.node.push import Push
from meshdoor.node.wishes import Quiet, Subscription, Wishes
from meshdoor.store.state import StateDirectory
from meshdoor.trust.permissions import Permission
from tests.node.linked_homes import house, linked
from tests.patience import until
from tests.trust.house import admit_phone, chain, founding, key

PUSH = Subscription("https://push.example.org/x", "BA", "xx")
ALWAYS = Quiet.parse("00:00", "23:59", None)


class Service(Push):
    """Sends nothing."""

    def __init__(self, state: StateDirectory) -> None:
        super().__init__(state)
        self.sent: list[tuple[Any, str]] = []
        self.result: bool | OSError = True

    def send(self, subscription: Subscription, message: Any, topic: str = "") -> bool:
        self.sent.append((message, topic))
        if isinstance(self.result, OSError):
            raise self.result
        return self.result


class Messengers(Family):
    """Tells nobody."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))
        self.told: list[tuple[str, str, bytes]] = []
        self.result: Sent | ConfigError = Sent(1, 0)

    def tell(self, title: str, text: str, picture: bytes = b"") -> Sent:
        self.told.append((title, text, picture))
        if isinstance(self.result, ConfigError):
            raise self.result
        return self.result


@dataclass
class Here:
    notifying: Notifying
    wishes: Wishes
    push: Service
    family: Messengers
    here: set[bytes] = field(default_factory=set)

    def visitor(self, press: str = "0" * 16) -> None:
        self.notifying.tell({"event": "visitor", "visit": 1, "door": "Gate", "press": press})


@asynccontextmanager
async def home(folder: Path, *phones: Any, family: bool = True) -> AsyncIterator[Here]:
    hall = house("Hall", chain(founding(), *(("Hall", phone) for phone in phones)))
    state = await asyncio.to_thread(StateDirectory.open, folder / "hall")
    wishes, push, messengers, here = Wishes({}, lambda table: None), Service(state), Messengers(), set[bytes]()
    notifying = Notifying(hall, wishes, push, messengers if family else None, here.__contains__)
    made = Here(notifying, wishes, push, messengers, here)
    async with linked(hall):
        running = asyncio.create_task(notifying.run())
        await asyncio.sleep(0)
        try:
            yield made
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await asyncio.to_thread(state.close)


async def test_a_phone_that_is_away_is_told(tmp_path: Path) -> None:
    async with home(tmp_path, admit_phone("Alice")) as here:
        here.wishes.set_push(key("Alice"), PUSH)
        here.visitor()
        await until(lambda: here.push.sent)
        message, topic = here.push.sent[0]
        assert message["body"] == "Somebody is at Gate."
        assert (message["title"], message["tag"], topic) == ("Our house", "0" * 16, "0" * 16)


async def test_who_is_not_told(tmp_path: Path) -> None:
    async with home(
        tmp_path, admit_phone("Alice"), admit_phone("Bob", permissions=[Permission.TALK]), family=False
    ) as here:
        for name in ("Alice", "Bob", "Gate"):
            here.wishes.set_push(key(name), PUSH)
        here.here.add(key("Alice"))
        here.visitor()
        here.here.clear()
        here.wishes.set_quiet(key("Alice"), ALWAYS)
        here.visitor()
        here.notifying.tell({"event": "bell", "on": True})
        await asyncio.sleep(0.05)
        assert not here.push.sent


async def test_a_guest_whose_time_is_over_is_not_told(tmp_path: Path) -> None:
    async with home(tmp_path, admit_phone("Alice", until=1)) as here:
        here.wishes.set_push(key("Alice"), PUSH)
        here.visitor()
        await asyncio.sleep(0.05)
        assert not here.push.sent


async def test_a_phone_that_takes_no_messages_any_more_is_forgotten(tmp_path: Path) -> None:
    async with home(tmp_path, admit_phone("Alice")) as here:
        here.wishes.set_push(key("Alice"), PUSH)
        here.push.result = False
        here.visitor()
        await until(lambda: not here.wishes.subscriptions())


async def test_what_could_not_be_sent_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with home(tmp_path, admit_phone("Alice")) as here:
        here.wishes.set_push(key("Alice"), PUSH)
        here.push.result = OSError("no way there")
        here.visitor()
        await until(lambda: "no way there" in caplog.text)
        assert "push.example.org" not in caplog.text


async def test_a_bell_that_is_pressed_all_day_is_told_of_now_and_then(tmp_path: Path) -> None:
    async with home(tmp_path, admit_phone("Alice")) as here:
        here.wishes.set_push(key("Alice"), PUSH)
        for number in range(50):
            here.visitor(f"{number:016x}")
            here.notifying.pictured(f"{number:016x}", b"jpeg")
            await asyncio.sleep(0)
        await until(lambda: len(here.family.told) == len(here.push.sent) == 4)


async def test_the_family_is_told_with_the_picture(tmp_path: Path) -> None:
    async with home(tmp_path) as here:
        here.visitor()
        here.notifying.pictured("f" * 16, b"another")
        here.notifying.pictured("0" * 16, b"jpeg")
        here.notifying.pictured("0" * 16, b"later")
        await until(lambda: here.family.told)
        assert here.family.told == [("Our house", "Somebody is at Gate.", b"jpeg")]


async def test_or_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PICTURE_PATIENCE", 0.02)
    async with home(tmp_path) as here:
        here.visitor()
        await until(lambda: here.family.told)
        assert here.family.told[0][2] == b""


@pytest.mark.parametrize("result", [Sent(1, 1), ConfigError("no file", "write one")])
async def test_a_family_that_was_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, result: Sent | ConfigError
) -> None:
    async with home(tmp_path) as here:
        here.family.result = result
        here.visitor()
        here.notifying.pictured("0" * 16, b"jpeg")
        await until(lambda: "told of a visitor" in caplog.text)


async def test_a_test(tmp_path: Path) -> None:
    async with home(tmp_path, admit_phone("Alice"), admit_phone("Bob")) as here:
        here.wishes.set_push(key("Alice"), PUSH)
        here.wishes.set_push(key("Gate"), PUSH)
        assert (await here.notifying.test(Args({})))["text"] == "Alice: told\nnotify.urls_file: 1 told"
        here.push.result = OSError("no way there")
        assert "Alice: no way there" in (await here.notifying.test(Args({})))["text"]
        here.push.result = False
        assert "Alice: takes no messages any more" in (await here.notifying.test(Args({})))["text"]
    async with home(tmp_path, family=False) as here:
        with pytest.raises(Refused, match="nobody would be told"):
            await here.notifying.test(Args({}))
