"""Identities and members for tests, made the same in each run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from meshdoor.trust.identity import Identity


@dataclass(frozen=True)
class Pin:
    """As much of a member as a link needs."""

    certificate: bytes


@dataclass(frozen=True)
class House:
    """As much of a roster as links need."""

    members: Mapping[bytes, Pin]
    digest: bytes = b"d" * 16


def identities(count: int, start: int = 1) -> list[Identity]:
    """That many identities, the lowest key first."""
    made = [Identity.generate(bytes((seed,)).__mul__) for seed in range(start, start + count)]
    return sorted(made, key=lambda identity: identity.key)


def house(*members: Identity, digest: bytes = b"d" * 16) -> House:
    """A home of these."""
    return House({one.key: Pin(one.certificate) for one in members}, digest)
