"""The virtual house as a whole: the outer namespace, the bridge, the hosts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from types import TracebackType

from tests.lab.host import INTERFACE, Bridge, Host
from tests.lab.process import TAIL, Process
from tests.lab.protocol import Channel, LabError
from tests.lab.room import CHECKOUT, Room, stop_all
from tests.lab.weather import Weather

TOOLS = ("unshare", "ip", "nft")
MAX_HOSTS = 250
CROWD = 16  # hosts
ALL_TAILS = 400  # lines of all logs together that a failure shows, or a little more
ALL_NAMESPACES = ["--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
# The bridge itself says nothing.
NO_IPV6 = "for all in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 >$all; done"


def _unshare() -> list[str]:
    """Root needs no user namespace, and without one it can do more; all others become root in one."""
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return [_tool("unshare"), *as_root, *ALL_NAMESPACES]


def _tool(name: str) -> str:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or ""


@cache
def unavailable() -> str:
    """Why no house can be built here, in the kernel's words; empty if one can."""
    for tool in TOOLS:
        if not _tool(tool):
            return f"{tool} is not installed"
    try_it = f"{_tool('ip')} link add name house type bridge && {_tool('nft')} add table bridge weather"
    tried = subprocess.run([*_unshare(), "sh", "-c", try_it], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else " ".join(tried.stderr.split()) or f"unshare: {tried.returncode}"


class House:
    """`with House("door", "kitchen") as house:`, then `house["door"]`.

    Files of the hosts go under `directory`, by default one that is taken away at the end. An exception
    that leaves the block carries the end of each program's log with it.
    """

    def __init__(self, *names: str, directory: Path | None = None) -> None:
        self.hosts: dict[str, Host] = {}
        self.weather = Weather()
        self._names = names
        self._given_directory = directory
        self._exit = ExitStack()

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def __iter__(self) -> Iterator[Host]:
        return iter(self.hosts.values())

    def __enter__(self) -> House:
        with ExitStack() as stack:
            if self._given_directory is None:
                made = stack.enter_context(tempfile.TemporaryDirectory(prefix="meshdoor-house-"))
                self.directory = Path(made)
            else:
                self.directory = self._given_directory
            self._agent = self._start_agent(stack)
            self._outside = Room("bridge", self.directory, self._agent)
            self._outside.run(["sh", "-c", NO_IPV6], check=False)
            self._ip("link add name house type bridge mcast_snooping 0 forward_delay 0\nlink set house up")
            stack.callback(self._switch_off)
            self._apply()
            self.add(*self._names)
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(self.logs())
        self._exit.close()

    def _start_agent(self, stack: ExitStack) -> Channel:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # The agent is not measured: it would write its data into namespaces that end with it.
        env = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
        process = subprocess.Popen(
            [*_unshare(), sys.executable, "-m", "tests.lab.agent", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=CHECKOUT,
            env=env,
        )
        theirs.close()
        stack.callback(process.wait)
        channel = Channel(ours)
        stack.callback(channel.close)
        return channel

    def add(self, *names: str) -> list[Host]:
        """Builds more hosts, all plugged in."""
        first = len(self.hosts) + 1
        if first + len(names) > MAX_HOSTS:
            raise LabError(f"a house has at most {MAX_HOSTS} hosts")
        bridge = Bridge(self._ip, self._apply, self.weather)
        cables, hosts = [], []
        for number, name in enumerate(names, first):
            directory = self.directory / name
            directory.mkdir()
            reply, descriptors = self._agent.ask({"do": "fork", "name": name, "directory": str(directory)})
            host = Host(name, number, directory, Channel(socket.socket(fileno=descriptors[0])), bridge)
            self.hosts[name] = host
            hosts.append(host)
            cables.append(
                f"link add name {host.port} type veth"
                f" peer name {INTERFACE} address {host.mac} netns {reply['pid']}\n"
                f"link set {host.port} master house up"
            )
        self._ip("\n".join(cables))
        self._batches({host: _switch_on(host) for host in hosts})
        if len(self.hosts) > CROWD:
            self._introduce()
        return hosts

    def _introduce(self) -> None:
        """Tell all hosts of each other: permanent neighbours do not count in the kernel's table, which all network
        namespaces share and which a crowd overfills (net.ipv4.neigh.default.gc_thresh3)."""
        self._batches({host: [f"neigh replace {there}" for there in self._neighbours(host)] for host in self})

    def _neighbours(self, host: Host) -> Iterator[str]:
        for other in self:
            if other is not host:
                for address in filter(None, (other.ipv4, other.ipv6)):
                    yield f"{address} lladdr {other.mac} nud permanent dev {INTERFACE}"

    def _batches(self, lines: Mapping[Host, Sequence[str]]) -> None:
        """Give each host its lines for `ip -batch`, all at once."""
        before = {host: list(host.processes) for host in lines}
        running = [host.start(["ip", "-batch", str(_file(host, text))]) for host, text in lines.items()]
        for batch in running:
            if batch.wait() != 0:
                raise LabError(batch.tail())
        for host in lines:
            host.processes[:] = before[host]

    @property
    def processes(self) -> list[Process]:
        """All that were started, in all hosts."""
        return [process for host in self for process in host.processes]

    def logs(self) -> str:
        """The end of each program's log, shorter when there are many."""
        lines = min(TAIL, max(5, ALL_TAILS // max(1, len(self.processes))))
        return "\n".join(process.tail(lines) for process in self.processes)

    def _switch_off(self) -> None:
        stop_all(self.processes)
        for host in self:
            host.close()

    def _ip(self, lines: str) -> str:
        return self._outside.run(["ip", "-details", "-batch", "-"], lines + "\n").stdout

    def _apply(self) -> None:
        self._outside.run(["nft", "-f", "-"], self.weather.ruleset())


def _switch_on(host: Host) -> list[str]:
    """What sets up the network inside of a host."""
    return [
        "link set lo up",
        f"address add {host.ipv4}/24 brd + dev {INTERFACE}",
        f"link set {INTERFACE} up",
        f"route add 224.0.0.0/4 dev {INTERFACE}",
    ]


def _file(host: Host, lines: Sequence[str]) -> Path:
    path = host.directory / "network"
    path.write_text("\n".join([*lines, ""]))
    return path
