"""The attached phones as the web server's side of a node needs them, without SIP."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshdoor.node.web import Cut, Send, SipFlow
from tests.fakes.webhouse import Flow


@dataclass
class Lines:
    """Implements `meshdoor.node.webhouse.Lines`."""

    flows: dict[bytes, Flow] = field(default_factory=dict)
    quiet: dict[bytes, bool] = field(default_factory=dict)
    pictures: list[tuple[bytes, str]] = field(default_factory=list)

    def attach(self, key: bytes, send: Send, cut: Cut) -> SipFlow:
        flow = self.flows[key] = Flow(send, cut)
        return flow

    def attach_client(self, address: str, send: Send, cut: Cut) -> SipFlow:
        return self.attach(address.encode(), send, cut)

    def is_here(self, key: bytes) -> bool:
        return key in self.flows and not self.flows[key].gone

    def set_quiet(self, key: bytes, quiet: bool) -> None:
        self.quiet[key] = quiet

    def shown(self, key: bytes, call: str) -> None:
        self.pictures.append((key, call))
