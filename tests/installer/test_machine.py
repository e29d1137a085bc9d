"""Installed for real: a Debian that apt and pip fill, booted with its own systemd; and taken away again.

Minutes long, so only where it is asked for: CI=1 or MESHDOOR_TEST_INSTALL=1, or a MESHDOOR_TEST_ROOT to copy.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshdoor.installer.plan import FILES
from tests.installer.machine import Machine, obstacle

ASKED = any(os.environ.get(name) for name in ("CI", "MESHDOOR_TEST_INSTALL", "MESHDOOR_TEST_ROOT"))
REASON = obstacle() if ASKED else "takes minutes: MESHDOOR_TEST_INSTALL=1"
pytestmark = [pytest.mark.skipif(bool(REASON), reason=REASON), pytest.mark.xdist_group("machine")]

INSTALL = ("/src/services/install.sh", "--role", "lock", "--name", "Garage")
UNITS = ("meshdoor.service", "meshdoor-enrolment.service", "meshdoor-firewall.service")
PLACES = ("/etc", "/opt", "/usr/local", "/home", "/root", "/srv", "/usr/lib/systemd", "/usr/bin", "/usr/sbin")
# What apt and systemd write as they go, for any package.
THEIRS = re.compile(r"/etc/(ld\.so\.cache|machine-id|resolv\.conf|mtab|\.updated|passwd-|group-|g?shadow-?)$|/root/\.cache")
ENROLMENT = """\
format = "meshdoor enrolment 1"
home = "{home}"
home_name = "Our home"
issuer = "{issuer}"
role = "lock"
name = "Garage"
token = "MFRGGZDFMZTWQ2LKNNWG23TPOA"
addresses = ["10.77.0.1:5071"]
expires = "2099-01-01T00:00:00Z"
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    yield Machine(tmp_path_factory.mktemp("machine"))


def test_from_nothing_to_nothing(machine: Machine) -> None:
    """One machine, in the order of its life: to build another for each part would take half an hour."""
    before = machine.files(*PLACES)
    dry_run_changes_nothing(machine, before)
    told = machine.run(*INSTALL, "--firewall").stdout
    assert "Its state is in /var/lib/meshdoor" in told
    installed = machine.files(*PLACES, "/var/lib/meshdoor")
    assert machine.run(*INSTALL).stdout == "Nothing to do: all is as it should be.\n"
    assert machine.run("meshdoor", "install").stdout == "Nothing to do: all is as it should be.\n"
    assert differing(machine.files(*PLACES, "/var/lib/meshdoor"), installed) == []
    boot = machine.root / "boot/firmware"
    boot.mkdir(parents=True)
    (boot / "meshdoor.enrol").write_text(ENROLMENT.format(home="ab" * 32, issuer="cd" * 32))
    with machine.booted():
        machine.until("systemctl is-active meshdoor", "active\n")
        units_are_sound_and_tight(machine)
        enrolment_was_taken(machine, boot)
        a_killed_node_comes_back(machine)
        assert machine.run(*INSTALL).stdout == "Nothing to do: all is as it should be.\n"
        assert "table inet meshdoor" in machine.run("nft", "list", "tables").stdout
        told = machine.run("meshdoor", "uninstall").stdout
        assert "stays in /var/lib/meshdoor" in told
        assert machine.run("systemctl", "is-active", "meshdoor", check=False).stdout == "inactive\n"
        assert "meshdoor" not in machine.run("nft", "list", "tables").stdout
    left = [path for path in differing(machine.files(*PLACES), before) if not THEIRS.search(path)]
    assert left == []
    state = machine.files("/var/lib/meshdoor")
    assert "/var/lib/meshdoor/identity.pem" in state
    assert {owner for _, owner, _ in state.values()} == {0}


