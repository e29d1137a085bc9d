"""Claiming `<host name>.local`, so that `sip:door@door.local` finds the door (RFC 6762 §8, §9; state machine, sans-IO).

A host has often a responder for its own name already (avahi): whoever answers keeps it, and we stay silent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from ipaddress import ip_address

from meshdoor.mesh import dns
from meshdoor.mesh.dns import Message, Name, Question, Record, folded

PROBES = 3
PROBE_INTERVAL = 0.25  # seconds, §8.1
FIRST_PROBE = (0.0, 0.25)  # seconds, §8.1
LOST_INTERVAL = 1.0  # seconds until a probe that lost is tried again (§8.2)
TAKEN_INTERVAL = 120.0  # seconds until a name that another host has is tried again
TTL = 120  # seconds, §10

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class State(StrEnum):
    """Where a claim is."""

    PROBING = "PROBING"
    HELD = "HELD"
    TAKEN = "TAKEN"  # somebody else answers for it


class HostName:
    """One claim. `records` are to be published while it is held; `take_probe` is what to send."""

    def __init__(self, label: str, uniform: Callable[[float, float], float], now: float) -> None:
        self.name: Name = (label.encode(), b"local")
        self.state = State.PROBING
        self._addresses: tuple[Record, ...] = ()
        self._probes = 0
        self._probe: Message | None = None
        self._deadline: float | None = now + uniform(*FIRST_PROBE)

    def addresses_changed(self, hosts: Iterable[str]) -> None:
        """The addresses of this host. Link-local ones of IPv6 mean nothing without a scope, and are left out."""
        plain = [ip_address(host) for host in hosts if "%" not in host]
        self._addresses = tuple(
            Record(self.name, dns.A if address.version == 4 else dns.AAAA, TTL, address.packed, unique=True)
            for address in plain
            if address.version == 4 or not address.is_link_local
        )

    @property
    def records(self) -> tuple[Record, ...]:
        """What is to be answered for it now."""
        return self._addresses if self.state is State.HELD else ()

    def received(self, message: Message, now: float) -> None:
        """Somebody else's claim, in a response or in a probe."""
        if message.response:
            if any(self._is_another(record) for record in message.records):
                self._move(State.TAKEN, now + TAKEN_INTERVAL)
        elif self.state is State.PROBING and self._loses(message.proposed):
            self._move(State.PROBING, now + LOST_INTERVAL)

    def handle_timer(self, now: float) -> None:
        """Send the next probe, or hold the name that nobody answered for."""
        if self._deadline is None or now < self._deadline:
            return
        if self._probes == PROBES:
            self._move(State.HELD, None)
            return
        self.state = State.PROBING
        self._probes += 1
        self._probe = Message((Question(self.name, dns.ANY),), proposed=self._addresses)
        self._deadline = now + PROBE_INTERVAL

    def next_deadline(self) -> float | None:
        """When `handle_timer` wants to be called."""
        return self._deadline

    def take_probe(self) -> Message | None:
        """What is to be sent now."""
        probe, self._probe = self._probe, None
        return probe

    def _move(self, state: State, deadline: float | None) -> None:
        self.state, self._deadline, self._probes = state, deadline, 0

    def _is_another(self, record: Record) -> bool:
        """While it is probed, any answer; once it is held, an address that is not ours."""
        if record.type not in (dns.A, dns.AAAA) or folded(record.name) != folded(self.name) or not record.ttl:
            return False
        return self.state is State.PROBING or all(record.data != own.data for own in self._addresses)

    def _loses(self, proposed: Iterable[Record]) -> bool:
        """Of two that probe at the same time, the one with the later data wins (§8.2.1)."""
        theirs = sorted((each.type, each.data) for each in proposed if folded(each.name) == folded(self.name))
        ours = sorted((each.type, each.data) for each in self._addresses)
        return bool(theirs) and theirs > ours


def label_of(hostname: str) -> str:
    """The label that a host name can be claimed under; "" where there is none."""
    label = hostname.partition(".")[0].lower()
    return label if _LABEL.fullmatch(label) and label != "localhost" else ""
