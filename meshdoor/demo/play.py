"""The play: found a home, pair everyone, press, answer, open, hang up, revoke; and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from meshdoor.client import connect
from meshdoor.control import Json
from meshdoor.demo.stage import Actor, Part, Stage
from meshdoor.demo.timeline import Timeline
from meshdoor.errors import Refused, UserError

if TYPE_CHECKING:
    from rich.console import Console

Render = Callable[[Json], str]  # a status, as a person reads it

ROOMS = ("Kitchen", "Hall", "Bedroom", "Study", "Attic", "Workshop")
DOOR_TONE, FIRST_TONE, TONE_STEP = 440, 600, 100  # Hz
RINGS = 3.0  # seconds until somebody answers
TALKS = 2.5
PICTURE_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Choices:
    """What the person asked for."""

    screens: int = 3
    camera: str = "card"
    loss: float = 0.0
    auto: bool = False


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays."""

    door: Actor
    screens: tuple[Actor, ...]
    lock: Actor

    @property
    def everyone(self) -> tuple[Actor, ...]:
        return (*self.screens, self.door, self.lock)

    @property
    def winner(self) -> Actor:
        return self.screens[len(self.screens) // 2]


class Play:
    """One showing. `folder` is where pictures and sound go."""

    def __init__(self, console: Console, stage: Stage, folder: Path, choices: Choices, render: Render) -> None:
        self._console = console
        self._stage = stage
        self._folder = folder
        self._choices = choices
        self._render = render
        self._faults: list[str] = []
        self._timeline = Timeline(console)

    async def run(self) -> list[str]:
        """What did not go as it should: nothing, as a rule."""
        cast = await self._assemble()
        await self._pair(cast)
        await self._show_status(cast.screens[0])
        await self._press(cast)
        await self._revoke(cast)
        return self._faults

    async def _assemble(self) -> Cast:
        began = time.monotonic()
        rooms = [ROOMS[n] if n < len(ROOMS) else f"Room {n + 1}" for n in range(self._choices.screens)]
        screens = [
            Part(room, "screen", self._settings(room, FIRST_TONE + TONE_STEP * n)) for n, room in enumerate(rooms)
        ]
        door = Part("Front door", "door", self._settings("Front door", DOOR_TONE))
        lock = Part("Door lock", "lock", '[lock]\nof = "Front door"\n')
        actors = {part.name: self._stage.start(part) for part in (*screens, door, lock)}
        cast = Cast(actors[door.name], tuple(actors[part.name] for part in screens), actors[lock.name])
        for actor in cast.everyone:
            await actor.until("status", lambda _: True)
        self._note(f"{len(actors)} nodes run {self._stage.about}", began)
        return cast

    def _settings(self, name: str, tone: int) -> str:
        out = self._folder / name.lower().replace(" ", "-")
        out.mkdir()
        camera = str(Path(self._choices.camera).resolve()) if self._choices.camera != "card" else "card"
        return (
            f'[media]\ncamera = "{camera}"\nmicrophone = "tone:{tone}"\n'
            f'speaker = "file"\ndisplay = "file"\nout_dir = "{out}"\n'
        )

    async def _pair(self, cast: Cast) -> None:
        began = time.monotonic()
        first = cast.screens[0]
        await first.ask("found", home="Demo house", anyway=True)
        for other in (actor for actor in cast.everyone if actor is not first):
            itself = (await other.ask("status"))["node"]
            await first.until("newcomers", partial(_lists, identifier=itself["id"]))
            await first.ask("pair", id=itself["id"], code=itself["pairing"]["code"], name=None)
        for actor in cast.everyone:
            await actor.until("status", lambda seen: _complete(seen, len(cast.everyone)))
        for actor in (cast.door, *cast.screens):
            await actor.until("status", lambda seen: seen["node"]["media"] == "ready")
        self._note(f"{first.name} founded a home and let in the other {len(cast.everyone) - 1} by their codes", began)

    async def _show_status(self, actor: Actor) -> None:
        document = await actor.until("status", lambda seen: not seen["attention"])
        self._console.print(f"\n[dim]$ meshdoor status[/dim]      [dim](on {actor.name})[/dim]", highlight=False)
        self._console.print(self._render(document) + "\n", highlight=False, markup=False)

    async def _press(self, cast: Cast) -> None:
        if self._choices.loss:
            self._stage.lose(self._choices.loss)
            self._console.print(f"From now on {self._choices.loss:g} % of all packets are lost, each way.")
        if not self._choices.auto:
            await _enter("Press ENTER to ring the door ")
        async with _listening(cast.everyone, self._timeline):
            self._timeline.zero = time.monotonic()
            asked = await cast.door.ask("ring")
            self._timeline.say(f"somebody presses: {', '.join(asked['rings'])} are asked", "bold")
            await self._ringing(cast)
            await self._talking(cast)
            await cast.door.ask("hangup")
            await cast.door.until("status", lambda seen: all(row["state"] == "ready" for row in seen["members"]))
        self._look_back(cast)

    async def _ringing(self, cast: Cast) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PICTURE_PATIENCE):
                while len(self._timeline.pictures) < len(cast.screens):
                    self._timeline.news.clear()
                    await self._timeline.news.wait()
        dark = {screen.name for screen in cast.screens} - self._timeline.pictures.keys()
        self._faults += [f"{name} showed no picture" for name in sorted(dark)]
        await asyncio.sleep(max(0.0, self._timeline.zero + RINGS - time.monotonic()))

    async def _talking(self, cast: Cast) -> None:
        try:
            await cast.winner.ask("answer")
        except Refused as error:
            self._faults.append(f"{cast.winner.name} could not answer: {error}")
            return
        await asyncio.sleep(TALKS / 2)
        try:
            receipt = await cast.winner.ask("open", door=cast.door.name)
            what = f"{receipt['lock']} {receipt['result']} for {receipt['person']} after {receipt['took_ms']:.0f} ms"
            kind = "simulated, " if receipt["simulated"] else ""
            self._timeline.say(f"{what} ({kind}signed receipt)", "bold magenta")
        except UserError as error:
            self._faults.append(f"the lock did not open: {error}")
        await asyncio.sleep(TALKS / 2)

    def _look_back(self, cast: Cast) -> None:
        """What is in the files: the pictures that were decoded, the tones that were heard."""
        from meshdoor.demo.evidence import look_back

        faults = look_back(
            self._console, self._folder, cast.door.name, [s.name for s in cast.screens], cast.winner.name
        )
        self._faults += faults if self._choices.camera == "card" else [f for f in faults if "frame number" not in f]
        losers = {screen.name for screen in cast.screens if screen is not cast.winner}
        for name in sorted(losers):
            if self._timeline.endings.get(name) != "answered elsewhere":
                self._faults.append(f"{name} did not hear that {cast.winner.name} was faster")

    async def _revoke(self, cast: Cast) -> None:
        first, gone = cast.screens[0], cast.screens[-1]
        if first is gone:
            return
        began = time.monotonic()
        await first.ask("revoke", member=gone.name)
        for actor in cast.everyone:
            await actor.until("status", lambda seen: _revoked(seen, gone.name))
        self._note(f"{gone.name} was revoked, and every node knows", began)
        await self._show_status(first)

    def _note(self, text: str, began: float) -> None:
        self._console.print(f"{text} [dim]({time.monotonic() - began:.1f} s)[/dim]", highlight=False)


