"""Answers multicast DNS queries for a set of records, and announces them (RFC 6762 §6, §8.3, §10.1; sans-IO).

What it says is true of one host, so it does not probe; whoever uses a name that another host may have claims it first
(`mesh.hostname`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from meshdoor.mesh import dns
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.dns import Message, Record, folded

MDNS_PORT = 5353
SHARED_DELAY = (0.02, 0.12)  # seconds, §6: others may answer as well
AGAIN = 1.0  # seconds between two multicasts of one record (§6)
REPEAT = 1.0  # seconds between an announcement and its repetition (§8.3)
LEGACY_TTL = 10  # seconds, §6.7
MAX_QUESTIONS = 32  # of one message


class Outgoing(NamedTuple):
    """A message to send: to one address, or to the group."""

    message: Message
    to: Address | None = None


class Responder:
    """`uniform(low, high)` gives random delays. Call `take` after everything, and `handle_timer` at the deadline."""

    def __init__(self, uniform: Callable[[float, float], float]) -> None:
        self._uniform = uniform
        self._records: tuple[Record, ...] = ()
        self._sent: dict[Record, float] = {}
        self._due: dict[Record, float] = {}
        self._out: list[Outgoing] = []

    def publish(self, records: Iterable[Record], now: float) -> None:
        """These from now on: what is new is announced, what is not among them any more is withdrawn."""
        before, self._records = self._records, tuple(records)
        if self._records == before:
            return
        gone = [replace(record, ttl=0) for record in before if record not in self._records]
        fresh = [record for record in self._records if record not in before]
        self._sent = {record: at for record, at in self._sent.items() if record in self._records}
        # Withdrawn first: of a unique name, what comes later counts.
        self._send(gone)
        self._multicast(fresh, now)
        self._due = {record: at for record, at in self._due.items() if record in self._records}
        self._due |= dict.fromkeys(fresh, now + REPEAT)

    def received(self, message: Message, source: Address, now: float) -> None:
        """A query; anything else is no concern of the responder."""
        if message.response:
            return
        asked = message.questions[:MAX_QUESTIONS]
        answers = [record for record in self._records if any(question.matches(record) for question in asked)]
        if source.port != MDNS_PORT:
            self._answer_alone(message, answers, source)
            return
        answers = [record for record in answers if not _is_known(record, message)]
        for record in answers:
            # Whoever probes wants to know at once (§6).
            wait = 0.0 if record.unique or message.proposed else self._uniform(*SHARED_DELAY)
            last = self._sent.get(record, float("-inf"))
            when = now + wait if message.proposed else max(now + wait, last + AGAIN)
            self._due[record] = min(when, self._due.get(record, when))
        self.handle_timer(now)

    def handle_timer(self, now: float) -> None:
        """Send what is due."""
        self._multicast([record for record, at in self._due.items() if at <= now], now)

    def next_deadline(self) -> float | None:
        """When `handle_timer` wants to be called."""
        return min(self._due.values(), default=None)

    def take(self) -> list[Outgoing]:
        """What is to be sent now."""
        out, self._out = self._out, []
        return out

    def _multicast(self, records: list[Record], now: float) -> None:
        for record in records:
            self._due.pop(record, None)
            self._sent[record] = now
        self._send(self._with_more(records))

    def _send(self, records: list[Record]) -> None:
        if records:
            self._out.append(Outgoing(Message(records=tuple(records), response=True)))

    def _answer_alone(self, message: Message, answers: list[Record], source: Address) -> None:
        """A simple resolver, which knows nothing of the group (§6.7)."""
        if not answers:
            return
        records = [replace(each, unique=False, ttl=min(each.ttl, LEGACY_TTL)) for each in self._with_more(answers)]
        questions = message.questions[:1]
        self._out.append(Outgoing(Message(questions, tuple(records), response=True, id=message.id), source))

    def _with_more(self, records: list[Record]) -> list[Record]:
        """With what the one who asked will want to know next (RFC 6763 §12)."""
        found = dict.fromkeys(records)
        for record in records:
            if record.type in (dns.PTR, dns.SRV):
                found |= dict.fromkeys(self._about(record))
        return list(found)

    def _about(self, record: Record) -> list[Record]:
        target = folded(record.target)
        about = [each for each in self._records if folded(each.name) == target and each.type != dns.PTR]
        return about + [more for each in about if each.type == dns.SRV for more in self._about(each)]


def _is_known(record: Record, message: Message) -> bool:
    """Whether the one who asks has it already, for half of its life at least (§7.1)."""
    return any(
        known.type == record.type
        and known.data == record.data
        and folded(known.name) == folded(record.name)
        and 2 * known.ttl >= record.ttl
        for known in message.records
    )
