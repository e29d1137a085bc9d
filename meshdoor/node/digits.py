"""Digits that are typed here, and those that the other end of a talk types (DTMF).

They go with the sound, as telephone-events (RFC 4733). Where the other end has not agreed to those, they go as INFO in
the dialog; what comes as INFO is taken at any time. What a phone types is told to the node that it is reached through,
which may open for it, with {"about": "digit", "of": hex of its key, "digit"}.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from meshdoor.control import Json
from meshdoor.errors import EngineError, LocalProtocolError, Refused, SipError, UserError
from meshdoor.node.calling import Desk
from meshdoor.node.media_plan import Streams
from meshdoor.sip import events as sip
from meshdoor.sip.dtmf import DIGITS, PLAIN, RELAY, DtmfInfo
from meshdoor.sip.session import Session

MAX_DIGITS = 32
ANSWER_TIMEOUT = 5.0  # seconds for the answer to one INFO
BAD_INFO_PACKAGE = 469  # RFC 6086 §4.2.2
FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Talk:
    """A session in which sound passes: with whom, in which leg; whether this end speaks; whether the other end takes
    telephone-events."""

    peer: bytes
    leg: str
    session: Session
    speaks: bool
    takes_events: bool

    @property
    def call_id(self) -> str:
        return "" if self.session.dialog is None else self.session.dialog.call_id

    @classmethod
    def of(cls, peer: bytes, leg: str, session: Session, streams: Streams | None, *, speaks: bool = True) -> Talk:
        """`streams` as they were agreed on."""
        audio = None if streams is None else streams.audio
        return cls(peer, leg, session, speaks, audio is not None and audio.dtmf_payload_type is not None)


class Part(Protocol):
    """What carries out presses, visits or calls."""

    def talks(self) -> Iterable[Talk]:
        """Those that are on now."""


class Digits:
    """`desk` tells what the other end types."""

    def __init__(self, desk: Desk, parts: Sequence[Part]) -> None:
        self._desk = desk
        self._parts = parts

    async def send(self, text: str) -> Json:
        """Type digits to whom this node talks with. Raises UserError, Refused."""
        digits = text.upper()
        if not 0 < len(digits) <= MAX_DIGITS or not set(digits) <= set(DIGITS):
            raise UserError(f"digits: 1 to {MAX_DIGITS} of {DIGITS} are needed")
        talk = next((each for each in self._talks() if each.speaks), None)
        if talk is None:
            raise Refused("nobody is talked with here", "digits go with the sound: answer, call or talk first")
        if talk.takes_events:
            await self._by_sound(talk, digits)
        else:
            await self._by_info(talk, digits)
        by = "telephone-event" if talk.takes_events else "INFO"
        return {"digits": digits, "with": self._desk.name_of(talk.peer), "by": by}

    def heard(self, leg: str, digit: str) -> None:
        """The media engine heard a digit."""
        peer = next((each.peer for each in self._talks() if each.leg == leg), None)
        self._tell(leg, digit, peer)

    def received(self, event: sip.RequestReceived) -> bool:
        """Answer an INFO; False for any other request."""
        request = event.request
        if request.method != "INFO":
            return False
        if request.headers.get("Info-Package") is not None:
            self._desk.endpoint.respond(event, BAD_INFO_PACKAGE, (("Recv-Info", ""),))
        elif not request.body:
            self._desk.endpoint.respond(event, 200)  # RFC 2976 §2.2: it asks whether we are still there
        else:
            self._take(event)
        return True

    def _take(self, event: sip.RequestReceived) -> None:
        talk = next((each for each in self._talks() if each.session is event.session), None)
        try:
            info = DtmfInfo.parse(event.request.content_type or "", event.request.body)
        except SipError as error:
            accept = (("Accept", f"{RELAY}, {PLAIN}"),) if error.status == 415 else ()
            self._desk.endpoint.respond(event, error.status, accept)
            return
        if talk is None:
            self._desk.endpoint.respond(event, FORBIDDEN)  # nobody has answered yet
            return
        self._desk.endpoint.respond(event, 200)
        self._tell(talk.leg, info.digit, talk.peer)

    def _talks(self) -> Iterator[Talk]:
        for part in self._parts:
            yield from part.talks()

    def _tell(self, leg: str, digit: str, peer: bytes | None) -> None:
        name = "" if peer is None else self._desk.name_of(peer)
        self._desk.publish({"event": "dtmf", "leg": leg, "digit": digit, "from": name})
        if peer is not None and (self._desk.is_browser(peer) or self._desk.client(peer) is not None):
            self._desk.note(peer, {"about": "digit", "of": peer.hex(), "digit": digit})

    async def _by_sound(self, talk: Talk, digits: str) -> None:
        try:
            await self._desk.engine.dtmf(talk.leg, digits)
        except EngineError as error:
            raise Refused(f"the digits cannot be sent: {error}") from error

    async def _by_info(self, talk: Talk, digits: str) -> None:
        """One after the other has arrived: they may not overtake each other."""
        for digit in digits:
            answered: asyncio.Future[sip.ResponseReceived] = asyncio.get_running_loop().create_future()
            try:
                with self._desk.endpoint.acting() as now:
                    talk.session.info(bytes(DtmfInfo(digit)), RELAY, now).context = answered
                async with asyncio.timeout(ANSWER_TIMEOUT):
                    response = (await answered).response
            except (LocalProtocolError, TimeoutError) as error:
                raise Refused(f"the digit {digit} was not taken: the talk is over, or nobody answers") from error
            if response.status >= 300:
                raise Refused(f"the digit {digit} was not taken: {response.status} {response.reason}")
