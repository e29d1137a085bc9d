"""`meshdoor install` and `uninstall` on a machine that is a directory: the verbs, and what they leave."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from meshdoor.cli import main
from meshdoor.installer.system import System
from tests.installer.fakes import FakeHost, fake_system

Capture = pytest.CaptureFixture[str]
CONFIG = "etc/meshdoor/config.toml"
STATE = "var/lib/meshdoor"
ENROLMENT = 'format = "meshdoor enrolment 1"\nname = "Gate"\n'


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """What the verbs get for `--root`; they run as root or believe it."""
    root = tmp_path / "root"
    _, host = fake_system(root)
    monkeypatch.setattr("meshdoor.installer.system.RealHost", lambda: host)
    monkeypatch.setattr("meshdoor.cli.install._system", lambda options: System(root, host))
    return host


def contents(root: Path) -> dict[str, bytes | str]:
    """Every file and link, directories by their slash."""
    found: dict[str, bytes | str] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_dir():
            found[f"{name}/"] = ""
        else:
            found[name] = path.read_bytes()
    return found


def test_a_dry_run_changes_nothing_and_names_all(host: FakeHost, capsys: Capture) -> None:
    before = contents(host.root)
    assert main(["install", "--role", "screen", "--dry-run"]) == 0
    assert contents(host.root) == before
    told = capsys.readouterr().out
    for what in ("libsdl2-ttf-2.0-0", "alsa-utils", "user meshdoor", "/opt/meshdoor/", "screen.conf", "start meshdoor"):
        assert what in told
    assert "rpicam" not in told  # which this system does not know
    assert told.endswith("things to do; nothing was changed.\n")
    assert not host.did("apt-get install|useradd|enable|-m venv")


def test_it_does_what_it_said(host: FakeHost, capsys: Capture) -> None:
    main(["install", "--role", "door", "--name", 'The "Gate"', "--dry-run"])
    would = [line.removeprefix("would ") for line in capsys.readouterr().out.splitlines() if line.startswith("would")]
    assert main(["install", "--role", "door", "--name", 'The "Gate"']) == 0
    told = capsys.readouterr().out
    assert [line.removeprefix("now ") for line in told.splitlines() if line.startswith("now ")] == would
    assert "Its state is in /var/lib/meshdoor" in told
    assert tomllib.loads((host.root / CONFIG).read_text()) == {"role": "door", "name": 'The "Gate"'}
    assert host.owners[CONFIG] == (0, 997)
    assert (host.root / "opt/meshdoor/current").resolve().name.startswith("0.1.0-")


def test_a_second_run_has_nothing_to_do(host: FakeHost, capsys: Capture) -> None:
    assert main(["install", "--role", "screen", "--firewall", "--extras", "screen,push"]) == 0
    before = contents(host.root)
    capsys.readouterr()
    for words in (["--role", "screen"], []):  # what is not said stays as it was
        assert main(["install", *words]) == 0
        assert capsys.readouterr().out == "Nothing to do: all is as it should be.\n"
    assert contents(host.root) == before


def test_another_role_changes_only_what_differs(host: FakeHost, capsys: Capture) -> None:
    main(["install", "--role", "screen", "--name", "Hall"])
    config = host.root / CONFIG
    config.write_text(config.read_text() + '[devices]\nbuttons = ["gpio:17"]\n')
    capsys.readouterr()
    assert main(["install", "--role", "lock"]) == 0
    assert tomllib.loads(config.read_text()) == {"role": "lock", "name": "Hall", "devices": {"buttons": ["gpio:17"]}}
    told = capsys.readouterr().out
    assert "screen.conf" in told
    assert "build Meshdoor 0.1.0 with lock" in told
    assert "is not needed any more" in told
    assert len(list((host.root / "opt/meshdoor").glob("*-*"))) == 1


def test_uninstall_leaves_nothing_but_the_state(host: FakeHost, capsys: Capture) -> None:
    before = contents(host.root)
    main(["install", "--role", "screen", "--firewall"])
    (host.root / STATE / "identity.pem").write_text("secret")
    capsys.readouterr()
    assert main(["uninstall", "--dry-run"]) == 0
    assert "opt/meshdoor/current" in contents(host.root)
    assert main(["uninstall"]) == 0
    told = capsys.readouterr().out
    assert "stays in /var/lib/meshdoor" in told
    after = contents(host.root)
    left = {name for name in after if name not in before and not name.startswith(STATE)}
    assert [name for name in left if not name.endswith("/") or "meshdoor" in name] == []  # directories of every Debian
    assert {name: after[name] for name in before if name not in after or after[name] != before[name]} == {}
    assert after[f"{STATE}/identity.pem"] == b"secret"
    assert host.owners[f"{STATE}/identity.pem"] == (0, 0)
    assert host.packages == {"libc6", "ca-certificates"}
    assert main(["uninstall"]) == 0
    assert "was not installed" in capsys.readouterr().out


def test_settings_that_a_person_wrote_survive_both(host: FakeHost) -> None:
    main(["install", "--role", "door"])
    config = host.root / CONFIG
    config.write_text(config.read_text() + '[media]\ncamera = "rtsp://user:secret@camera/"\n')
    main(["uninstall"])
    kept = host.root / STATE / "config.toml.kept"
    assert "rtsp" in kept.read_text()
    assert (kept.stat().st_mode & 0o777) == 0o600
    main(["install", "--role", "door"])
    assert "rtsp" in config.read_text()
    assert not kept.exists()


def test_packages_that_others_need_stay(host: FakeHost) -> None:
    main(["install", "--role", "screen"])
    host._apt_mark = lambda words: (0, "")  # type: ignore[method-assign]  # somebody marked them since
    host.auto = set()
    main(["uninstall"])
    assert not host.did("purge")
    assert "libsdl2-2.0-0" in host.packages


def test_the_packages_of_the_system_may_be_left_alone(host: FakeHost) -> None:
    assert main(["install", "--role", "door", "--no-packages"]) == 0
    assert main(["uninstall", "--no-packages"]) == 0
    assert not host.did("apt")


def test_an_enrolment_file_is_put_where_only_the_node_reads_it(host: FakeHost, tmp_path: Path) -> None:
    (tmp_path / "gate.enrol").write_text(ENROLMENT)
    assert main(["install", "--enrol", str(tmp_path / "gate.enrol")]) == 0
    there = host.root / STATE / "meshdoor.enrol"
    assert there.read_text() == ENROLMENT
    assert host.owners[f"{STATE}/meshdoor.enrol"] == (997, 997)
    assert there.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "role = 1", "not toml", 'format = "meshdoor enrolment 1"\n' + "#" * 20000])
def test_what_is_no_enrolment_file_is_refused_before_anything_is_done(
    text: str, host: FakeHost, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "x").write_text(text)
    assert main(["install", "--enrol", str(tmp_path / "x")]) == 2
    assert "is no enrolment file" in capsys.readouterr().err
    assert not (host.root / "opt/meshdoor").exists()


def test_what_fails_is_told_with_the_end_of_its_output_and_can_be_gone_on_with(host: FakeHost, capsys: Capture) -> None:
    host.fails = "pip --disable-pip-version-check --no-input install"
    assert main(["install", "--role", "lock"]) == 2
    assert "no space left on device" in capsys.readouterr().err
    assert not (host.root / "opt/meshdoor/current").is_symlink()
    host.fails = ""
    assert main(["install", "--role", "lock"]) == 0
    assert "build Meshdoor" in capsys.readouterr().out  # anew: the one that was broken off does not count


@pytest.mark.parametrize(
    ("file", "told"),
    [("usr/lib/systemd/systemd", "there is no systemd here"), ("usr/bin/apt-get", "this system has no apt-get")],
)
def test_a_system_that_it_cannot_be_installed_on(file: str, told: str, host: FakeHost, capsys: Capture) -> None:
    (host.root / file).unlink()
    assert main(["install"]) == 2
    assert told in capsys.readouterr().err


def test_a_32_bit_system_is_told_what_it_needs(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "armv7l")
    assert main(["install"]) == 2
    assert "64-bit Raspberry Pi OS" in capsys.readouterr().err


def test_only_root_may(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("sys.argv", ["/home/pi/.local/bin/meshdoor", "install", "--name", "My door"])
    assert main(["uninstall"]) == 2
    assert "sudo /home/pi/.local/bin/meshdoor install --name 'My door'" in capsys.readouterr().err

