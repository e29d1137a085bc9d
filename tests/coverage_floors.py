"""A pytest plugin: how much of each package the tests must run. Loaded by `./dev test`.

Protocol code has every line and every branch run. The shells around it, which talk to hardware and to the
operating system, have a floor each.
"""

from __future__ import annotations

import io
from collections.abc import Generator

import coverage
import pytest
from coverage.exceptions import NoDataError

FLOORS = {
    "sip/*": 100,
    "sdp/*": 100,
    "rtp/*": 100,
    "trust/*": 100,
    "calls/*": 100,
    "wall/*": 100,
    "devices/*": 100,
    "settings/*": 100,
    "mesh/addresses.py": 100,
    "mesh/alarms.py": 100,
    "mesh/announcement.py": 100,
    "mesh/dialing.py": 100,
    "mesh/dns.py": 100,
    "mesh/fair.py": 100,
    "mesh/frames.py": 100,
    "mesh/gate.py": 100,
    "mesh/hostname.py": 100,
    "mesh/newcomers.py": 100,
    "mesh/outsiders.py": 100,
    "mesh/peer.py": 100,
    "mesh/peers.py": 100,
    "mesh/responder.py": 100,
    "mesh/settling.py": 100,
    "mesh/sip_service.py": 100,
    "mesh/wire.py": 100,
    "ratelimit.py": 100,
}
FLOOR_OF_THE_REST = 80

failures = pytest.StashKey[list[str]]()


@pytest.hookimpl(wrapper=True, tryfirst=True)  # the outermost: pytest-cov has combined its data by then
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    result = yield
    if hasattr(session.config, "workerinput") or session.testsfailed:
        return result
    session.config.stash[failures] = below = list(_below())
    if below:
        session.testsfailed += 1  # this, and no exception, gives the exit code of a failed run
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    below = terminalreporter.config.stash.get(failures, [])
    if below:
        terminalreporter.section("coverage below its floor", red=True)
        for text in below:
            terminalreporter.write_line(text)


def _below() -> Generator[str]:
    """One text for each package that misses its floor, with the lines that no test runs."""
    data = coverage.Coverage()
    data.load()
    patterns = [f"meshdoor/{pattern}" for pattern in FLOORS]
    for pattern, floor in [*zip(patterns, FLOORS.values(), strict=True), ("meshdoor/*", FLOOR_OF_THE_REST)]:
        report = io.StringIO()
        try:
            omitted = patterns if pattern == "meshdoor/*" else None
            reached = data.report(include=[pattern], omit=omitted, file=report, precision=1)
        except NoDataError:  # the package is not there yet
            continue
        if reached < floor:
            yield f"{pattern}: {reached:.1f} % of {floor} %\n{report.getvalue()}"
