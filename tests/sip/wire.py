"""Two or more stacks, a list of datagrams between them, and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeVar

from meshdoor.sip.core import Config
from meshdoor.sip.events import Event
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.message import Request, Response, parse_message
from meshdoor.sip.stack import Stack
from meshdoor.sip.uac import UacSession
from meshdoor.sip.uas import UasSession
from meshdoor.sip.uri import parse_uri

OFFER = b"v=0\r\ns=offer\r\n"
ANSWER = b"v=0\r\ns=answer\r\n"

E = TypeVar("E", bound=Event)


def predictable() -> Callable[[int], bytes]:
    """Random bytes that are different each time and the same in each run."""
    numbers = count(1)
    return lambda size: (next(numbers) * 0x9E3779B97F4A7C15 % 2 ** (8 * size)).to_bytes(size, "big")


@dataclass
class Party:
    """A stack at an address, and the events it gave."""

    address: tuple[str, int]
    stack: Stack
    events: list[Event] = field(default_factory=list)

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def one(self, kind: type[E]) -> E:
        found = self.all(kind)
        assert len(found) == 1, f"{len(found)} of {kind.__name__} in {self.events}"
        return found[0]

    def last(self, kind: type[E]) -> E:
        return self.all(kind)[-1]

    def none(self, kind: type[E]) -> bool:
        return not self.all(kind)


@dataclass
class Datagram:
    """Something on its way."""

    sender: Party
    receiver: Party
    flow: Flow
    data: bytes

    @property
    def message(self) -> Request | Response:
        return parse_message(self.data)

    @property
    def what(self) -> str:
        message = self.message
        if isinstance(message, Request):
            return message.method
        method = (message.headers.get("cseq") or "?").split()[-1:]
        return f"{message.status} {''.join(method)}"


Drop = Callable[[Datagram], bool]


class Net:
    """The network. `log` has every message sent: "INVITE", "200 INVITE", …"""

    def __init__(self, transport: str = "UDP") -> None:
        self.transport = transport
        self.now = 0.0
        self.parties: list[Party] = []
        self.log: list[str] = []
        self.sent: list[Datagram] = []

    def party(self, config: Config | None = None) -> Party:
        random = predictable()
        for _ in range(1000 * len(self.parties)):
            random(8)
        party = Party((f"10.0.0.{len(self.parties) + 1}", 5060), Stack(config, random))
        self.parties.append(party)
        return party

    def flow(self, one: Party, other: Party) -> Flow:
        connection = None if self.transport == "UDP" else "c"
        return Flow(self.transport, one.address, other.address, connection)

    def target(self, one: Party, other: Party, user: str = "screen") -> Target:
        return Target(parse_uri(f"sip:{user}@{other.address[0]}"), self.flow(one, other))

    def pending(self) -> list[Datagram]:
        """What the stacks want to send now."""
        found = []
        for party in self.parties:
            for flow, data in party.stack.data_to_send():
                receiver = next((p for p in self.parties if p.address == flow.remote), None)
                if receiver is not None:
                    found.append(Datagram(party, receiver, flow, data))
        self.sent += found
        self.log += [datagram.what for datagram in found]
        return found

    def deliver(self, datagrams: Iterable[Datagram]) -> None:
        for datagram in datagrams:
            flow = datagram.flow
            came = replace(flow, local=flow.remote, remote=flow.local)
            datagram.receiver.stack.receive(datagram.data, came, self.now)
        self.collect()

    def collect(self) -> None:
        for party in self.parties:
            while (event := party.stack.next_event()) is not None:
                party.events.append(event)

    def roundtrip(self, drop: Drop = lambda datagram: False) -> None:
        """Deliver all that is sent, and what is sent because of it, but what `drop` says."""
        self.collect()
        while datagrams := self.pending():
            self.deliver([datagram for datagram in datagrams if not drop(datagram)])

    def wait(self, seconds: float, drop: Drop = lambda datagram: False) -> None:
        """Let time pass."""
        end = self.now + seconds
        self.roundtrip(drop)
        while (deadline := self.deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            for party in self.parties:
                party.stack.handle_timer(self.now)
            self.roundtrip(drop)
        self.now = end

    def deadline(self) -> float | None:
        deadlines = [p.stack.next_deadline() for p in self.parties]
        return min([d for d in deadlines if d is not None], default=None)

    def settle(self, drop: Drop = lambda datagram: False) -> None:
        """Let time pass until no timer is left."""
        for _ in range(10_000):
            deadline = self.deadline()
            if deadline is None:
                break
            self.wait(max(deadline - self.now, 0.0), drop)
        assert all(party.stack.idle for party in self.parties)


def only(*whats: str) -> Drop:
    """Drop these messages."""
    return lambda datagram: datagram.what in whats


def ring(net: Net, caller: Party, callee: Party, headers: Iterable[tuple[str, str]] = ()) -> UacSession:
    """An INVITE that has arrived."""
    session = caller.stack.invite(net.target(caller, callee), OFFER, headers, net.now)
    net.roundtrip()
    return session


def incoming(party: Party) -> UasSession:
    """The session of the last INVITE that came."""
    from meshdoor.sip.events import IncomingInvite

    return party.last(IncomingInvite).session


def connect(net: Net, caller: Party, callee: Party) -> tuple[UacSession, UasSession]:
    """A call that is answered."""
    session = ring(net, caller, callee)
    incoming(callee).accept(ANSWER, net.now)
    net.roundtrip()
    return session, incoming(callee)