def _lists(seen: Json, identifier: str) -> bool:
    return any(newcomer["id"] == identifier for newcomer in seen)


def _complete(seen: Json, members: int) -> bool:
    ready = sum(row["state"] == "ready" for row in seen["members"])
    return bool(ready == members)


def _revoked(seen: Json, name: str) -> bool:
    return any(row["name"] == name and row["state"] == "revoked" for row in seen["members"])


@contextlib.asynccontextmanager
async def _listening(actors: Sequence[Actor], timeline: Timeline) -> AsyncIterator[None]:
    """Hear what every node tells."""
    ready = [asyncio.Event() for _ in actors]

    async def follow(actor: Actor, heard: asyncio.Event) -> None:
        async with connect(actor.state) as home:
            async for event in home.events():
                heard.set()
                timeline.heard(actor.name, event)

    tasks = [asyncio.create_task(follow(actor, heard)) for actor, heard in zip(actors, ready, strict=True)]
    try:
        for heard in ready:
            await asyncio.wait_for(heard.wait(), 5)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _enter(prompt: str) -> None:
    """Until the person presses ENTER; at once where nobody can."""
    if not sys.stdin.isatty():
        return
    print(prompt, end="", flush=True)
    loop = asyncio.get_running_loop()
    pressed = asyncio.Event()

    def take() -> None:
        sys.stdin.readline()
        pressed.set()

    loop.add_reader(sys.stdin, take)
    try:
        await pressed.wait()
    finally:
        loop.remove_reader(sys.stdin)
