"""A home as the web server sees it, without a node: phones that may attach, and what was said to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from meshdoor.errors import NotFound, Refused, RemoteProtocolError
from meshdoor.node.web import Cut, Guest, Json, Send, SipFlow, Stop, Tell
from meshdoor.trust.attach import Refusal, refused
from meshdoor.trust.identity import Identity
from meshdoor.trust.invitation import Refusal as PairRefusal
from meshdoor.trust.invitation import refused as pair_refused


@dataclass
class Flow:
    """One SIP socket: what came, and whether it is gone."""

    send: Send
    cut: Cut
    came: list[str] = field(default_factory=list)
    gone: bool = False

    def received(self, text: str) -> None:
        if text == "garbage":
            raise RemoteProtocolError("garbage")
        self.came.append(text)

    def closed(self) -> None:
        self.gone = True


@dataclass
class WebHouse:
    """Implements `meshdoor.node.web.WebHouse`."""

    node: str = "Hall"
    home: str = "ab" * 32
    home_name: str = "Home"
    guests: dict[bytes, Guest] = field(default_factory=dict)
    revoked: set[bytes] = field(default_factory=set)
    expired: set[bytes] = field(default_factory=set)
    flows: list[Flow] = field(default_factory=list)
    listeners: list[Tell] = field(default_factory=list)
    watchers: list[Callable[[], None]] = field(default_factory=list)
    pairs: list[tuple[bytes, str, bytes]] = field(default_factory=list)
    hosts: tuple[str, ...] = ("127.0.0.1",)
    settings: dict[str, bytes] = field(default_factory=dict)  # that SIP clients may fetch, by token

    def admit(self, name: str, until: int | None = None) -> Identity:
        phone = Identity.generate()
        self.guests[phone.key] = Guest(phone.key, phone.device_id, name, ("talk", "view"), until)
        return phone

    def revoke(self, phone: Identity) -> None:
        self.revoked.add(phone.key)
        self.changed()

    def rename(self, phone: Identity, name: str) -> None:
        self.guests[phone.key] = replace(self.guests[phone.key], name=name)

    def changed(self) -> None:
        for watcher in tuple(self.watchers):
            watcher()

    def addresses(self) -> tuple[str, ...]:
        return self.hosts

    def standing(self, key: bytes) -> Guest:
        for keys, why in ((self.revoked, Refusal.REVOKED), (self.expired, Refusal.EXPIRED)):
            if key in keys:
                raise refused(why)
        if key not in self.guests:
            raise refused(Refusal.UNKNOWN)
        return self.guests[key]

    def watch(self, changed: Callable[[], None]) -> Stop:
        self.watchers.append(changed)
        return lambda: self.watchers.remove(changed)

    def pair(self, body: bytes, address: str, fingerprint: bytes) -> bytes:
        self.pairs.append((body, address, fingerprint))
        document = json.loads(body)
        if "refuse" in document:
            raise pair_refused(PairRefusal(document["refuse"]))
        return body

    def attach(self, key: bytes, send: Send, cut: Cut) -> SipFlow:
        return self._flow(send, cut)

    async def provision(self, token: str) -> bytes:
        if token not in self.settings:
            raise NotFound("there are no such settings")
        return self.settings.pop(token)

    def attach_client(self, address: str, send: Send, cut: Cut) -> SipFlow:
        return self._flow(send, cut)

    async def ask(self, key: bytes, what: str, args: Mapping[str, Json]) -> Json:
        if what == "fail":
            raise ZeroDivisionError("a bug")
        if what == "refuse":
            raise Refused("this phone may not")
        return {"asked": what, "args": dict(args), "name": self.guests[key].name}

    def listen(self, key: bytes, tell: Tell) -> Stop:
        self.listeners.append(tell)
        return lambda: self.listeners.remove(tell)

    def _flow(self, send: Send, cut: Cut) -> Flow:
        self.flows.append(Flow(send, cut))
        return self.flows[-1]
