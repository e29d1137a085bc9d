"""Our account at a server of others: one binding, kept until it is ended (RFC 3261 §10.2; state machine).

The server tells in the Via of its responses where it sees us (RFC 3581); that is what the Contact says then, so that
calls find their way back through NAT and down a connection of ours.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from ipaddress import ip_address
from typing import Final

from meshdoor.errors import SipError
from meshdoor.sip.asking import Asking, Draft
from meshdoor.sip.core import Core
from meshdoor.sip.events import RegistrationChanged
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.headers import NameAddr
from meshdoor.sip.machine import Failure
from meshdoor.sip.message import Response
from meshdoor.sip.timers import Timed
from meshdoor.sip.uri import SipUri, parse_port

# Seconds.
EARLIER: Final = 32.0  # a refresh comes this long before the end, 64·T1: the time that a request may take
FIRST_WAIT: Final = 30.0  # RFC 5626 §4.5: the base time, all flows failed
LONGEST_WAIT: Final = 1800.0
MAX_EXPIRES: Final = 86400
WRONG: Final = frozenset({401, 403, 404, 407})  # asking again soon would change nothing


class State(StrEnum):
    """Where a registration is."""

    ASKING = "asking"
    REGISTERED = "registered"
    FAILED = "failed"  # it is tried again
    ENDING = "ending"
    ENDED = "ended"


class Registration(Timed):
    """Made by `Stack.register`. `target.uri` is the registrar's domain, `target.caller` the address of record.

    `state`, `contact` and `status` (of the last response; 408 or 503 when none came) are for reading.
    """

    def __init__(self, core: Core, target: Target, user: str, expires: int, now: float) -> None:
        super().__init__(core.agenda)
        self.state = State.ASKING
        self.status = 0
        self._core = core
        self._user = user
        self._expires = expires
        self._failures = 0
        self._corrected = False  # once for each success
        self._old: SipUri | None = None  # a contact that the server may still have
        self._dialog = core.outside(target)
        assert target.caller is not None
        self._dialog.remote = NameAddr(target.caller.display, target.caller.uri)
        self._dialog.target = target.uri
        self.contact = target.flow.contact(user)
        self._ask(now)

    @property
    def flow(self) -> Flow:
        """The way to the server."""
        return self._dialog.flow

    def refresh(self, now: float) -> None:
        """Register now: the way was lost, or the network is another."""
        if self.state in (State.REGISTERED, State.FAILED):
            self._ask(now)

    def move(self, target: Target, now: float) -> None:
        """Register over another way."""
        if self.state in (State.REGISTERED, State.FAILED):
            self._core.contacts.pop(self._place, None)
            self._dialog.flow, self._dialog.route = target.flow, target.route
            self.contact = target.flow.contact(self._user)
            self._ask(now)

    def end(self, now: float) -> None:
        """Take the binding back."""
        if self.state in (State.ENDING, State.ENDED):
            return
        self.timers = {}
        if self.state is State.FAILED:
            self._become(State.ENDED)
            return
        self.state = State.ENDING
        self._expires = 0
        self._ask(now)

    def timer_refresh(self, now: float) -> None:
        """The binding ends soon, or another try is due."""
        self._ask(now)

    @property
    def _place(self) -> tuple[str, tuple[str, int]]:
        return self.flow.transport, self.flow.remote

    def _ask(self, now: float) -> None:
        self.timers = {}
        if self.state is not State.ENDING:
            self.state = State.ASKING
        contacts = [f"<{self.contact}>;expires={self._expires}"]
        if self._old is not None and self._old != self.contact:
            contacts.append(f"<{self._old}>;expires=0")
        headers = (*(("Contact", contact) for contact in contacts), *self._core.capability_fields())
        Asking(self._core, self._dialog, Draft("REGISTER", headers), self._answered).send(now)

    def _answered(self, response: Response, failure: Failure | None, now: float) -> None:
        self.status = response.status
        if self.state is State.ENDING:
            self._become(State.ENDED)
        elif response.status < 300:
            self._registered(response, now)
        elif response.status == 423 and self._expires < (wanted := response.min_expires or 0) <= MAX_EXPIRES:
            self._expires = wanted
            self._ask(now)
        else:
            self._failed(response, now)

    def _registered(self, response: Response, now: float) -> None:
        self._failures = 0
        seen = self._seen(response)
        if seen != self.contact and not self._corrected:
            self._corrected = True
            self._old, self.contact = self.contact, seen
            self._ask(now)
            return
        self._corrected, self._old = False, None
        granted = min(self._granted(response), MAX_EXPIRES)
        self.arm("REFRESH", now + max(granted - EARLIER, granted / 2, 1.0))
        self._core.contacts[self._place] = self.contact
        self._become(State.REGISTERED)

    def _failed(self, response: Response, now: float) -> None:
        self._corrected = False
        longest = LONGEST_WAIT if response.status in WRONG else min(LONGEST_WAIT, FIRST_WAIT * 2**self._failures)
        asked = min(float(response.retry_after or 0), LONGEST_WAIT)
        self._failures = min(self._failures + 1, 10)
        self.arm("REFRESH", now + max(self._core.choose(longest / 2, longest, 0.1), asked))
        self._become(State.FAILED)

    def _seen(self, response: Response) -> SipUri:
        """Our contact as the server sees it."""
        via = response.via
        port = via.parameter("rport")
        host = (via.parameter("received") or via.host).strip("[]")
        try:
            return replace(self.contact, host=str(ip_address(host)), port=parse_port(port or ""))
        except (SipError, ValueError):
            return self.contact

    def _granted(self, response: Response) -> float:
        """For how long, of all that is registered there, our contact is (§10.2.4)."""
        for each in response.contacts:
            if self.contact.equivalent(each.uri) and (said := each.parameter("expires")) and said.isdecimal():
                return float(min(int(said), MAX_EXPIRES))
        return float(response.expires if response.expires is not None else self._expires)

    def _become(self, state: State) -> None:
        self.state = state
        if state is not State.REGISTERED:
            self._core.contacts.pop(self._place, None)
        self._core.emit(RegistrationChanged(self))
