"""sipp in a host of the virtual house, with the scenarios of this folder, and our own stack as its other side.

    caller_answer.xml      rings, is answered, hangs up         caller_cancel.xml      rings, gives up
    screen_answer.xml      rings, answers, waits for the BYE    screen_cancelled.xml   rings until it is cancelled
    screen_race.xml        answers after 20 ms, also when it is cancelled in this moment
"""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from meshdoor.control import Json
from tests.lab.host import Host
from tests.lab.nodes import wait_until
from tests.lab.process import Process

MISSING = "" if shutil.which("sipp") else "sipp is not installed"
SCENARIOS = Path(__file__).parent
PORT = 5060
# A CANCEL that crosses the answer, or the second answer to a repeated one, is no reason to end a call.
CROSSING = ("screen_race", "caller_cancel")


@dataclass(frozen=True, slots=True)
class Counts:
    """What sipp says of its calls."""

    successful: int
    failed: int
    retransmissions: int


class Sipp:
    """A run of `calls` calls of one scenario at `rate` a second, over "udp" or "tcp"; as a UAS without `target`."""

    def __init__(
        self, host: Host, scenario: str, calls: int, *, rate: float = 10, transport: str = "udp", target: str = ""
    ) -> None:
        self._statistics = host.directory / f"{len(host.processes):02}-sipp.csv"
        words = ["sipp", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", host.ipv4, "-p", str(PORT), "-nostdin"]
        words += ["-t", "u1" if transport == "udp" else "t1", "-m", str(calls), "-r", str(rate), "-l", "100000"]
        words += ["-trace_stat", "-stf", str(self._statistics), "-fd", "1", "-trace_err"]
        if scenario in CROSSING:
            words += ["-default_behaviors", "all,-abortunexp"]
        words += ["-error_file", str(self._statistics.with_suffix(".errors"))]
        self.process: Process = host.start([*words, *([f"{target}:{PORT}"] if target else [])], {"TERM": "xterm"})

    def wait(self, timeout: float) -> Counts:
        """Until all calls are over."""
        self.process.wait(timeout)
        with self._statistics.open() as file:
            last = list(csv.DictReader(file, delimiter=";"))[-1]
        keys = ("SuccessfulCall(C)", "FailedCall(C)", "Retransmissions(C)")
        return Counts(*(int(last[key]) for key in keys))


class Peer:
    """`tests.lab.sip_peer` in a host; see there for the words."""

    def __init__(self, host: Host, verb: str, transport: str, *words: object) -> None:
        self.process = host.start(host.python("tests.lab.sip_peer", verb, transport, *words))
        self.process.expect(r"\}\n")

    def state(self) -> Json:
        """The last that it said."""
        return json.loads(self.process.text.rpartition("\n")[0].rpartition("\n")[2])

    def settled(self, sessions: int, timeout: float) -> Json:
        """How it stands when so many sessions were begun and are over."""
        wait_until(lambda: _over(self.state(), sessions), timeout)
        return self.state()


def _over(state: Json, sessions: int) -> bool:
    return bool(state["ended"].get("begun") == sessions and not state["sessions"])
