"""The blocking client of the control socket: light, so that `meshdoor status` answers at once."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from meshdoor.control import MAX_LINE, SOCKET_NAME, Json, decode, encode, error_from_json
from meshdoor.errors import NotRunning, RemoteProtocolError


@contextmanager
def reachable_path(state: Path) -> Iterator[str]:
    """The socket's path, short enough for any state directory (`sun_path` holds 108 bytes, unix(7))."""
    path = str(state / SOCKET_NAME)
    if len(os.fsencode(path)) < 100:
        yield path
        return
    folder = os.open(state, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET_NAME}"
    finally:
        os.close(folder)


class Client:
    """One connection to the node. Raises NotRunning when there is none."""

    def __init__(self, state: Path, timeout: float | None = 30.0) -> None:
        """`timeout` in seconds for each answer; None waits for ever."""
        self._socket = _connect(state, timeout)
        self._lines = self._socket.makefile("rb")
        self._number = 0

    def call(self, verb: str, progress: Callable[[Json], None] | None = None, **args: Json) -> Json:
        """What the node answers to one verb; `progress` gets what it says on the way. Raises UserError."""
        self._number += 1
        with suppress(ConnectionError):  # it hung up: reading says so
            self._socket.sendall(encode({"id": self._number, "verb": verb, "args": args}))
        while True:
            message = self._receive()
            if "event" in message:
                if progress is not None:
                    progress(message["event"])
            elif "error" in message:
                raise error_from_json(message["error"])
            else:
                return message.get("ok")

    def events(self) -> Iterator[dict[str, Json]]:
        """What happens at the node from now on, first that it listens; for this the connection is good alone."""
        self._number += 1
        with suppress(ConnectionError):
            self._socket.sendall(encode({"id": self._number, "verb": "events", "args": {}}))
        while True:
            message = self._receive()
            if "error" in message:
                raise error_from_json(message["error"])
            yield message.get("event", {})

    def _receive(self) -> dict[str, Json]:
        try:
            line = self._lines.readline(MAX_LINE)
        except TimeoutError as error:
            raise NotRunning("the node did not answer in time", "look at its log, or restart it") from error
        except ConnectionError:
            line = b""
        if not line.endswith(b"\n"):
            raise NotRunning("the node stopped while it was asked", "see its log; start it with: meshdoor run")
        try:
            return decode(line)
        except RemoteProtocolError as error:
            raise NotRunning(f"what listens at the control socket is not a node: {error}") from error

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _connect(state: Path, timeout: float | None) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        with reachable_path(state) as path:
            connection.connect(path)
    except OSError as error:
        connection.close()
        raise not_running(state, error) from error
    return connection


def not_running(state: Path, error: OSError) -> NotRunning:
    """What it means that nobody answers at the socket in `state`."""
    if isinstance(error, PermissionError):
        return NotRunning(f"no right to talk to the node in {state}", "use sudo, or the account it runs under")
    return NotRunning(f"no node is running in {state}", "start one with: meshdoor run   (another place: --state DIR)")
