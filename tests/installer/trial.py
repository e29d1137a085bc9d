"""Installed for real: a Debian that apt and pip fill, booted with its own systemd; and taken away again.

    ./dev trial

Minutes long, and it fetches packages, which tests may not (tests/loopback.py): so it is a program of its own, which
prints what it sees. MESHDOOR_TEST_ROOT is a Debian to copy, else one is made. Where none can be, it says why.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meshdoor.installer.plan import FILES
from tests.installer.machine import Machine, obstacle

Files = dict[str, tuple[int, int, bytes]]

CMDLINE = "root=/dev/mmcblk0p2 rootwait\n"
NOTHING = "Nothing to do: all is as it should be.\n"
INSTALL = ("/src/services/install.sh", "--role", "lock", "--name", "Garage")
UNITS = ("meshdoor.service", "meshdoor-enrolment.service", "meshdoor-firewall.service")
PLACES = ("/etc", "/opt", "/usr/local", "/home", "/root", "/srv", "/usr/lib/systemd", "/usr/bin", "/usr/sbin")
# What apt and systemd write as they go, for any package.
THEIRS = re.compile(
    r"/etc/(ld\.so\.cache|machine-id|resolv\.conf|mtab|\.updated|passwd-|group-|g?shadow-?)$|/root/\.ssh$"
)


def main() -> int:
    """0 when all was as it should be, and where it cannot be tried."""
    if reason := obstacle():
        print(f"skipped: {reason}")
        return 0
    place = Path(tempfile.mkdtemp(prefix="meshdoor-trial-"))
    try:
        with part("a Debian of its own"):
            machine = Machine(place)
        from_nothing_to_nothing(machine)
        with part("a card that installs itself"):
            a_card_installs_itself(machine)
    finally:
        shutil.rmtree(place)
    return 0


@contextmanager
def part(what: str) -> Iterator[None]:
    began = time.monotonic()
    print(f"{what} ...", flush=True)
    yield
    print(f"{what}: as it should be, {time.monotonic() - began:.1f} s", flush=True)


def from_nothing_to_nothing(machine: Machine) -> None:
    """One machine, in the order of its life."""
    before = machine.files(*PLACES)
    with part("a dry run changes nothing"):
        told = machine.run(*INSTALL, "--firewall", "--dry-run").stdout
        assert "things to do; nothing was changed" in told
        assert differing(machine.files(*PLACES), before) == []
    with part("it is installed"):
        told = machine.run(*INSTALL, "--firewall").stdout
        assert "Its state is in /var/lib/meshdoor" in told
    with part("a second run changes nothing"):
        nothing_is_left_to_do(machine)
    boot = machine.root / "boot/firmware"
    boot.mkdir(parents=True, exist_ok=True)
    with machine.booted():
        machine.until("systemctl is-active meshdoor", "active\n")
        with part("the units are sound and tight"):
            units_are_sound_and_tight(machine)
        with part("a press goes through the sandbox"):
            a_press_goes_through(machine)
        words = "meshdoor enrol --state /var/lib/kitchen --role lock --name Garage"
        machine.run("sh", "-c", f"{words} >/boot/firmware/meshdoor.enrol")
    with part("a card with an enrolment file: it joins at the next boot"), machine.booted():
        it_joins_by_itself(machine, boot)
        with part("a node that is killed, or hangs, comes back"):
            a_node_comes_back(machine)
        with part("it is taken away"):
            others_are_removed(machine)
            it_is_taken_away(machine)
    left = [path for path in differing(machine.files(*PLACES), before) if not THEIRS.search(path)]
    assert left == [], left


def nothing_is_left_to_do(machine: Machine) -> None:
    installed = machine.files(*PLACES, "/var/lib/meshdoor")
    assert machine.run(*INSTALL).stdout == NOTHING
    assert machine.run("meshdoor", "install").stdout == NOTHING
    assert differing(machine.files(*PLACES, "/var/lib/meshdoor"), installed) == []


def it_is_taken_away(machine: Machine) -> None:
    assert machine.run(*INSTALL).stdout == NOTHING
    assert "table inet meshdoor" in machine.run("nft", "list", "tables").stdout
    told = machine.run("meshdoor", "uninstall").stdout
    assert "stays in /var/lib/meshdoor" in told
    assert machine.run("systemctl", "is-active", "meshdoor", check=False).stdout == "inactive\n"
    assert "meshdoor" not in machine.run("nft", "list", "tables").stdout
    state = machine.files("/var/lib/meshdoor")
    assert "/var/lib/meshdoor/identity.pem" in state
    assert {owner for _, owner, _ in state.values()} == {0}


def a_card_installs_itself(machine: Machine) -> None:
    shutil.rmtree(machine.root / "var/lib/meshdoor")  # a card that is new
    boot = machine.root / "boot/firmware"
    (boot / "cmdline.txt").write_text(CMDLINE)
    (boot / "config.txt").write_text("")
    subprocess.run([FILES / "sdcard.sh", boot, "--role", "lock", "--name", "Shed"], check=True)
    machine.run("/boot/firmware/meshdoor/first-boot.sh")
    assert (boot / "cmdline.txt").read_text() == CMDLINE
    wants = machine.root / "etc/systemd/system/multi-user.target.wants"
    assert (wants / "meshdoor-setup.service").is_symlink()
    machine.run("/opt/meshdoor-setup/services/first-boot.sh", "install")
    assert not (wants / "meshdoor-setup.service").is_symlink()
    assert not (machine.root / "opt/meshdoor-setup").exists()
    assert (wants / "meshdoor.service").is_symlink()
    with machine.booted():
        assert "Shed (lock)" in machine.until("journalctl -u meshdoor --no-pager", "ready ")


def units_are_sound_and_tight(machine: Machine) -> None:
    assert "60-meshdoor" not in machine.run("journalctl", "--no-pager", "-u", "systemd-udevd").stdout
    verified = machine.run("systemd-analyze", "verify", *UNITS)
    assert verified.stdout + verified.stderr == ""
    for unit in UNITS:
        told = machine.run("systemd-analyze", "security", "--no-pager", unit).stdout
        found = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
        assert found is not None, told
        print(f"    {unit}: exposure {found[1]}")
        assert float(found[1]) <= 2.0, told
    main = machine.run("systemctl", "show", "--property=MainPID", "--value", "meshdoor").stdout.strip()
    status = machine.run("cat", f"/proc/{main}/status").stdout
    assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
    inside = ("nsenter", "--target", main, "--mount", "findmnt", "--noheadings", "--output", "OPTIONS")
    assert machine.run(*inside, "/").stdout.startswith("ro,")
    assert machine.run(*inside, "/var/lib/meshdoor").stdout.startswith("rw,")
    assert machine.run(*inside, "/sys/devices/platform").stdout.startswith("rw,")


def it_joins_by_itself(machine: Machine, boot: Path) -> None:
    machine.run("systemctl", "start", "kitchen")
    assert list(boot.iterdir()) == []
    told = machine.until("meshdoor status", "Our home")
    assert "Garage" in told
    assert "/var/lib/meshdoor/meshdoor.enrol" not in machine.files("/var/lib/meshdoor")


def a_press_goes_through(machine: Machine) -> None:
    """Two more nodes under the very same unit: pictures flow, so the codecs can live with all that is forbidden."""
    units = machine.root / "etc/systemd/system"
    unit = (units / "meshdoor.service").read_text()
    for name, role in (("kitchen", "screen"), ("gate", "door")):
        own = unit.replace("Directory=meshdoor", f"Directory={name}").replace("%t/meshdoor", f"%t/{name}")
        run = f"meshdoor run --role {role} --name {name} --port 0"
        (units / f"{name}.service").write_text(own.replace("meshdoor run", run))
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "kitchen", "gate")
    machine.run("meshdoor", "found", "--state", "/var/lib/kitchen", "Our home")
    log = machine.until("journalctl -u gate --no-pager", "code ")
    code = re.findall(r"code (\d{4}-\d{4})", log)[-1]
    machine.run("meshdoor", "pair", "--state", "/var/lib/kitchen", "gate", "--code", code)
    machine.until("meshdoor status --state /var/lib/gate", "A press now would ring 1 screen")
    machine.run("sh", "-c", "meshdoor ring --wait --state /var/lib/gate >/tmp/ring 2>&1 &")
    told = machine.until("cat /tmp/ring", "has the first picture after", patience=20.0)
    print("   ", *told.strip().splitlines(), sep="\n    ")


def others_are_removed(machine: Machine) -> None:
    machine.run("systemctl", "stop", "kitchen", "gate")
    for name in ("kitchen", "gate"):
        (machine.root / f"etc/systemd/system/{name}.service").unlink()
        shutil.rmtree(machine.root / "var/lib" / name)


def a_node_comes_back(machine: Machine) -> None:
    show = "systemctl show -p MainPID --value meshdoor"
    for signal, what in (("KILL", "killed"), ("STOP", "hanging")):
        first = machine.run("sh", "-c", show).stdout.strip()
        began = time.monotonic()
        machine.run("systemctl", "kill", "--kill-whom=main", f"--signal={signal}", "meshdoor")
        machine.until(f"{show} | grep -vxq -e 0 -e {first} && systemctl is-active meshdoor", "active\n")
        print(f"    {what}: ready again after {time.monotonic() - began:.1f} s")
    assert machine.run("systemctl", "show", "-P", "NRestarts", "meshdoor").stdout == "2\n"


def differing(found: Files, expected: Files) -> list[str]:
    """Paths that came, went or changed; bytecode aside, which Python writes as it pleases."""
    names = sorted(found.keys() | expected.keys())
    return [n for n in names if found.get(n) != expected.get(n) and "__pycache__" not in n]


if __name__ == "__main__":
    sys.exit(main())
