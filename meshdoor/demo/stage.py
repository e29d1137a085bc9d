"""Where the nodes of the demo run: in a virtual house, or side by side on the loopback interface."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from meshdoor.client import connect
from meshdoor.control import Json
from meshdoor.errors import NotRunning, UserError
from meshdoor.store.location import checkout

PATIENCE = 30.0  # seconds for a node to start, and for the house to agree
POLL = 0.02


@dataclass(frozen=True, slots=True)
class Part:
    """One node of the play: its name, its role, its settings (TOML)."""

    name: str
    role: str
    settings: str = ""

    @property
    def slug(self) -> str:
        return self.name.lower().replace(" ", "-")


class Actor:
    """A node that runs."""

    def __init__(self, part: Part, folder: Path) -> None:
        self.name = part.name
        self.role = part.role
        self.state = folder / "state"
        self.log = folder / "log"

    async def ask(self, verb: str, **args: Json) -> Json:
        """What it answers to one verb."""
        async with connect(self.state) as home:
            return await home.call(verb, **args)

    async def until(self, verb: str, true: Callable[[Json], bool]) -> Json:
        """What it answers once that is as wanted. Raises UserError."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    try:
                        answer = await self.ask(verb)
                        if true(answer):
                            return answer
                    except NotRunning:
                        pass  # it starts
                    await asyncio.sleep(POLL)
        except TimeoutError:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-12:]) if self.log.exists() else ""
            raise UserError(f"{self.name} did not get there within {PATIENCE:.0f} s\n{tail}") from None


class Stage(Protocol):
    """Starts nodes; they end when it is left."""

    about: str

    def start(self, part: Part) -> Actor:
        """A node, not yet ready."""

    def lose(self, percent: float) -> None:
        """Lose so many packets each way. Raises UserError where that cannot be done."""


class Loopback:
    """All nodes on this host, on the loopback interface."""

    about = "on the loopback interface of this machine"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, part: Part) -> Actor:
        actor = _prepared(replace(part, settings=part.settings + "[sip]\nport = 0\n"), self._folder)
        with actor.log.open("wb") as log:
            command = _command(part, actor, ("--port", "0", "--interface", "lo"))
            self._running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        return actor

    def lose(self, percent: float) -> None:
        raise UserError("--loss needs the virtual house", "run ./dev demo from a checkout, on Linux, with nftables")

    def close(self) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Virtual:
    """Each node on a host of its own, in network namespaces (tests/lab)."""

    about = "in a virtual house: a host with addresses of its own for each node"

    def __init__(self, house: object, folder: Path) -> None:
        from tests.lab import House

        assert isinstance(house, House)
        self._house = house
        self._folder = folder

    def start(self, part: Part) -> Actor:
        (host,) = self._house.add(part.slug)
        actor = _prepared(part, self._folder)
        process = host.start(_command(part, actor, ()))
        actor.log = process.log
        return actor

    def lose(self, percent: float) -> None:
        for host in self._house:
            host.lose(percent)


@contextmanager
def stage(folder: Path, loopback: bool) -> Iterator[Stage]:
    """The best stage there is here; with `loopback` the plain one."""
    source = checkout()
    if source is not None and not loopback:
        sys.path.insert(0, str(source))
        from tests.lab import House, unavailable

        if not unavailable():
            with House(directory=_made(folder / "house")) as house:
                yield Virtual(house, folder)
            return
    plain = Loopback(folder)
    try:
        yield plain
    finally:
        plain.close()


def _prepared(part: Part, folder: Path) -> Actor:
    actor = Actor(part, _made(folder / part.slug))
    _made(actor.state)
    (actor.state / "config.toml").write_text(part.settings)
    return actor


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    return folder


def _command(part: Part, actor: Actor, options: Sequence[str]) -> list[str]:
    itself = [sys.executable, "-m", "meshdoor", "run", "--state", str(actor.state)]
    return [*itself, "--name", part.name, "--role", part.role, *options]
