"""Which phone is attached where.

A phone has no link of its own: it is attached to one node by a WebSocket, and every other member reaches it through
that node, which tells all of them what is attached to it, with

    {"about": "phones", "phones": [{"key": hex, "state": "ready"|"ringing"|"in_call"|"quiet", "age": seconds}]}

A SIP client that this node knows is such a phone, too, with no socket but an address or a connection that it made;
its line has a "client", as `calls.clients` describes it. A door station is told of in the same way.

whenever a link comes up and whenever something changes. When two nodes name the same phone the younger attachment
counts, and the other node lets go of it. A link that goes down takes the phones of its node with it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from meshdoor.calls.clients import Client
from meshdoor.calls.hosts import host_of
from meshdoor.calls.overheard import Call, Overheard
from meshdoor.errors import AttachError, RemoteProtocolError
from meshdoor.mesh.frames import State as Busy
from meshdoor.mesh.peer import Peer, State
from meshdoor.node.house import House
from meshdoor.node.notes import Note
from meshdoor.node.web import Cut, Send, SipFlow
from meshdoor.sip.flow import Flow
from meshdoor.sip.uri import Uri
from meshdoor.transport.links import link_flow
from meshdoor.transport.websocket import WebSocketTransport, message_in
from meshdoor.trust.attach import attachable
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Member, Roster

ABOUT: Final = "phones"
MAX_PHONES: Final = 64  # at one node
MAX_CLIENTS: Final = 24  # at one node: all of them must fit into one note
MAX_AGE: Final = 1e9  # seconds
STATES: Final = {Busy.FREE: State.READY, Busy.RINGING: State.RINGING, Busy.IN_CALL: State.IN_CALL}
REATTACHED: Final = 0.5  # seconds that the age of an attachment may be out on its way


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a phone is attached, since when by the loop's clock, and how it is. `uri`: how it wants to be called.

    `client`: it is a SIP client; `flow` then leads there, on the node that knows it.
    """

    node: bytes
    since: float
    state: State = State.READY
    uri: Uri | None = None
    client: Client | None = None
    flow: Flow | None = None


@dataclass(slots=True)
class _Line:
    """A phone that is attached here."""

    attachment: Attachment
    since: float
    cut: Cut
    uri: Uri | None
    calls: Overheard = field(default_factory=Overheard)
    state: State = State.READY  # as it was told last


class Attachment:
    """The node's end of the WebSocket of a phone: a `SipFlow`. Of one phone, only the newest does anything."""

    def __init__(self, attachments: Attachments, key: bytes) -> None:
        self._attachments = attachments
        self._key = key

    def received(self, text: str) -> None:
        """One message of the phone. Raises RemoteProtocolError for what ends the socket."""
        self._attachments.received(self, self._key, text)

    def closed(self) -> None:
        """The socket is gone."""
        self._attachments.closed(self, self._key)


