"""How many calls one core holds: figures for the docs, measured with sipp in the virtual house on this machine.

    python -m tests.lab.load calls [CALLS] [RATE] [udp|tcp]  each way: lost calls, CPU for each, memory
    python -m tests.lab.load races [PRESSES] [RATE]  two screens that answer in the same millisecond
    python -m tests.lab.load flat [ROUNDS] [CALLS] [RATE]   memory after each round of calls
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from meshdoor.control import Json
from tests.lab import House
from tests.lab.sipp import PORT, Peer, Sipp

FORGOTTEN = 34.0  # seconds, after which nothing is remembered of a call over UDP (RFC 3261 §17.1.2.2, 64 * T1)
SETTLED = 60.0  # seconds
CALLED = {"answer": ("caller_answer", "ring, answer, bye"), "ring": ("caller_cancel", "ring, cancel")}
CALLS = {"call": ("screen_answer", "ring, answer, bye"), "cancel": ("screen_cancelled", "ring, cancel")}


def row(what: str, lost: int, begun: Json, ended: Json, seconds: float) -> str:
    """One line of figures."""
    calls = ended["ended"]["begun"]
    cpu = 1e3 * (ended["cpu"] - begun["cpu"]) / calls
    grown = (ended["memory"] - begun["memory"]) / 2**20
    rate = calls / seconds
    return (
        f"{what:42} {calls:6} calls  {lost} lost  {rate:5.0f}/s  {cpu:5.2f} ms CPU each"
        f"  {1000 / cpu:5.0f}/s would fill a core  {grown:+5.1f} MiB"
    )


def calls(count: str = "10000", rate: str = "200", *transports: str) -> None:
    """Calls of sipp, then calls to it."""
    number, timeout = int(count), int(count) / float(rate) + SETTLED
    for transport in transports or ("udp", "tcp"):
        for verb, (scenario, what) in CALLED.items():
            with House("node", "phone") as house:
                peer = Peer(house["node"], verb, transport)
                begun, began = peer.state(), time.monotonic()
                target = house["node"].ipv4
                sipp = Sipp(house["phone"], scenario, number, rate=float(rate), transport=transport, target=target)
                counts = sipp.wait(timeout)
                seconds = time.monotonic() - began - 4.0  # that sipp waits at the end
                ended = peer.settled(number, SETTLED)
                print(row(f"{transport}, sipp calls: {what}", counts.failed, begun, ended, seconds), flush=True)
        for verb, (scenario, what) in CALLS.items():
            with House("node", "phone") as house:
                screen = Sipp(house["phone"], scenario, number, transport=transport)
                began = time.monotonic()
                peer = Peer(house["node"], verb, transport, house["phone"].ipv4, PORT, number, rate)
                begun = peer.state()
                ended = peer.settled(number, timeout)
                seconds = time.monotonic() - began
                lost = screen.wait(timeout).failed
                print(row(f"{transport}, sipp is called: {what}", lost, begun, ended, seconds), flush=True)


def races(count: str = "1000", rate: str = "40") -> None:
    """Each press rings two screens, which answer after the same 20 ms."""
    presses, timeout = int(count), int(count) / float(rate) + SETTLED
    with House("node", "hall", "kitchen") as house:
        names = ("hall", "kitchen")
        screens = [Sipp(house[name], "screen_race", presses) for name in names]
        addresses = ",".join(house[name].ipv4 for name in names)
        peer = Peer(house["node"], "fork", "udp", addresses, PORT, presses, rate)
        counts = [screen.wait(timeout) for screen in screens]
        state = peer.settled(2 * presses, timeout)
    print(f"{presses} presses, by their number of winners: {state['winners']}; both screens: {counts}")


def flat(rounds: str = "5", count: str = "2000", rate: str = "200") -> None:
    """Over UDP, where what was is remembered for longest."""
    with House("node", "phone") as house:
        peer = Peer(house["node"], "answer", "udp")
        for number in range(1, int(rounds) + 1):
            target = house["node"].ipv4
            Sipp(house["phone"], "caller_answer", int(count), rate=float(rate), target=target).wait(SETTLED)
            full = peer.settled(number * int(count), SETTLED)
            time.sleep(FORGOTTEN)
            empty = peer.state()
            memory = [state["memory"] / 2**20 for state in (full, empty)]
            told = f"{memory[0]:.1f} MiB with {full['transactions']} transactions"
            print(f"round {number}: {told}, {memory[1]:.1f} MiB with {empty['transactions']}", flush=True)


VERBS: dict[str, Callable[..., None]] = {"calls": calls, "races": races, "flat": flat}

if __name__ == "__main__":
    VERBS[sys.argv[1]](*sys.argv[2:])