def test_a_card_installs_itself_at_its_first_boot(machine: Machine) -> None:
    boot = machine.root / "boot/firmware"
    (boot / "cmdline.txt").write_text("root=/dev/mmcblk0p2 rootwait\n")
    (boot / "config.txt").write_text("")
    subprocess.run([FILES / "sdcard.sh", boot, "--role", "lock", "--name", "Shed", "--no-packages"], check=True)
    machine.run("/boot/firmware/meshdoor/first-boot.sh")
    assert (boot / "cmdline.txt").read_text() == "root=/dev/mmcblk0p2 rootwait\n"
    wants = machine.root / "etc/systemd/system/multi-user.target.wants"
    assert (wants / "meshdoor-setup.service").is_symlink()
    machine.run("apt-get", "install", "-y", "-qq", "python3-venv")
    machine.run("/opt/meshdoor-setup/services/first-boot.sh", "install")
    assert not (wants / "meshdoor-setup.service").is_symlink()
    assert not (machine.root / "opt/meshdoor-setup").exists()
    assert (wants / "meshdoor.service").is_symlink()
    with machine.booted():
        assert "Shed (lock)" in machine.until("journalctl -u meshdoor --no-pager", "ready ")


def dry_run_changes_nothing(machine: Machine, before: dict[str, tuple[int, int, bytes]]) -> None:
    told = machine.run(*INSTALL, "--firewall", "--dry-run").stdout
    assert "things to do; nothing was changed" in told
    assert differing(machine.files(*PLACES), before) == []


def units_are_sound_and_tight(machine: Machine) -> None:
    verified = machine.run("systemd-analyze", "verify", *UNITS)
    assert verified.stdout + verified.stderr == ""
    for unit in UNITS:
        told = machine.run("systemd-analyze", "security", "--no-pager", unit).stdout
        found = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
        assert found is not None, told
        print(unit, "exposure", found[1])
        assert float(found[1]) <= 2.0, told
    main = machine.run("systemctl", "show", "--property=MainPID", "--value", "meshdoor").stdout.strip()
    status = machine.run("cat", f"/proc/{main}/status").stdout
    assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
    inside = ("nsenter", "--target", main, "--mount", "findmnt", "--noheadings", "--output", "OPTIONS")
    assert machine.run(*inside, "/").stdout.startswith("ro,")
    assert machine.run(*inside, "/var/lib/meshdoor").stdout.startswith("rw,")
    assert machine.run(*inside, "/sys/devices/platform").stdout.startswith("rw,")


def enrolment_was_taken(machine: Machine, boot: Path) -> None:
    assert list(boot.iterdir()) == []
    (taken,) = machine.files("/var/lib/meshdoor/meshdoor.enrol").values()
    assert taken[:2] == (0o100600, machine.files("/var/lib/meshdoor")["/var/lib/meshdoor"][1])
    log = machine.until("journalctl -u meshdoor --no-pager", "joining Our home")
    assert "Garage (lock)" in log
    (machine.root / "var/lib/meshdoor/meshdoor.enrol").unlink()


def a_killed_node_comes_back(machine: Machine) -> None:
    show = ("systemctl", "show", "--property=MainPID", "--value", "meshdoor")
    first = machine.run(*show).stdout
    started = time.monotonic()
    machine.run("systemctl", "kill", "--signal=KILL", "meshdoor")
    machine.until(f"systemctl show -p MainPID --value meshdoor | grep -vx -e 0 -e {first.strip()} && echo back", "back")
    machine.until("systemctl is-active meshdoor", "active\n")
    print(f"killed, and ready again after {time.monotonic() - started:.1f} s")
    assert "NRestarts=1" in machine.run("systemctl", "show", "--property=NRestarts", "meshdoor").stdout


def differing(
    found: dict[str, tuple[int, int, bytes]], expected: dict[str, tuple[int, int, bytes]]
) -> list[str]:
    """Paths that came, went or changed; bytecode aside, which Python writes as it pleases."""
    names = sorted(found.keys() | expected.keys())
    return [n for n in names if found.get(n) != expected.get(n) and "__pycache__" not in n]
