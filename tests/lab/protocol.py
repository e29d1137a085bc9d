"""Requests to the agent and its replies: one JSON object a packet on a Unix SEQPACKET socket.

    start   argv, env, cwd; four descriptors (input, output, errors, exit) -> pid
            When the process ends, its return code is written as text to the exit descriptor.
    signal  pid, signal, group -> nothing; a process that has ended is no error
    usage   pid -> cpu (seconds), memory (bytes resident)
    fork    name, directory -> pid, and one descriptor: the socket of the new host
Any request may be answered by an error, as text.
"""

from __future__ import annotations

import json
import socket
import threading
from typing import TypedDict

MAX_PACKET = 128 * 1024
MAX_DESCRIPTORS = 4
TIMEOUT = 20.0  # seconds; the machine may be busy


class LabError(Exception):
    """The virtual house could not do what it was asked to do."""


class Request(TypedDict, total=False):
    do: str
    argv: list[str]
    env: dict[str, str]
    cwd: str
    pid: int
    signal: int
    group: bool
    name: str
    directory: str


class Reply(TypedDict, total=False):
    pid: int
    cpu: float
    memory: int
    error: str


class Channel:
    """The outer end: asks, one request at a time, and waits for the reply."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._socket.settimeout(TIMEOUT)
        self._lock = threading.Lock()

    def ask(self, request: Request, descriptors: tuple[int, ...] = ()) -> tuple[Reply, list[int]]:
        """The reply and the descriptors that came with it. Raises LabError."""
        try:
            with self._lock:
                socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)
                data, received, _, _ = socket.recv_fds(self._socket, MAX_PACKET, MAX_DESCRIPTORS)
        except OSError as error:
            raise LabError(f"no answer from the house to {request['do']!r}: {error}") from error
        if not data:
            raise LabError("the house is gone")
        reply: Reply = json.loads(data)
        if "error" in reply:
            raise LabError(reply["error"])
        return reply, received

    def close(self) -> None:
        """Ends the agent on the other side, and with it all that it started."""
        self._socket.close()
