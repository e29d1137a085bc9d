"""What runs inside the virtual house: one server a host, and one for the place where the bridge is.

The latter is process 1 of its process namespace: when the socket to the outside closes it ends, and the
kernel ends all other processes of the house with it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.lab.namespaces import become_host
from tests.lab.protocol import MAX_DESCRIPTORS, MAX_PACKET, Reply, Request


class Server:
    """Starts processes in the namespaces that it is in, as it is asked to."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._running: dict[int, tuple[subprocess.Popen[bytes], int]] = {}
        self._wake, wake_up = socket.socketpair()
        self._wake.setblocking(False)
        wake_up.setblocking(False)
        self._wake_up = wake_up  # kept, or it would be closed
        signal.signal(signal.SIGCHLD, _noticed)
        signal.set_wakeup_fd(wake_up.fileno(), warn_on_full_buffer=False)

    def serve(self) -> None:
        """Until the outside closes its end."""
        while True:
            ready, _, _ = select.select([self._control, self._wake], [], [])
            if self._wake in ready:
                self._wake.recv(4096)
                self._reap()
            if self._control in ready:
                data, descriptors, _, _ = socket.recv_fds(self._control, MAX_PACKET, MAX_DESCRIPTORS)
                if not data:
                    break
                self._answer(json.loads(data), descriptors)
        signal.set_wakeup_fd(-1)  # those that end now are nobody's concern
        for pid in self._running:
            _signal(pid, signal.SIGKILL, group=True)

    def _answer(self, request: Request, descriptors: list[int]) -> None:
        sent: list[int] = []
        try:
            reply, sent = getattr(self, f"_do_{request['do']}")(request, descriptors)
        except OSError as error:
            reply = {"error": f"{request['do']} {' '.join(request.get('argv', []))}: {error}"}
        socket.send_fds(self._control, [json.dumps(reply).encode()], sent)
        for descriptor in sent:
            os.close(descriptor)

    def _do_start(self, request: Request, descriptors: list[int]) -> tuple[Reply, list[int]]:
        *streams, exit_to = descriptors
        try:
            process = subprocess.Popen(
                request["argv"],
                stdin=streams[0],
                stdout=streams[1],
                stderr=streams[2],
                env=request["env"],
                cwd=request["cwd"],
                start_new_session=True,
            )
        except OSError:
            os.close(exit_to)
            raise
        finally:
            for stream in streams:
                os.close(stream)
        self._running[process.pid] = (process, exit_to)
        return {"pid": process.pid}, []

    def _do_signal(self, request: Request, _: list[int]) -> tuple[Reply, list[int]]:
        if request["pid"] in self._running:
            _signal(request["pid"], request["signal"], group=request["group"])
        return {}, []

    def _do_usage(self, request: Request, _: list[int]) -> tuple[Reply, list[int]]:
        stat = Path(f"/proc/{request['pid']}/stat").read_text().rpartition(")")[2].split()
        cpu = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
        return {"cpu": cpu, "memory": int(stat[21]) * os.sysconf("SC_PAGE_SIZE")}, []

    def _do_fork(self, request: Request, _: list[int]) -> tuple[Reply, list[int]]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        failed_from, failed_to = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._control.close()
            ours.close()
            os.close(failed_from)
            _be_host(theirs, request, failed_to)
        theirs.close()
        os.close(failed_to)
        with os.fdopen(failed_from) as report:
            failure = report.read()  # ends when the host is there
        if failure:
            ours.close()
            return {"error": f"host {request['name']}: {failure}"}, []
        return {"pid": pid}, [ours.detach()]

    def _reap(self) -> None:
        """Takes leave of every process that ended, orphans too."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._running:
                process, exit_to = self._running.pop(pid)
                process.returncode = os.waitstatus_to_exitcode(status)
                with suppress(BrokenPipeError):
                    os.write(exit_to, str(process.returncode).encode())
                os.close(exit_to)


def _noticed(number: int, frame: FrameType | None) -> None:
    """The wake-up descriptor does the work; without a handler Python would not write to it."""


def _signal(pid: int, number: int, group: bool) -> None:
    with suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(pid, number)


def _be_host(control: socket.socket, request: Request, failed_to: int) -> NoReturn:
    """The rest of the life of a forked child: it never returns into the code of its parent."""
    try:
        become_host(request["name"], Path(request["directory"]))
        server = Server(control)
    except OSError as error:
        os.write(failed_to, str(error).encode())
        os._exit(1)
    os.close(failed_to)
    try:
        server.serve()
    finally:
        os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the outside, which then closes the socket
    Server(socket.socket(fileno=int(sys.argv[1]))).serve()
