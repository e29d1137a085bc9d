"""A home of one screen that lets newcomers in, and the two ends of a pairing with the wire between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from meshdoor.errors import MeshdoorError
from meshdoor.trust.exchange import HEADER_SIZE, Exchange
from meshdoor.trust.history import History
from meshdoor.trust.identity import Identity
from meshdoor.trust.introduction import Grant, Newcomer
from meshdoor.trust.permissions import DEFAULTS, Role
from meshdoor.trust.statement import Admit

HINTS = ("192.0.2.1:5071",)
Change = Callable[[str, bytes], bytes]


@dataclass
class House:
    """What the admitter's shell does at a pairing."""

    screen: Identity = field(default_factory=Identity.generate)
    history: History = field(default_factory=History)
    admitted: list[Newcomer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.history.found(self.screen, "Home", "Kitchen", 0)

    def take_in(self, identity: Identity, name: str = "Hall") -> None:
        """Admit a door whose identity is known."""
        self._state(identity.key, identity.certificate, name, Role.DOOR)

    def admit(self, newcomer: Newcomer) -> Grant:
        self.admitted.append(newcomer)
        self._state(newcomer.key, newcomer.certificate, newcomer.name, newcomer.role)
        return Grant(tuple(self.history.wire()), HINTS)

    def _state(self, key: bytes, certificate: bytes, name: str, role: Role) -> None:
        self.history.admit(self.screen, Admit(key, certificate, name, role, DEFAULTS[role]), 0)


def frames_of(stream: bytes) -> list[bytes]:
    """The stream cut into whole frames."""
    frames = []
    while stream:
        end = HEADER_SIZE + int.from_bytes(stream[1:HEADER_SIZE], "big")
        frames.append(stream[:end])
        stream = stream[end:]
    return frames


@dataclass
class Conversation:
    """Runs an admitter and a newcomer against each other; keeps what each sent and the error it met."""

    admitter: Exchange[Any]
    newcomer: Exchange[Any]
    change: Change = lambda sender, frame: frame
    sent: dict[str, list[bytes]] = field(default_factory=lambda: {"A": [], "N": []})
    errors: dict[str, MeshdoorError] = field(default_factory=dict)

    def run(self) -> Conversation:
        while self._carry("A", self.admitter, self.newcomer) | self._carry("N", self.newcomer, self.admitter):
            pass
        for name, end in (("A", self.admitter), ("N", self.newcomer)):
            self._give(name, end, b"")
        return self

    def _carry(self, sender: str, source: Exchange[Any], target: Exchange[Any]) -> bool:
        frames = frames_of(source.data_to_send())
        for frame in frames:
            self.sent[sender].append(frame)
            self._give("N" if sender == "A" else "A", target, self.change(sender, frame))
        return bool(frames)

    def _give(self, name: str, end: Exchange[Any], data: bytes) -> None:
        try:
            end.receive(data)
        except MeshdoorError as error:
            self.errors[name] = error
