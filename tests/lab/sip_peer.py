"""A program for a host of the virtual house: our SIP stack alone, for load from sipp or towards it.

    python -m tests.lab.sip_peer answer TRANSPORT                           rings, answers, waits for the BYE
    python -m tests.lab.sip_peer ring TRANSPORT                             rings, until the caller gives up
    python -m tests.lab.sip_peer call TRANSPORT ADDRESS PORT COUNT RATE     rings, talks a moment, hangs up
    python -m tests.lab.sip_peer cancel TRANSPORT ADDRESS PORT COUNT RATE   rings, gives up
    python -m tests.lab.sip_peer fork TRANSPORT ADDRESS,ADDRESS PORT COUNT RATE   a press that rings two

Says four times a second how it stands: a line of JSON with what every session came to, sessions and transactions that
are there, presses by their number of winners, CPU in seconds, and memory in bytes.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from meshdoor.calls import commands
from meshdoor.calls.commands import Ending
from meshdoor.calls.fork import Fork, State
from meshdoor.mesh.acceptor import listen
from meshdoor.sip import events as sip
from meshdoor.sip.core import Config
from meshdoor.sip.flow import Target
from meshdoor.sip.session import Session
from meshdoor.sip.uac import UacSession
from meshdoor.sip.uri import parse_uri
from meshdoor.transport.endpoint import SipEndpoint
from meshdoor.transport.tcp import TcpTransport
from meshdoor.transport.udp import UdpTransport, bind

PORT = 5060
REPORT = 0.25  # seconds
TALK = 0.05  # seconds
# A home's limits are for homes: a finished transaction is remembered for 32 s over UDP.
ROOM = 1_000_000
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 10.77.0.1\r\ns=-\r\nc=IN IP4 10.77.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


class Peer:
    """One endpoint and what became of its calls."""

    def __init__(self, transport: str) -> None:
        config = Config(user="peer", session_interval=0, max_transactions=ROOM, max_sessions=ROOM)
        self.endpoint = SipEndpoint(config, self._happened, lambda flow: True)
        self.transport = UdpTransport(bind(PORT, ("",))) if transport == "udp" else TcpTransport(listen(PORT, ("",)))
        self.endpoint.add(self.transport)
        self.ended: Counter[str] = Counter()
        self.answers = True
        self.gives_up = False
        self.presses: dict[Session, Press] = {}
        self.winners: Counter[int] = Counter()

    def call(self, address: str, port: int) -> UacSession:
        self.ended["begun"] += 1
        where = (address, port)
        suffix = ";transport=tcp" if isinstance(self.transport, TcpTransport) else ""
        target = Target(parse_uri(f"sip:screen@{address}:{port}{suffix}"), self.transport.flow(where))
        return self.endpoint.invite(target, SDP)

    def _happened(self, event: sip.Event) -> None:
        now = self.endpoint.now
        if isinstance(event, sip.SessionEvent) and event.session in self.presses:
            self.presses[event.session].happened(event)
        elif isinstance(event, sip.IncomingInvite):
            self.ended["begun"] += 1
            event.session.provisional(180, b"", now)
            if self.answers:
                asyncio.get_running_loop().call_later(TALK, self._answer, event)
        elif isinstance(event, sip.Provisional) and self.gives_up and event.dialog is not None:
            event.session.cancel((), now)
        elif isinstance(event, sip.Answered):
            asyncio.get_running_loop().call_later(TALK, self._hang_up, event.session)
        if isinstance(event, sip.SessionOver):
            self.ended[type(event).__name__.lower()] += 1

    def _answer(self, event: sip.IncomingInvite) -> None:
        if not event.session.over:
            with self.endpoint.acting() as now:
                event.session.accept(SDP, now)

    def _hang_up(self, session: Session) -> None:
        if not session.over:
            with self.endpoint.acting() as now:
                session.hangup((), now)

    async def report(self) -> None:
        while True:
            stack = self.endpoint.stack
            used = resource.getrusage(resource.RUSAGE_SELF)
            state = {
                "ended": self.ended,
                "sessions": len(stack.sessions),
                "transactions": len(stack._core.transactions),
                "winners": self.winners,
                "cpu": used.ru_utime + used.ru_stime,
                "memory": resident(),
            }
            print(json.dumps(state), flush=True)
            await asyncio.sleep(REPORT)


def resident() -> int:
    """Bytes of memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


class Press:
    """One press: the fork that doors use, over plain SIP."""

    def __init__(self, peer: Peer, addresses: Sequence[str], port: int) -> None:
        self._peer = peer
        self._won: set[int] = set()
        self._numbers: dict[Session, int] = {}
        self._sessions: dict[int, UacSession] = {}
        self._addresses = [address.encode() for address in addresses]
        self._port = port
        self._fork = Fork(self._addresses, peer.endpoint.now)
        self._obey()

    def happened(self, event: sip.SessionEvent) -> None:
        fork, now, number = self._fork, self._peer.endpoint.now, self._numbers[event.session]
        match event:
            case sip.Provisional(dialog=dialog) if dialog is not None:
                fork.provisional(number, now)
            case sip.Answered():
                fork.answered(number, now)
            case sip.Rejected(response=response):
                fork.rejected(number, response.status, now)
            case sip.Failed() | sip.Cancelled():
                fork.failed(number, Ending.LOST, now)
            case sip.Ended():
                fork.bye(number, now)
        self._obey()
        if isinstance(event, sip.SessionOver):
            del self._peer.presses[event.session]
            if fork.state is State.ENDED and not any(each in self._peer.presses for each in self._numbers):
                self._peer.winners[len(self._won)] += 1

    def _obey(self) -> None:
        while (command := self._fork.next_command()) is not None:
            now = self._peer.endpoint.now
            match command:
                case commands.Invite(branch=number, peer=address):
                    session = self._sessions[number] = self._peer.call(address.decode(), self._port)
                    self._numbers[session] = number
                    self._peer.presses[session] = self
                case commands.OpenTalk(branch=number):
                    self._won.add(number)
                    asyncio.get_running_loop().call_later(TALK, self._over)
                case commands.Cancel(branch=number) | commands.Bye(branch=number):
                    self._sessions[number].hangup((), now)

    def _over(self) -> None:
        self._fork.hang_up(self._peer.endpoint.now)
        self._obey()
        self._peer.endpoint.flush()


async def place(peer: Peer, verb: str, addresses: str, port: int, count: int, rate: float) -> None:
    """So many calls, at a steady beat."""
    began = peer.endpoint.now
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / rate - peer.endpoint.now))
        if verb == "fork":
            Press(peer, addresses.split(","), port)
            peer.endpoint.flush()
        else:
            peer.call(addresses, port)


async def main(verb: str, transport: str, *words: str) -> None:
    peer = Peer(transport)
    peer.answers, peer.gives_up = verb != "ring", verb == "cancel"
    async with peer.endpoint, asyncio.TaskGroup() as tasks:
        tasks.create_task(peer.report())
        if words:
            addresses, port, count, rate = words
            await place(peer, verb, addresses, int(port), int(count), float(rate))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
