"""A program that runs in a host of the virtual house."""

from __future__ import annotations

import os
import re
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tests.lab.protocol import Channel, LabError
from tests.patience import PATIENCE

POLL = 0.01  # seconds between two looks into a log
TAIL = 60  # lines of a log that a failure shows


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used: seconds of CPU since its start, bytes of memory resident now."""

    cpu: float
    memory: int


class Process:
    """Its output and its errors are in the file `log`. `pid` counts inside the house."""

    def __init__(self, channel: Channel, title: str, pid: int, log: Path, exit_from: int) -> None:
        self.title = title
        self.pid = pid
        self.log = log
        self._channel = channel
        self._exit_from = exit_from
        self._returncode: int | None = None

    def __repr__(self) -> str:
        return f"<{self.title}: {'running' if self._returncode is None else self._returncode}>"

    @property
    def text(self) -> str:
        """All that it has written so far."""
        return self.log.read_text(errors="replace")

    def tail(self, most: int = TAIL) -> str:
        """The end of what it has written, at `most` so many lines, under its title, for a person."""
        lines = self.text.splitlines()
        left_out = [f"... {len(lines) - most} lines before"] if len(lines) > most else []
        state = "running" if self.poll() is None else f"ended: {self._returncode}"
        return "\n".join([f"--- {self.title} ({state})", *left_out, *lines[-most:]])

    def poll(self) -> int | None:
        """The return code, negative for a signal; None while it runs."""
        return self._look(0)

    def wait(self, timeout: float = PATIENCE) -> int:
        """The return code. Raises LabError when it has not ended within `timeout` seconds."""
        code = self._look(timeout)
        if code is None:
            raise LabError(f"still running after {timeout:g} s\n{self.tail()}")
        return code

    def _look(self, timeout: float) -> int | None:
        if self._returncode is None and select.select([self._exit_from], [], [], timeout)[0]:
            code = os.read(self._exit_from, 16)
            self._returncode = int(code) if code else -signal.SIGKILL  # the whole host went away
            os.close(self._exit_from)
        return self._returncode

    def expect(self, pattern: str, timeout: float = PATIENCE) -> re.Match[str]:
        """Waits until what it has written matches the regular expression. Raises LabError."""
        deadline = time.monotonic() + timeout
        while True:
            ended = self.poll() is not None
            found = re.search(pattern, self.text, re.MULTILINE)
            if found:
                return found
            if ended or time.monotonic() > deadline:
                raise LabError(f"no {pattern!r} within {timeout:g} s\n{self.tail()}")
            time.sleep(POLL)

    def signal(self, number: int) -> None:
        """To the process alone, not to its children."""
        self._send(number, group=False)

    def kill(self) -> None:
        """Ends it and its children at once, as a power cut does."""
        self._send(signal.SIGKILL, group=True)

    def stop(self, timeout: float = 10) -> int:
        """Asks it to end (SIGTERM), waits, and kills it after `timeout` seconds."""
        self.signal(signal.SIGTERM)
        if self._look(timeout) is None:
            self.kill()
        return self.wait()

    def _send(self, number: int, group: bool) -> None:
        if self.poll() is None:
            self._channel.ask({"do": "signal", "pid": self.pid, "signal": number, "group": group})

    def usage(self) -> Usage:
        """Raises LabError when it has ended."""
        reply, _ = self._channel.ask({"do": "usage", "pid": self.pid})
        return Usage(reply["cpu"], reply["memory"])
