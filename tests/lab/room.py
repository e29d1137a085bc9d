"""A place in the virtual house where programs run: a host, or where the bridge is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.lab.process import Process
from tests.lab.protocol import Channel, LabError

CHECKOUT = Path(__file__).resolve().parents[2]


class Room:
    """Starts programs in its namespaces. `directory` is for all that they write."""

    def __init__(self, name: str, directory: Path, channel: Channel) -> None:
        self.name = name
        self.directory = directory
        self.processes: list[Process] = []
        self._channel = channel

    def environment(self) -> dict[str, str]:
        """Of each program: ours, with a home and a state directory of the host's own."""
        programs = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '/usr/bin')}:/usr/sbin:/sbin"
        own = {"HOME": str(self.directory), "MESHDOOR_STATE": str(self.directory / "state")}
        outer = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
        return outer | own | {"PATH": programs, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(CHECKOUT)}

    def start(self, argv: Sequence[str], env: Mapping[str, str] | None = None, stdin: int | None = None) -> Process:
        """A program in the background; `env` is added to the environment. Raises LabError if it is not there."""
        log = self.directory / f"{len(self.processes):02}-{Path(argv[0]).name}.log"
        with log.open("wb") as output, Path(os.devnull).open("rb") as nothing:
            streams = (nothing.fileno() if stdin is None else stdin, output.fileno(), output.fileno())
            pid, exit_from = self._spawn(argv, env, streams)
        process = Process(self._channel, f"{self.name}: {' '.join(argv)}", pid, log, exit_from)
        self.processes.append(process)
        return process

    def run(
        self, argv: Sequence[str], text: str = "", timeout: float = 20, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """A program to its end, `text` as its input. With `check`, LabError unless it returns 0."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(text.encode())
            given.seek(0)
            pid, exit_from = self._spawn(argv, None, (given.fileno(), out.fileno(), err.fileno()))
            process = Process(self._channel, " ".join(argv), pid, Path(f"/proc/self/fd/{err.fileno()}"), exit_from)
            try:
                code = process.wait(timeout)
            except LabError:
                process.kill()
                raise
            done = subprocess.CompletedProcess(list(argv), code, _read(out), _read(err))
        if check and code != 0:
            raise LabError(f"{self.name}: {' '.join(argv)}: returned {code}\n{done.stdout}{done.stderr}")
        return done

    def _spawn(
        self, argv: Sequence[str], env: Mapping[str, str] | None, streams: tuple[int, int, int]
    ) -> tuple[int, int]:
        exit_from, exit_to = os.pipe()
        environment = self.environment() | dict(env or {})
        try:
            reply, _ = self._channel.ask(
                {"do": "start", "argv": list(argv), "env": environment, "cwd": str(self.directory)},
                (*streams, exit_to),
            )
        except LabError:
            os.close(exit_from)
            raise
        finally:
            os.close(exit_to)
        return reply["pid"], exit_from

    def python(self, module: str, *words: object) -> list[str]:
        """The argv that runs a module of this checkout."""
        return [sys.executable, "-m", module, *map(str, words)]

    def power_off(self) -> None:
        """Every program ends at once, with no goodbye; the interface stays."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()

    def close(self) -> None:
        """Ends the place itself; whatever still runs in it is killed."""
        self._channel.close()


def stop_all(processes: Iterable[Process], timeout: float = 3) -> None:
    """Asks all of them to end, then waits for each; the slow are killed."""
    running = [process for process in processes if process.poll() is None]
    for process in running:
        process.signal(signal.SIGTERM)
    for process in running:
        process.stop(timeout)


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