class Attachments:
    """The house is told when a phone came, went, or is otherwise than it was."""

    def __init__(self, house: House, transport: WebSocketTransport) -> None:
        self._house = house
        self._own_key = house.membership.identity.key
        self._transport = transport
        self._lines: dict[bytes, _Line] = {}
        self._clients: dict[bytes, Whereabouts] = {}  # of this node
        self._elsewhere: dict[bytes, dict[bytes, Whereabouts]] = {}  # by node and phone
        self._quiet: set[bytes] = set()
        house.attached = self.seen
        house.notes.register(ABOUT, self._noted, early=True)
        house.on_link.append(self._link_changed)
        house.membership.listen(self._roster_changed)

    def attach(self, key: bytes, send: Send, cut: Cut, uri: Uri | None = None) -> SipFlow:
        """A phone that has proven its key is on the line here. Raises AttachError."""
        attachable(self._house.membership.roster, key, time.time())
        if key not in self._lines and len(self._lines) >= MAX_PHONES:
            raise AttachError("Too many phones are attached to this node.", "full")
        if key in self._lines:
            self._cut(key, AttachError("This phone is attached anew.", "moved"))
        attachment = Attachment(self, key)
        self._lines[key] = _Line(attachment, _now(), cut, uri)
        self._transport.attach(key, partial(self._send, key, send))
        self._tell()
        return attachment

    def place(self, key: bytes, client: Client, uri: Uri, flow: Flow) -> None:
        """A SIP client can be reached from here, over this flow. Raises AttachError."""
        attachable(self._house.membership.roster, key, time.time())
        before = self._clients.get(key)
        if before is None and len(self._clients) >= MAX_CLIENTS:
            raise AttachError("Too many SIP clients are attached to this node.", "full")
        state, since = (State.READY, _now()) if before is None else (before.state, before.since)
        placed = self._clients[key] = Whereabouts(self._own_key, since, state, uri, client, flow)
        if placed != before:
            self._tell()

    def host(self, key: bytes) -> None:
        """A door station is reached through this node, which calls it on behalf of others."""
        self._clients[key] = Whereabouts(self._own_key, _now(), flow=link_flow(self._own_key, self._own_key))
        self._tell()

    def displace(self, key: bytes) -> None:
        """It can be reached no more."""
        if self._clients.pop(key, None) is not None:
            self._tell()

    def occupy(self, key: bytes, busy: Busy) -> None:
        """What a SIP client of this node does."""
        found = self._clients.get(key)
        if found is not None and found.state is not STATES[busy]:
            self._clients[key] = replace(found, state=STATES[busy])
            self._tell()

    def client(self, key: bytes) -> Whereabouts | None:
        """A SIP client of this node, if it can be reached."""
        found = self.find(key) if key in self._clients else None
        return None if found is None or found.flow is None else found

    def talk(self, key: bytes, member: bytes) -> Call | None:
        """The call of a phone that is attached here with a member, if it was answered."""
        line = self._lines.get(key)
        return None if line is None else line.calls.talk(host_of(member))

    def clients_at(self, host: str) -> Iterator[bytes]:
        """The SIP clients of this node that are at this address."""
        return (key for key, each in self._clients.items() if each.client is not None and each.client.host == host)

    def is_here(self, key: bytes) -> bool:
        """Is a phone attached, to whichever node?"""
        return self.find(key) is not None

    def find(self, key: bytes) -> Whereabouts | None:
        """Where a phone is attached; None if it is not, or may not be any more."""
        member = self._house.membership.roster.member(key)
        if member is None or not _is_attached(member) or member.expired(time.time()):
            return None
        if (line := self._lines.get(key)) is not None:
            return Whereabouts(self._own_key, line.since, self._state(key, line), line.uri)
        if (placed := self._clients.get(key)) is not None:
            return placed
        away = (phones[key] for phones in self._elsewhere.values() if key in phones)
        return max(away, key=lambda each: each.since, default=None)

    def seen(self, peer: Peer) -> Peer:
        """A phone as a peer, wherever it is attached; anybody else as it is."""
        found = self.find(peer.key)
        if found is None:
            return peer
        client = found.client
        seen = replace(peer, state=found.state, since=found.since, where=found.node, roster_in_step=True)
        return seen if client is None else replace(seen, media=str(client.keying), warning=client.warning)

    def set_quiet(self, key: bytes, quiet: bool) -> None:
        """Whether a phone is not to ring now."""
        if quiet is not (key in self._quiet):
            (self._quiet.add if quiet else self._quiet.discard)(key)
            self._look_at(key)

    def shown(self, key: bytes, call: str) -> None:
        """A phone shows the picture of a visitor: its door knows which call that is."""
        for member in self._house.membership.roster.members.values():
            if member.role is Role.DOOR:
                self._house.links.send_note(member.key, {"about": "picture", "call": call})

    def received(self, attachment: Attachment, key: bytes, text: str) -> None:
        """A message of a phone that is attached here. Raises RemoteProtocolError."""
        line = self._lines.get(key)
        if line is None or line.attachment is not attachment:
            return
        line.calls.saw(message_in(text))
        self._transport.received(key, text)
        self._look_at(key)

    def closed(self, attachment: Attachment, key: bytes) -> None:
        """A socket is gone."""
        line = self._lines.get(key)
        if line is not None and line.attachment is attachment:
            self._let_go(key)
            self._tell()

    def look(self) -> None:
        """Let go of phones that were revoked, and of guests whose time is over."""
        for key in list(self._lines):
            try:
                attachable(self._house.membership.roster, key, time.time())
            except AttachError as error:
                self._cut(key, error)
        gone = self._clients.keys() - self._house.membership.roster.members.keys()
        for key in gone:
            self.displace(key)

    def _roster_changed(self, roster: Roster) -> None:
        self.look()
        self._quiet &= roster.members.keys()

    def _cut(self, key: bytes, error: AttachError) -> None:
        cut = self._lines[key].cut
        self._let_go(key)
        cut(error)
        self._tell()

    def _let_go(self, key: bytes) -> None:
        if self._lines.pop(key, None) is not None:
            self._transport.detach(key)
            self._house.phones_changed()

    def _send(self, key: bytes, send: Send, text: str) -> None:
        self._lines[key].calls.saw(message_in(text))
        send(text)
        asyncio.get_running_loop().call_soon(self._look_at, key)

    def _look_at(self, key: bytes) -> None:
        line = self._lines.get(key)
        if line is not None and line.state is not self._state(key, line):
            self._tell()

    def _state(self, key: bytes, line: _Line) -> State:
        busy = STATES[line.calls.busy]
        return State.QUIET if busy is State.READY and key in self._quiet else busy

    def _tell(self) -> None:
        """Everybody, this node included."""
        for key, line in self._lines.items():
            line.state = self._state(key, line)
        note = self._note()
        for link in self._house.links.links():
            self._house.links.send_note(link.key, note)
        self._house.phones_changed()

    def _note(self) -> Note:
        now = _now()
        phones: list[dict[str, object]] = [
            {"key": key.hex(), "state": str(line.state), "age": round(now - line.since, 3)}
            for key, line in self._lines.items()
        ]
        phones += [
            {"key": key.hex(), "state": str(placed.state), "age": round(now - placed.since, 3)}
            | ({} if placed.client is None else {"client": placed.client.note()})
            for key, placed in self._clients.items()
        ]
        return {"about": ABOUT, "phones": phones}

    def _noted(self, node: bytes, note: Note) -> None:
        member = self._house.membership.roster.member(node)
        if member is None or member.role is not Role.SCREEN:
            raise RemoteProtocolError("no phone is attached to what is no screen")
        phones = note.get("phones")
        if not isinstance(phones, list) or len(phones) > MAX_PHONES + MAX_CLIENTS:
            raise RemoteProtocolError("phones that are no list")
        told = dict(_read(each, node) for each in phones)
        self._forget(node, told)
        self._elsewhere[node] = told
        for key, found in told.items():
            if key in self._lines and found.since > self._lines[key].since:
                self._cut(key, AttachError("This phone is attached to another node now.", "moved"))
        self._house.phones_changed()

    def _forget(self, node: bytes, told: dict[bytes, Whereabouts]) -> None:
        """A phone that came back on another socket has forgotten what was on the old one: first it is gone."""
        known = self._elsewhere.get(node, {})
        same = {key for key in known.keys() & told.keys() if told[key].since - known[key].since < REATTACHED}
        if len(same) < len(known):
            self._elsewhere[node] = {key: known[key] for key in same}
            self._house.phones_changed()

    def _link_changed(self, key: bytes, up: bool) -> None:
        if not up:
            if self._elsewhere.pop(key, None):
                self._house.phones_changed()
        elif self._lines or self._clients:
            self._house.links.send_note(key, self._note())


def _is_attached(member: Member) -> bool:
    """Is it one that is reached through another member?"""
    return member.role is Role.PHONE or (member.role is Role.DOOR and not member.linked)


def _read(document: object, node: bytes) -> tuple[bytes, Whereabouts]:
    """One phone of a note. Raises RemoteProtocolError."""
    given = document if isinstance(document, dict) else {}
    age = given.get("age")
    try:
        key, state = bytes.fromhex(given.get("key", "")), State(given.get("state", ""))
    except (TypeError, ValueError):
        raise RemoteProtocolError("a phone that is not described") from None
    if state is State.UNREACHABLE or not isinstance(age, int | float) or not 0 <= age <= MAX_AGE:
        raise RemoteProtocolError("a phone that is not attached")
    client = Client.read(given["client"]) if "client" in given else None
    return key, Whereabouts(node, _now() - age, state, client=client)


def _now() -> float:
    return asyncio.get_running_loop().time()
