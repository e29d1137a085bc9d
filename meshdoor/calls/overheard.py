"""What the SIP that passes between a node and a phone says of the phone: free, ringing or in a call (sans-IO)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from meshdoor.errors import SipError
from meshdoor.mesh.frames import State as Busy
from meshdoor.sip.message import Request, Response, parse_message
from meshdoor.sip.uri import SipUri

MAX_CALLS: Final = 16  # of one phone; the oldest is forgotten


@dataclass(eq=False, slots=True, weakref_slot=True)
class Call:
    """One call of a phone, and the hosts in the Contact of either end."""

    busy: Busy = Busy.RINGING
    hosts: set[str] = field(default_factory=set)

    def met(self, message: Request | Response) -> None:
        """Who sent this wants to be reached there."""
        self.hosts.update(contact.uri.host for contact in message.contacts[:1] if isinstance(contact.uri, SipUri))


class Overheard:
    """Give it every message of one phone, to it and of it. What cannot be read tells nothing."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}

    @property
    def busy(self) -> Busy:
        """What the phone does."""
        return max((call.busy for call in self._calls.values()), default=Busy.FREE)

    def talk(self, host: str) -> Call | None:
        """The call with whoever is at this host that was answered."""
        answered = (call for call in self._calls.values() if call.busy is Busy.IN_CALL)
        return next((call for call in answered if host in call.hosts), None)

    def saw(self, data: bytes) -> None:
        """A message, either way."""
        with suppress(SipError):
            message = parse_message(data)
            if isinstance(message, Request):
                self._request(message)
            elif message.cseq.method == "INVITE":
                self._answered(message)

    def _request(self, request: Request) -> None:
        if request.method == "INVITE" and request.to.tag is None:
            if len(self._calls) >= MAX_CALLS:
                del self._calls[next(iter(self._calls))]
            call = self._calls[request.call_id] = Call()
            call.met(request)
        elif request.method in ("CANCEL", "BYE"):
            self._calls.pop(request.call_id, None)

    def _answered(self, response: Response) -> None:
        """What answers a re-INVITE changes nothing, unless the call is known no more (RFC 3261 §12.2.1.2)."""
        call = self._calls.get(response.call_id)
        if call is not None and call.busy is Busy.RINGING and response.status >= 200:
            if response.status < 300:
                call.busy = Busy.IN_CALL
                call.met(response)
            else:
                del self._calls[response.call_id]
        elif response.status in (408, 481):
            self._calls.pop(response.call_id, None)
