"""A door and its screens in the virtual house, and what each of them tells of a press.

    with House("door", "hall", "kitchen") as house, Family(house, "hall", "kitchen") as family:
        press = family.press()
        family.pictures(press)
        family["kitchen"].ask("answer")

Every event says `at` in seconds of the machine's monotonic clock, which all processes of a house share.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from meshdoor.control import decode, encode
from meshdoor.control.client import reachable_path
from tests.lab.capture import Packet
from tests.lab.host import Host
from tests.lab.house import House
from tests.lab.nodes import Node, wait_until
from tests.lab.protocol import LabError
from tests.lab.segments import UDP, segments
from tests.patience import PATIENCE

FIRST_MEDIA_PORT, RTP_HEADER = 1024, 12
REHEARSAL = 1.5  # seconds; a picture that stays away is missed after one
CALM = 0.05  # seconds in which the last words of a press come


@dataclass(frozen=True, slots=True)
class Told:
    """One event of one node."""

    node: str
    event: dict[str, Any]

    @property
    def at(self) -> float:
        return float(self.event["at"])

    def matches(self, kind: str, fields: dict[str, Any]) -> bool:
        event = self.event
        return event["event"] == kind and all(event.get(name) == value for name, value in fields.items())


class Ears:
    """Listens to the events of nodes. Has no thread: it hears while somebody waits."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self._names: dict[socket.socket, str] = {}
        self._rest: dict[socket.socket, bytes] = {}

    def listen(self, node: Node) -> None:
        """To one more node, or again to one that was started again."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with reachable_path(node.state) as path:
            connection.connect(path)
        connection.sendall(encode({"id": 1, "verb": "events", "args": {}}))
        self._names[connection], self._rest[connection] = node.name, b""
        self.until(lambda: any(told.node == node.name and told.event["event"] == "listening" for told in self.told))
        self.told = [told for told in self.told if told.event["event"] != "listening"]

    def until(self, true: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Hears until it is true. Raises LabError."""
        deadline = time.monotonic() + timeout
        while not true():
            left = deadline - time.monotonic()
            if left <= 0:
                raise LabError(f"not within {timeout:g} s; heard:\n" + "\n".join(map(str, self.told)))
            self._hear(left)

    def hear(self, seconds: float) -> None:
        """Hears for so long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._hear(left)

    def close(self) -> None:
        for connection in list(self._names):
            self._drop(connection)

    def _hear(self, timeout: float) -> None:
        for connection in select.select(list(self._names), [], [], timeout)[0]:
            try:
                data = connection.recv(1 << 16)
            except ConnectionError:
                data = b""
            if not data:
                self._drop(connection)
                continue
            *lines, self._rest[connection] = (self._rest[connection] + data).split(b"\n")
            self.told += [Told(self._names[connection], decode(line)["event"]) for line in lines if b'"event"' in line]

    def _drop(self, connection: socket.socket) -> None:
        connection.close()
        del self._names[connection], self._rest[connection]


@dataclass(frozen=True, slots=True)
class Pressed:
    """A press: when the button went down, and what the door said to it."""

    at: float
    id: str
    rings: tuple[str, ...]


class Family:
    """One home: a door, screens, ears at all of them. `settings` are lines of the door's config.toml; `nice` is how
    much the screens give way to the door, as if each had a machine of its own."""

    def __init__(self, house: House, *screens: str, door: str = "door", settings: str = "", nice: int = 0) -> None:
        self.house = house
        self.ears = Ears()
        (house[door].directory / "state").mkdir(mode=0o700)
        (house[door].directory / "state" / "config.toml").write_text(settings)
        self.screens = [Node(house[name], nice=nice) for name in screens]
        self.door = Node(house[door], "door")

    def __enter__(self) -> Family:
        founder, *others = self.screens
        founder.ask("found", home="Lab")
        for newcomer in (self.door, *others):
            founder.pair(newcomer)
            # A media engine starts with the first door and screen that meet: one after the other.
            wait_until(lambda node=newcomer: node.status()["node"]["media"] == "ready", 60)  # type: ignore[misc]
        self.settle(30 + len(others))
        for node in self:
            self.ears.listen(node)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ears.close()

    def __iter__(self) -> Iterator[Node]:
        return iter([*self.screens, self.door])

    def __getitem__(self, name: str) -> Node:
        return next(node for node in self if node.name == name)

    def settle(self, timeout: float = PATIENCE) -> None:
        """Until nobody rings or talks, and each sees all others so."""
        deadline = time.monotonic() + timeout
        names = {node.name for node in self}
        for node in self:
            try:
                wait_until(lambda node=node: names <= node.ready(), deadline - time.monotonic())  # type: ignore[misc]
            except LabError:
                states = {row["name"]: row["state"] for row in node.status()["members"]}
                raise LabError(f"{node.name} sees after {timeout:g} s: {states}") from None

    def start(self, node: Node) -> None:
        """Again, after it was killed."""
        node.process.wait()
        node.start()
        self.ears.listen(node)

    def press(self) -> Pressed:
        """Somebody presses the button. What was told before is forgotten."""
        self.forget()
        at = time.monotonic()
        said = self.door.ask("ring")
        return Pressed(at, said["press"], tuple(said["rings"]))

    def forget(self) -> None:
        """What was told before: so that no event of an earlier call is taken for one of the next."""
        self.ears.hear(CALM)
        self.ears.told.clear()

    def told(self, kind: str, node: str = "", **fields: Any) -> list[Told]:
        """What was heard so far of this kind."""
        return [told for told in self.ears.told if node in ("", told.node) and told.matches(kind, fields)]

    def hears(self, kind: str, node: str = "", timeout: float = PATIENCE, **fields: Any) -> Told:
        """Waits for an event, and gives the first such one. Raises LabError."""
        with suppress(LabError):
            self.ears.until(lambda: bool(self.told(kind, node, **fields)), timeout)
        found = self.told(kind, node, **fields)
        if not found:
            heard = "\n".join(map(str, self.ears.told))
            raise LabError(f"{node} told of no {kind} {fields} within {timeout:g} s; heard:\n{heard}")
        return found[0]

    def pictures(self, press: Pressed, screens: Iterable[str] = (), timeout: float = PATIENCE) -> dict[str, float]:
        """Seconds from the press to the first picture that each screen decoded and showed."""
        names = list(screens) or [screen.name for screen in self.screens]
        return {name: self.hears("picture", name, timeout).at - press.at for name in names}

    def steps(self, step: str) -> dict[str, Told]:
        """What the door noted of each branch, by the name of the screen: the last of this kind."""
        return {told.event["member"]: told for told in self.told("step", self.door.name, step=step)}

    def rehearse(self) -> None:
        """Until the media engines are there, and have gone through it once."""
        for node in self:
            wait_until(lambda node=node: node.status()["node"]["media"] == "ready", 60)  # type: ignore[misc]
        self.ears.hear(REHEARSAL)

    def calm(self) -> None:
        """Ends what rings or is talked in, and waits until everybody is ready again."""
        for node in self:
            node.ask("hangup")
        self.settle()
        self.ears.hear(CALM)


def is_sent_sound(family: Family, host: Host) -> bool:
    """Whether the door sends sound to a host, within a second."""
    packets: list[Packet]
    with host.capture() as packets:
        family.ears.hear(1.0)
    return bool(audio_from(family.house["door"], packets))


def audio_from(host: Host, packets: Iterable[Packet]) -> list[float]:
    """When RTP left a host, by what was captured at the door (seconds since 1970). A screen sends nothing else by
    RTP than sound. RTCP has packet types of its own (RFC 5761 §4)."""
    return [
        segment.at
        for segment in segments(packets)
        if segment.protocol == UDP
        and segment.source == host.ipv4
        and segment.source_port >= FIRST_MEDIA_PORT
        and len(segment.payload) >= RTP_HEADER
        and segment.payload[0] >> 6 == 2
        and not 192 <= segment.payload[1] <= 223
    ]
