"""A Debian of its own, in a directory: `debootstrap` makes it, and its systemd can be booted in namespaces.

Nothing of it reaches the real network but what pip and apt fetch before it is booted. Needs root and debootstrap.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUITE = "bookworm"
PACKAGES = ("systemd", "systemd-sysv", "dbus", "udev", "python3", "python3-venv", "ca-certificates", "nftables")
CHECKOUT = Path(__file__).parents[2]
PARTS = ("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "meshdoor", "services", "keys")
PASSED = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "http_proxy", "https_proxy")  # how this host reaches packages
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PATIENCE = 60.0  # seconds until a booted machine has settled

# The root as a container would have it. $1: the directory; the rest: what becomes its first process.
ENTER = """
set -eu
root=$1; shift
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp -o mode=1777
mount -t tmpfs tmpfs dev -o mode=755
for node in null zero full random urandom tty; do touch dev/$node; mount --bind /dev/$node dev/$node; done
mkdir dev/pts dev/shm
mount -t devpts devpts dev/pts -o newinstance,ptmxmode=0666
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs tmpfs dev/shm
if [ -n "${BOOT:-}" ]; then
	mount -t sysfs sysfs sys
	mount -t cgroup2 cgroup2 sys/fs/cgroup
	ip link set lo up
	ip link add eth0 type veth peer name outside
	echo 1 >/proc/sys/net/ipv6/conf/outside/disable_ipv6
	ip addr add 10.77.0.2/24 dev eth0
	ip link set outside up
	ip link set eth0 up
fi
mkdir -p old
pivot_root . old
umount -l /old
rmdir /old
exec "$@"
"""
ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "TERM": "dumb",
}


def obstacle() -> str:
    """Why no machine can be made here; empty when one can."""
    if os.geteuid() != 0:
        return "only root can make a Debian of its own"
    missing = [tool for tool in ("debootstrap", "unshare", "nsenter", "ip") if shutil.which(tool) is None]
    if missing and not _given():
        return f"without {', '.join(missing)} no Debian of its own can be made"
    tried = "mount -t cgroup2 cgroup2 /mnt && ip link add eth0 type veth peer name outside"
    spaces = ["unshare", "--mount", "--pid", "--net", "--cgroup", "--fork"]
    done = subprocess.run([*spaces, "sh", "-c", tried], capture_output=True, text=True, check=False)
    return f"the kernel does not let a machine boot here: {done.stderr.strip()}" if done.returncode else ""


def base() -> Path:
    """The system that is copied: made once, and kept in the user's cache. Never changed."""
    if given := _given():
        return given
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache / "meshdoor-tests" / SUITE
    if not place.is_dir():
        new = place.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        packages = ",".join(PACKAGES)
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={packages}", SUITE, str(new)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        new.rename(place)
    return place


def _given() -> Path | None:
    given = os.environ.get("MESHDOOR_TEST_ROOT")
    return Path(given) if given else None


class Machine:
    """A copy of the base under `place`, with a checkout at /src and what pip needs to fetch."""

    def __init__(self, place: Path) -> None:
        self.root = place / "root"
        self._init = 0
        subprocess.run(["cp", "-a", "--reflink=auto", str(base()), str(self.root)], check=True)
        (self.root / "etc/machine-id").write_text("")
        self.take_checkout()
        for file in (Path("/etc/resolv.conf"), CERTIFICATES):
            if file.is_file():
                shutil.copy(file, self.root / file.relative_to("/"))
        settings = subprocess.run(["pip", "config", "debug"], capture_output=True, text=True, check=False).stdout
        found = [line.split()[0].rstrip(",") for line in settings.splitlines() if line.endswith("exists: True")]
        for name in found:
            shutil.copy(name, self.root / "etc/pip.conf")

    def take_checkout(self) -> None:
        """The project as it is now, at /src."""
        shutil.rmtree(self.root / "src", ignore_errors=True)
        (self.root / "src").mkdir()
        archive = self.root / "src.tar"
        with tarfile.open(archive, "w") as tar:
            for part in PARTS:
                tar.add(CHECKOUT / part, part, filter=_clean)
        with tarfile.open(archive) as tar:
            tar.extractall(self.root / "src", filter="tar")
        archive.unlink()

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command in it, on the real network while it is not booted."""
        if self._init:
            words = ["nsenter", "--target", str(self._init), "--all", *command]
        else:
            words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", ENTER, "-", str(self.root)]
            words += command
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, env=_environment(), stdin=subprocess.DEVNULL
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    @contextmanager
    def booted(self) -> Iterator[None]:
        """With its systemd running, in a network of its own."""
        spaces = ["--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup"]
        init = ["/lib/systemd/systemd", "--log-target=null", "systemd.unit=multi-user.target"]
        process = subprocess.Popen(
            ["unshare", *spaces, "--fork", "--kill-child", "bash", "-c", ENTER, "-", str(self.root), *init],
            stdin=subprocess.DEVNULL,
            env={**_environment(), "BOOT": "1", "container": "meshdoor"},
        )
        try:
            self._init = self._first_process(process.pid)
            self.until("systemctl is-system-running", "running", "degraded")
            yield
        finally:
            self._init = 0
            process.kill()  # --kill-child: its first process goes as well, and with that all of it
            process.wait()

    def until(self, command: str, *expected: str, patience: float = PATIENCE) -> str:
        """Wait for the shell command's output to have one of the words; that output."""
        end = time.monotonic() + patience
        while True:
            output = self.run("sh", "-c", command, check=False).stdout
            if any(word in output for word in expected):
                return output
            if time.monotonic() > end:
                raise AssertionError(f"{command}: no {' or '.join(expected)} in\n{output}")
            time.sleep(0.2)

    def files(self, *places: str) -> dict[str, tuple[int, int, bytes]]:
        """All that lies under the places: mode, owner, and the content, or where a link leads."""
        found = {}
        for place in places:
            top = self.root / place.lstrip("/")
            for path in (top, *sorted(top.rglob("*"))):
                if path.is_symlink() or path.is_file() or path.is_dir():
                    status = path.lstat()
                    found[f"/{path.relative_to(self.root)}"] = (status.st_mode, status.st_uid, _content(path))
        return found

    @staticmethod
    def _first_process(parent: int) -> int:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
            if children and Path(f"/proc/{children[0]}/comm").read_text().strip() == "systemd":
                return int(children[0])
            time.sleep(0.05)
        raise AssertionError("the machine does not boot")


def _content(path: Path) -> bytes:
    if path.is_symlink():
        return os.readlink(path).encode()
    return path.read_bytes() if path.is_file() else b""


def _clean(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    unwanted = "__pycache__" in entry.name or (entry.name.startswith("keys/") and entry.name != "keys/README.md")
    return None if unwanted else entry


def _environment() -> dict[str, str]:
    chosen = {name: os.environ[name] for name in PASSED if name in os.environ}
    certificates = {"PIP_CERT": str(CERTIFICATES), "PIP_DEFAULT_TIMEOUT": "180"}
    return ENVIRONMENT | certificates | chosen
