"""Two stacks, a network that loses, repeats and reorders, and users who do anything at any time.

Whatever happens: every session ends with exactly one SessionOver on its side, every transaction ends, no
timer is left. Without loss both sides agree on whether there was a call.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from meshdoor.errors import LocalProtocolError
from meshdoor.sip.core import Config
from meshdoor.sip.events import IncomingInvite, OfferReceived, RequestReceived, SessionOver
from meshdoor.sip.headers import Reason
from meshdoor.sip.session import Session
from meshdoor.sip.uac import UacSession
from meshdoor.sip.uas import UasSession
from tests.sip.wire import ANSWER, OFFER, Datagram, Net, Party

REASON = (Reason("SIP", 200, "Call completed elsewhere"),)
PARTIES = st.integers(0, 1)
VERBS = ["ring", "early", "accept", "accept", "reject", "hangup", "hangup", "abandon"]


class Calls(RuleBasedStateMachine):
    """The network, and the users at both ends."""

    @initialize(transport=st.sampled_from(["UDP", "LINK"]))
    def start(self, transport: str) -> None:
        self.net = Net(transport)
        for _ in range(3):
            self.net.party(Config(session_interval=120, longest_ring=60.0))
        self.flying: list[Datagram] = []
        self.sessions: list[Session] = []
        self.seen = 0

    def _collect(self) -> None:
        self.net.collect()
        self.flying += self.net.pending()
        for party in self.net.parties:
            for event in party.events:
                if isinstance(event, IncomingInvite) and event.session not in self.sessions:
                    self.sessions.append(event.session)

    def _party(self, index: int) -> Party:
        return self.net.parties[index]

    @precondition(lambda self: len(self.sessions) < 6)
    @rule(caller=PARTIES)
    def call(self, caller: int) -> None:
        party, other = self._party(caller), self._party(1 - caller)
        target = self.net.target(party, other)
        self.sessions.append(party.stack.invite(target, OFFER, (), self.net.now))
        self._collect()

    @precondition(lambda self: len(self.sessions) < 6)
    @rule(caller=PARTIES, verb=st.sampled_from(["ring", "early", "accept"]))
    def call_through(self, caller: int, verb: str) -> None:
        """A call that gets somewhere at once."""
        self.call(caller)
        self.deliver_all()
        self._do(self.sessions[-1], verb)
        self._collect()
        for _ in range(3):
            self.deliver_all()

    @precondition(lambda self: any(d.what == "INVITE" for d in self.flying))
    @rule()
    def fork(self) -> None:
        """A proxy on the way rings somebody else as well."""
        invite = next(d for d in self.flying if d.what == "INVITE")
        third = self.net.parties[2]
        self.flying.append(replace(invite, receiver=third, flow=replace(invite.flow, remote=third.address)))

    @precondition(lambda self: self.flying)
    @rule(index=st.integers(0, 1000))
    def deliver(self, index: int) -> None:
        """One message arrives; on a link in order, over UDP in any."""
        place = index % len(self.flying) if self.net.transport == "UDP" else 0
        self.net.deliver([self.flying.pop(place)])
        self._collect()

    @rule()
    def deliver_all(self) -> None:
        flying, self.flying = self.flying, []
        self.net.deliver(flying)
        self._collect()

    @precondition(lambda self: self.flying and self.net.transport == "UDP")
    @rule(index=st.integers(0, 1000))
    def lose(self, index: int) -> None:
        self.flying.pop(index % len(self.flying))

    @precondition(lambda self: self.flying and self.net.transport == "UDP")
    @rule(index=st.integers(0, 1000))
    def repeat(self, index: int) -> None:
        self.flying.append(self.flying[index % len(self.flying)])

    @rule(seconds=st.sampled_from([0.1, 0.1, 0.5, 0.5, 0.5, 1.0, 1.0, 4.0, 4.0, 33.0, 70.0]))
    def pass_time(self, seconds: float) -> None:
        self.net.now += seconds
        for party in self.net.parties:
            party.stack.handle_timer(self.net.now)
        self._collect()

    @precondition(lambda self: self.sessions)
    @rule(index=st.integers(0, 5), verb=st.sampled_from(VERBS))
    def act(self, index: int, verb: str) -> None:
        self._do(self.sessions[index % len(self.sessions)], verb)
        self._collect()

    @precondition(lambda self: self.sessions)
    @rule(index=st.integers(0, 5), verb=st.sampled_from(["reinvite", "update", "info"]))
    def talk(self, index: int, verb: str) -> None:
        self._do(self.sessions[index % len(self.sessions)], verb)
        self._collect()

    @rule(accept=st.booleans())
    def respond(self, accept: bool) -> None:
        """Both users answer what they were asked and did not answer yet."""
        for party in self.net.parties:
            for event in party.events:
                try:
                    if isinstance(event, OfferReceived):
                        if accept:
                            event.offer.answer(ANSWER, self.net.now)
                        else:
                            event.offer.refuse(488, self.net.now)
                    elif isinstance(event, RequestReceived):
                        party.stack.respond(event, 200, self.net.now)
                except LocalProtocolError:
                    continue  # answered already, or over by now
        self._collect()

    def _do(self, session: Session, verb: str) -> None:
        now = self.net.now
        try:
            match verb:
                case "hangup":
                    session.hangup(REASON, now)
                case "abandon":
                    session.abandon(now)
                case "info":
                    session.info(b"x", "text/plain", now)
                case "reinvite":
                    session.reinvite(OFFER, now)
                case "update":
                    session.update(OFFER, now)
                case _ if isinstance(session, UasSession):
                    self._answer(session, verb, now)
                case _:
                    assert isinstance(session, UacSession)
        except LocalProtocolError:
            pass  # a verb that the session is too young or too old for

    def _answer(self, session: UasSession, verb: str, now: float) -> None:
        if verb == "accept":
            session.accept(ANSWER, now)
        elif verb == "reject":
            session.reject(486, now)
        else:
            session.provisional(180 if verb == "ring" else 183, b"" if verb == "ring" else ANSWER, now)

    def teardown(self) -> None:
        """Everybody hangs up, the network works again: nothing may be left."""
        if not hasattr(self, "net"):
            return
        self.deliver_all()
        for session in self.sessions:
            session.hangup(REASON, self.net.now)
        self.net.settle()
        self._collect()
        overs = Counter(id(e.session) for p in self.net.parties for e in p.events if isinstance(e, SessionOver))
        assert all(session.over for session in self.sessions)
        assert overs == Counter(map(id, self.sessions))


Calls.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestCalls = Calls.TestCase
