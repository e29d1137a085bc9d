"""The small scripts of the units, and the shell ones that a person runs."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from meshdoor.installer.plan import FILES

SCRIPTS = ["back-off", "take-enrolment", "install.sh", "sdcard.sh", "first-boot.sh"]


def waited(file: Path, uptime: int) -> int:
    """Seconds that the start at this uptime waits, from what it wrote down."""
    subprocess.run([FILES / "back-off", str(file), str(uptime)], check=True, capture_output=True)
    return int(file.read_text().split()[1]) - uptime


def test_starts_in_a_row_wait_longer_and_longer(tmp_path: Path) -> None:
    file, uptime, waits = tmp_path / "starts", 1000, []
    for _ in range(10):
        waits.append(waited(file, uptime))
        uptime += waits[-1] + 5  # it lives for five seconds
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert waited(file, uptime + 120) == 0


@pytest.mark.parametrize("damage", ["", "x y", "3", "-1 5", "99999 0", "\0\0"])
def test_a_damaged_count_counts_as_none(damage: str, tmp_path: Path) -> None:
    (tmp_path / "starts").write_text(damage)
    assert waited(tmp_path / "starts", 1000) == 0


def take(state: Path, *places: Path) -> str:
    done = subprocess.run(
        [FILES / "take-enrolment", state, *places], check=True, capture_output=True, text=True, env=_as_nobody(state)
    )
    return done.stdout


def _as_nobody(state: Path) -> dict[str, str]:
    """A `setpriv` and an `id` that leave us who we are."""
    tools = state.parent / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "id").write_text("#!/bin/sh\necho 1000\n")
    (tools / "id").chmod(0o755)
    return {"PATH": f"{tools}:/usr/bin:/bin"}


def test_the_enrolment_goes_where_only_the_node_reads_it(tmp_path: Path) -> None:
    state, boot, old = (tmp_path / name for name in ("state", "firmware", "boot"))
    boot.mkdir()
    (boot / "meshdoor.enrol").write_text("secret\n")
    assert take(state, old, boot) == f"took {boot}/meshdoor.enrol\n"
    taken = state / "meshdoor.enrol"
    assert taken.read_text() == "secret\n"
    assert (taken.stat().st_mode & 0o777, state.stat().st_mode & 0o777) == (0o600, 0o700)
    assert list(boot.iterdir()) == []
    assert [file.name for file in state.iterdir()] == ["meshdoor.enrol"]
    assert take(state, old, boot) == ""


def test_a_link_on_the_boot_partition_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of root")
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot/meshdoor.enrol").symlink_to(tmp_path / "secret")
    assert take(tmp_path / "state", tmp_path / "boot") == ""


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is missing")
@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck_finds_nothing(name: str) -> None:
    done = subprocess.run(["shellcheck", FILES / name], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_every_script_can_be_run() -> None:
    assert [name for name in SCRIPTS if not (FILES / name).stat().st_mode & 0o100] == []


CMDLINE = "console=serial0,115200 root=PARTUUID=1 rootwait quiet\n"


def card(boot: Path, **files: str) -> Path:
    boot.mkdir()
    for name, text in {"cmdline.txt": CMDLINE, "config.txt": "", **files}.items():
        (boot / name).write_text(text)
    return boot


def sdcard(*words: str | Path, code: int = 0) -> str:
    done = subprocess.run([FILES / "sdcard.sh", *words], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_a_card_gets_all_that_its_first_boot_needs(tmp_path: Path) -> None:
    (tmp_path / "gate.enrol").write_text('format = "meshdoor enrolment 1"\n')
    boot = card(tmp_path / "bootfs")
    for _ in range(2):  # once more does no harm
        sdcard(boot, "--role", "door", "--name", "Front door", "--enrol", tmp_path / "gate.enrol")
    (line,) = (boot / "cmdline.txt").read_text().splitlines()
    assert line.startswith(CMDLINE.strip() + " systemd.run=/boot/firmware/meshdoor/first-boot.sh ")
    assert line.count("systemd.run=") == 1
    assert (boot / "meshdoor/arguments").read_text() == "--role\ndoor\n--name\nFront door\n"
    assert (boot / "meshdoor.enrol").exists()
    with tarfile.open(boot / "meshdoor/meshdoor.tar.gz") as tar:
        names = set(tar.getnames())
    assert {"services/install.sh", "meshdoor/cli/install.py", "pyproject.toml", "keys/README.md"} <= names
    assert not [name for name in names if "identity" in name.split("/")[-1] and not name.endswith(".py")]


def test_what_the_imager_does_at_the_first_boot_goes_on(tmp_path: Path) -> None:
    run = CMDLINE.strip() + " systemd.run=/boot/firmware/firstrun.sh\n"
    boot = card(tmp_path / "bootfs", **{"firstrun.sh": "#!/bin/bash\nset +e\nexit 0\n", "cmdline.txt": run})
    sdcard(boot)
    sdcard(boot)
    first, second, *rest = (boot / "firstrun.sh").read_text().splitlines()
    assert (first, rest) == ("#!/bin/bash", ["set +e", "exit 0"])
    assert second == 'sh "$(dirname "$0")/meshdoor/first-boot.sh" || true'
    assert (boot / "cmdline.txt").read_text() == run


def test_what_is_no_card_is_refused(tmp_path: Path) -> None:
    assert "is not the boot partition" in sdcard(tmp_path, code=2)
    boot = card(tmp_path / "bootfs")
    (tmp_path / "x").write_text("")
    assert "is no enrolment file" in sdcard(boot, "--enrol", tmp_path / "x", code=2)
