"""What a call costs in two stacks in memory: µs from INVITE to 183, µs for a whole call, bytes a session."""

from __future__ import annotations

import gc
import tracemalloc
from statistics import median
from time import perf_counter

from benchmarks.sip_messages import SDP
from meshdoor.sip.core import Config
from meshdoor.sip.events import IncomingInvite
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.stack import Stack
from meshdoor.sip.uac import UacSession
from meshdoor.sip.uas import UasSession
from meshdoor.sip.uri import parse_uri

DOOR, SCREEN = ("192.168.1.20", 5061), ("192.168.1.31", 5061)
OUT, BACK = Flow("LINK", DOOR, SCREEN, "screen"), Flow("LINK", SCREEN, DOOR, "door")
TARGET = Target(parse_uri("sip:screen@192.168.1.31"), OUT)
ROOM = Config(max_sessions=10**6, max_transactions=10**6)


class Pair:
    """A door and a screen on one link."""

    def __init__(self) -> None:
        self.door, self.screen = Stack(ROOM), Stack(ROOM)

    def to_screen(self) -> None:
        for _, data in self.door.data_to_send():
            self.screen.receive(data, BACK, 0.0)

    def to_door(self) -> None:
        for _, data in self.screen.data_to_send():
            self.door.receive(data, OUT, 0.0)

    def ring(self) -> tuple[UacSession, UasSession]:
        """INVITE there, 183 with SDP back."""
        caller = self.door.invite(TARGET, SDP, (), 0.0)
        self.to_screen()
        event = self.screen.next_event()
        assert isinstance(event, IncomingInvite)
        event.session.provisional(183, SDP, 0.0)
        self.to_door()
        while self.door.next_event() is not None:
            pass
        return caller, event.session

    def talk(self, caller: UacSession, callee: UasSession) -> None:
        """200, ACK, BYE, 200."""
        callee.accept(b"", 0.0)
        self.to_door()
        self.to_screen()
        caller.bye((), 0.0)
        self.to_screen()
        self.to_door()
        for stack in (self.door, self.screen):
            stack.handle_timer(1e6)
            while stack.next_event() is not None:
                pass


def measure_time(calls: int = 1000) -> dict[str, float]:
    """Medians in µs."""
    pair = Pair()
    early, whole = [], []
    for _ in range(calls):
        start = perf_counter()
        sessions = pair.ring()
        early.append(perf_counter() - start)
        pair.talk(*sessions)
        whole.append(perf_counter() - start)
    return {"INVITE to 183": median(early) * 1e6, "a whole call": median(whole) * 1e6}


def measure_memory(calls: int = 300) -> float:
    """Bytes that one ringing call takes, both ends together."""
    pair = Pair()
    pair.talk(*pair.ring())
    gc.collect()
    tracemalloc.start()
    kept = [pair.ring() for _ in range(calls)]
    gc.collect()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used / len(kept)


if __name__ == "__main__":
    for name, cost in measure_time().items():
        print(f"{name:16} {cost:8.0f} µs")
    print(f"a ringing call   {measure_memory():8.0f} bytes, both ends")
