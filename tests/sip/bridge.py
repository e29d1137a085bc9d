"""A door and a phone whose stacks only meet through a proxy, and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from meshdoor.sip.core import Config
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.flow_token import FlowName
from meshdoor.sip.message import Request, Response, parse_message
from meshdoor.sip.proxy import Forward, Mine, Proxy, Surroundings, Way
from meshdoor.sip.stack import Stack
from meshdoor.sip.uri import SipUri
from meshdoor.sip.validate import Fault
from tests.sip.wire import Party, predictable

PORT = 5061
NODE, DOOR, PHONE = "node.home.arpa", "door.home.arpa", "phone.home.arpa"
IDENTITY = f"<sip:phone@{PHONE}>"
FROM_DOOR = Flow("LINK", (NODE, PORT), (DOOR, PORT), "door")
FROM_PHONE = Flow("WSS", (NODE, PORT), (PHONE, PORT), "phone")
HOSTS = {DOOR: FROM_DOOR, PHONE: FROM_PHONE}


def locate(request: Request, flow: Flow) -> Way | Fault | None:
    """By the host of the Request-URI."""
    assert isinstance(request.uri, SipUri)
    found = HOSTS.get(request.uri.host)
    if request.uri.host == NODE:
        return None
    return Fault(404, "nobody") if found is None else Way(found)


@dataclass
class Bridge:
    """What lies between them; `log` has each message that the proxy took: "INVITE", "200 INVITE", …"""

    now: float = 0.0
    gone: set[str] = field(default_factory=set)
    kept: list[Mine] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    passed: list[Request | Response] = field(default_factory=list)
    locate: Callable[[Request, Flow], Way | Fault | None] = locate

    def __post_init__(self) -> None:
        around = Surroundings(
            self.locate,
            self._find,
            lambda flow: IDENTITY if flow == FROM_PHONE else None,
        )
        self.proxy = Proxy(NODE, b"s" * 32, around)
        self.door, self.phone = self._party(DOOR, 0), self._party(PHONE, 1)

    def to(self, host: str) -> Target:
        """A request for somebody, over the proxy."""
        there = FROM_PHONE if host == DOOR else FROM_DOOR
        return Target(SipUri("sip", "somebody", None, host), _turned(there))

    def run(self) -> None:
        """Deliver all that is sent, and what is sent because of it."""
        while self._turn():
            pass

    def _find(self, name: FlowName) -> Flow | None:
        there = {FlowName.of(flow): flow for flow in (FROM_DOOR, FROM_PHONE) if flow.connection not in self.gone}
        return there.get(name)

    def _turn(self) -> bool:
        busy = False
        for party, here in ((self.door, FROM_DOOR), (self.phone, FROM_PHONE)):
            while (event := party.stack.next_event()) is not None:
                party.events.append(event)
            for _, data in party.stack.data_to_send():
                busy = True
                self.take(parse_message(data), here)
        return busy

    def take(self, message: Request | Response, here: Flow) -> None:
        """A message reaches the proxy."""
        self.log.append(what(message))
        outcome = self.proxy.receive(message, here)
        if isinstance(outcome, Forward):
            self.passed.append(outcome.message)
        if isinstance(outcome, Forward) and outcome.flow.connection in self.gone:
            outcome = self.proxy.failed(outcome)
        if isinstance(outcome, Mine):
            self.kept.append(outcome)
        elif outcome is not None:
            party = self.door if outcome.flow == FROM_DOOR else self.phone
            party.stack.receive(bytes(outcome.message), _turned(outcome.flow), self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        for party in (self.door, self.phone):
            party.stack.handle_timer(self.now)
        self.run()

    def _party(self, host: str, number: int) -> Party:
        random = predictable()
        for _ in range(1000 * number):
            random(8)
        return Party((host, PORT), Stack(Config(), random))


def what(message: Request | Response) -> str:
    """In a word."""
    if isinstance(message, Request):
        return message.method
    return f"{message.status} {message.cseq.method}"


def _turned(flow: Flow) -> Flow:
    return Flow(flow.transport, flow.remote, flow.local, "node")
