"""What the SIP that passes between a node and a phone says of the phone: free, ringing or in a call (sans-IO)."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from meshdoor.errors import SipError
from meshdoor.mesh.frames import State as Busy
from meshdoor.sip.message import Request, Response, parse_message

MAX_CALLS: Final = 16  # of one phone; the oldest is forgotten


class Overheard:
    """Give it every message of one phone, to it and of it. What cannot be read tells nothing."""

    def __init__(self) -> None:
        self._calls: dict[str, Busy] = {}

    @property
    def busy(self) -> Busy:
        """What the phone does."""
        return max(self._calls.values(), default=Busy.FREE)

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
            self._calls[request.call_id] = Busy.RINGING
        elif request.method in ("CANCEL", "BYE"):
            self._calls.pop(request.call_id, None)

    def _answered(self, response: Response) -> None:
        """What answers a re-INVITE changes nothing, unless the call is known no more (RFC 3261 §12.2.1.2)."""
        call = self._calls.get(response.call_id)
        if call is Busy.RINGING and response.status >= 200:
            if response.status < 300:
                self._calls[response.call_id] = Busy.IN_CALL
            else:
                del self._calls[response.call_id]
        elif response.status in (408, 481):
            self._calls.pop(response.call_id, None)
