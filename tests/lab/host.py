"""One machine of the virtual house."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import capture, udp
from tests.lab.process import Process
from tests.lab.protocol import Channel, LabError
from tests.lab.room import Room
from tests.lab.weather import Weather

INTERFACE = "eth0"
CARRIER = 5.0  # seconds; the kernel tells of a carrier at most once a second


class Bridge:
    """What a host asks of the bridge.

    `ip` takes lines for `ip -batch` and gives back what they print; `apply` makes the weather so.
    """

    def __init__(self, ip: Callable[[str], str], apply: Callable[[], None], weather: Weather) -> None:
        self.ip = ip
        self.apply = apply
        self.weather = weather


class Host(Room):
    """A place with a network interface, a name and a private /run.

    `ipv4` and `ipv6` (link-local, without scope) are its addresses; `port` is its end at the bridge.
    """

    def __init__(self, name: str, number: int, directory: Path, channel: Channel, bridge: Bridge) -> None:
        super().__init__(name, directory, channel)
        self.port = f"port{number}"
        self.mac = f"02:00:00:00:00:{number:02x}"
        self.ipv4 = f"10.77.0.{number}"
        self.ipv6 = f"fe80::ff:fe00:{number:x}"
        self._bridge = bridge

    def __repr__(self) -> str:
        return f"<host {self.name} {self.ipv4}>"

    def cut(self) -> None:
        """Pulls the cable: the carrier is lost when this returns."""
        self._bridge.ip(f"link set {self.port} down")
        self._until(lambda: not self._has_carrier(), "losing the carrier")

    def plug(self) -> None:
        """Puts the cable back: packets pass when this returns."""
        self._bridge.ip(f"link set {self.port} up")
        self._until(lambda: self._has_carrier() and self._is_forwarded(), "finding the carrier")

    def _has_carrier(self) -> bool:
        return "state UP" in self.run(["ip", "-oneline", "link", "show", INTERFACE]).stdout

    def _is_forwarded(self) -> bool:
        return "state forwarding" in self._bridge.ip(f"link show {self.port}")

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + CARRIER
        while not condition():
            if time.monotonic() > deadline:
                raise LabError(f"{self.name}: {what} takes too long")

    def lose(self, percent: float) -> None:
        """From now on so many packets of each way are lost, at random."""
        self._bridge.weather.loss[self.port] = percent
        self._bridge.apply()

    def block_multicast(self, blocked: bool = True) -> None:
        """UDP multicast no longer passes; unicast does."""
        _put(self._bridge.weather.no_multicast, self.port, blocked)
        self._bridge.apply()

    def isolate(self, isolated: bool = True) -> None:
        """Isolated hosts do not reach one another (what guest networks of access points do)."""
        _put(self._bridge.weather.isolated, self.port, isolated)
        self._bridge.apply()

    def move(self, ipv4: str) -> None:
        """Another IPv4 address, as after a new lease; "" takes it away."""
        self.run(["ip", "-4", "address", "flush", "dev", INTERFACE])
        self.ipv4 = ipv4
        if ipv4:
            self.run(["ip", "-batch", "-"], f"address add {ipv4}/24 brd + dev {INTERFACE}\n")

    def use_ipv6(self, used: bool) -> None:
        """Whether the interface has IPv6 at all."""
        self.run(["sh", "-c", f"echo {int(not used)} > /proc/sys/net/ipv6/conf/{INTERFACE}/disable_ipv6"])

    def echo(self, port: int = 7777, group: str = "") -> Process:
        """A UDP echo server that listens; with `group` also to that multicast group."""
        process = self.start(self.python("tests.lab.udp", "echo", port, *filter(None, [group])))
        process.expect("listening")
        return process

    def ask(self, address: str, port: int = 7777, count: int = 1) -> int:
        """How many of `count` datagrams to an echo server were answered. Link-local takes "%eth0"."""
        return int(self.run(self.python("tests.lab.udp", "ask", address, port, count), timeout=60).stdout)

    def flood(self, address: str, port: int, packets: Iterable[bytes], rate: float = 0) -> Process:
        """Sends datagrams as fast as it goes, or at `rate` a second."""
        file = self.directory / f"{len(self.processes):02}-flood.packets"
        file.write_bytes(udp.pack(packets))
        return self.start(self.python("tests.lab.udp", "flood", address, port, file, rate))

    @contextmanager
    def capture(self) -> Iterator[list[capture.Packet]]:
        """Records what passes the interface, both ways; the list is filled when the block ends."""
        file = self.directory / f"{len(self.processes):02}.pcap"
        recorder = self.start(self.python("tests.lab.capture", INTERFACE, file))
        recorder.expect("recording")
        packets: list[capture.Packet] = []
        try:
            yield packets
        finally:
            recorder.stop()
            packets.extend(capture.read(file))


def _put(ports: set[str], port: str, there: bool) -> None:
    (ports.add if there else ports.discard)(port)
