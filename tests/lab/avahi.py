"""Avahi in a host of the virtual house: its daemon with a bus of its own, avahi-browse and avahi-publish."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass

from tests.lab.host import Host
from tests.lab.process import Process
from tests.patience import PATIENCE

PROGRAMS = ("dbus-daemon", "avahi-daemon", "avahi-browse", "avahi-publish", "avahi-resolve")
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
 <type>system</type>
 <listen>unix:path=/run/dbus/system_bus_socket</listen>
 <policy context="default">
  <allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/>
 </policy>
</busconfig>
"""
SETTINGS = """[server]
use-ipv4=yes
use-ipv6=no
enable-dbus=yes
[publish]
publish-workstation=no
publish-hinfo=no
"""
_ESCAPED = re.compile(rb"\\(\d{3}|.)")


def unavailable() -> str:
    """Why avahi cannot be run here; empty if it can."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin")]
    return f"not installed: {', '.join(missing)}" if missing else ""


@dataclass(frozen=True, slots=True)
class Found:
    """One line of `avahi-browse --resolve --parsable`."""

    instance: str
    type: str
    host: str
    address: str
    port: int
    txt: tuple[str, ...]


class Avahi:
    """A daemon that is up, until the house is gone."""

    def __init__(self, host: Host) -> None:
        self.host = host
        bus, settings = host.directory / "bus.conf", host.directory / "avahi.conf"
        bus.write_text(BUS)
        settings.write_text(SETTINGS)
        host.run(["mkdir", "-p", "/run/dbus", "/run/avahi-daemon"])
        host.start(["dbus-daemon", f"--config-file={bus}", "--nofork", "--nopidfile"])
        deadline = time.monotonic() + PATIENCE
        while host.run(["test", "-S", "/run/dbus/system_bus_socket"], check=False).returncode:
            assert time.monotonic() < deadline, "there is no bus"
            time.sleep(0.02)
        words = ["--no-drop-root", "--no-chroot", "--no-rlimits", "--file", str(settings)]
        host.start(["avahi-daemon", *words]).expect("Server startup complete", PATIENCE)

    def browse(self, kind: str) -> list[Found]:
        """All that is there of a type now."""
        lines = self.host.run(["avahi-browse", "-rpt", "--no-db-lookup", kind]).stdout.splitlines()
        return [_found(line.split(";", 9)) for line in lines if line.startswith("=")]

    def types(self) -> set[str]:
        """The types of service that are there now."""
        lines = self.host.run(["avahi-browse", "-apt", "--no-db-lookup"]).stdout.splitlines()
        return {line.split(";")[4] for line in lines if line.startswith("+")}

    def publish(self, instance: str, kind: str, port: int, *txt: str) -> Process:
        """Until it is stopped."""
        publishing = self.host.start(["avahi-publish", "-s", instance, kind, str(port), *txt])
        publishing.expect("Established under name", PATIENCE)
        return publishing

    def resolve(self, name: str) -> str:
        """The IPv4 address of a host; "" where there is none."""
        words = self.host.run(["avahi-resolve", "-4", "-n", name], check=False).stdout.split()
        return words[1] if len(words) == 2 else ""


def _found(fields: list[str]) -> Found:
    _, _, _, instance, kind, _, host, address, port, txt = fields
    strings = tuple(re.findall(r'"((?:[^"\\]|\\.)*)"', txt))
    return Found(_plain(instance), kind, host, address, int(port), strings)


def _plain(escaped: str) -> str:
    r"""Avahi writes `\.`, and `\064` in decimal."""

    def one(found: re.Match[bytes]) -> bytes:
        return bytes((int(found[1]),)) if len(found[1]) == 3 else found[1]

    return _ESCAPED.sub(one, escaped.encode()).decode()
