"""Linphone, as Debian packages it, in a host of the virtual house: `linphonec`, typed to by a test.

It has no sound card and no screen: it plays a file, records to another, and draws nowhere; a snapshot of what it would
draw proves that it decodes.
"""

from __future__ import annotations

import os
import pty
import shutil
import socket
import time
import wave
from array import array
from collections.abc import Mapping
from math import sin, tau
from pathlib import Path
from types import TracebackType

from meshdoor.media.analysis import frame_number
from tests.lab.host import Host
from tests.lab.nodes import wait_until
from tests.lab.process import Process
from tests.lab.protocol import LabError
from tests.patience import PATIENCE

MISSING = "" if shutil.which("linphonec") and shutil.which("linphone-daemon") else "linphone-cli is not installed"
FREQUENCY = 520  # Hz, of its microphone
LISTENS = "00010000"  # __SO_ACCEPTCON, as /proc/net/unix shows it
DECODED = "First video frame decoded successfully"

Settings = Mapping[str, Mapping[str, object]]

BASE: Settings = {
    "sip": {
        "sip_port": 5060,
        "sip_tcp_port": 5060,
        "sip_tls_port": -1,
        "guess_hostname": 1,
        "incoming_calls_early_media": 1,
        "ipv6_migration_done": 1,
        "use_ipv6": 0,
        "register_only_when_network_is_up": 0,
        "auto_net_state_mon": 0,
        "verify_server_certs": 1,
        "verify_server_cn": 1,
    },
    "net": {"mtu": 1300},
    "video": {
        "enabled": 1,
        "capture": 1,
        "display": 1,
        "automatically_initiate": 1,
        "automatically_accept": 1,
        "displaytype": "MSVoidSink",
        "device": "StaticImage: Static picture",
    },
    "sound": {"echocancellation": 0, "media_encryption": "none"},
    "misc": {"version_check_url_root": "", "log_collection_upload_server_url": ""},
}


def settings(*more: Settings) -> str:
    """A `.linphonerc`; the last word on each key counts."""
    merged: dict[str, dict[str, object]] = {}
    for each in (BASE, *more):
        for section, values in each.items():
            merged.setdefault(section, {}).update(values)
    lines = [f"[{section}]\n" + "".join(f"{k}={v}\n" for k, v in values.items()) for section, values in merged.items()]
    return "\n".join(lines)


class Linphonec:
    """`with Linphonec(host) as linphone:`; `linphone.type("answer")`."""

    def __init__(self, host: Host, *more: Settings, name: str = "linphone") -> None:
        self.host = host
        self.name = name
        self._text = settings({"sound": {"playback_dev_id": "none"}}, *more)
        self.process: Process
        self._keyboard = -1

    @property
    def directory(self) -> Path:
        return self.host.directory

    def __enter__(self) -> Linphonec:
        tone(self._voice, FREQUENCY)
        rc = self.directory / f"{self.name}.rc"
        rc.write_text(self._text)
        (self.directory / ".local" / "share" / "linphone").mkdir(parents=True, exist_ok=True)
        self._keyboard, terminal = pty.openpty()
        argv = ["linphonec", "-c", str(rc), "-C", "-D", "-d", "6", "-l", str(self.log)]
        self.process = self.host.start(argv, {"DEBUG": "1", "TERM": "dumb"}, stdin=terminal)
        os.close(terminal)
        self.process.expect("Ready|linphonec>")
        for line in ("soundcard use files", f"play {self._voice}", f"record {self.heard}"):
            self.type(line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.type("quit")
        try:
            self.process.wait(5)
        except LabError:
            self.process.kill()
        os.close(self._keyboard)

    @property
    def log(self) -> Path:
        """What the library logs."""
        return self.directory / f"{self.name}.log"

    @property
    def heard(self) -> Path:
        """What its speaker would have played."""
        return self.directory / f"{self.name}-heard.wav"

    @property
    def _voice(self) -> Path:
        return self.directory / f"{self.name}-voice.wav"

    def type(self, line: str) -> None:
        os.write(self._keyboard, line.encode() + b"\n")

    def logs(self, text: str) -> bool:
        return self.log.exists() and text in self.log.read_text(errors="replace")

    def decodes(self) -> bool:
        """Has it decoded a picture?"""
        return self.logs(DECODED)

    def snapshot(self) -> int | None:
        """The number of the test card that it shows now."""
        path = self.directory / f"{self.name}-{time.monotonic_ns()}.jpg"
        self.type(f"snapshot {path}")
        wait_until(lambda: path.exists() and frame_number(path) is not None)
        return frame_number(path)


def tone(path: Path, frequency: int, seconds: int = 30, rate: int = 48_000) -> Path:
    """A file with a tone."""
    samples = array("h", (int(8000 * sin(tau * frequency * at / rate)) for at in range(seconds * rate)))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return path


def listens(host: Host, path: Path) -> bool:
    """Does somebody in this host listen at this socket? Asked of the kernel: linphone-daemon takes one connection."""
    rows = (line.split() for line in host.run(["cat", "/proc/net/unix"]).stdout.splitlines())
    return any(row[3] == LISTENS and row[7:] == [str(path)] for row in rows)


class LinphoneDaemon:
    """`linphone-daemon`, commanded by its socket. `start` it with the settings that it has, or with those that it
    fetches from `provisioning`."""

    def __init__(self, host: Host, *more: Settings, provisioning: str = "", trust: str = "") -> None:
        self.host = host
        self.process: Process
        misc = {"misc": {"config-uri": provisioning}} if provisioning else {}
        roots = {"sip": {"root_ca": trust}} if trust else {}
        self._text = settings({"sip": {"sip_port": -1, "sip_tcp_port": -1, "sip_tls_port": -1}}, misc, roots, *more)

    @property
    def directory(self) -> Path:
        return self.host.directory

    @property
    def log(self) -> Path:
        return self.directory / "daemon.log"

    def __enter__(self) -> LinphoneDaemon:
        tone(self.directory / "daemon-voice.wav", FREQUENCY)
        self.rc = self.directory / "daemon.rc"
        self.rc.write_text(self._text)
        (self.directory / ".local" / "share" / "linphone").mkdir(parents=True, exist_ok=True)
        argv = ["linphone-daemon", "--factory-config", str(self.rc), "--config", str(self.rc)]
        argv += ["--pipe", self.pipe.name, "-C", "-D", "--log", str(self.log)]
        self.process = self.host.start(argv, {"DEBUG": "1"})
        wait_until(lambda: listens(self.host, self.pipe) or self.process.poll() is not None)
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(PATIENCE)
        self._connection.connect(str(self.pipe))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self.process.stop(5)
        self.pipe.unlink(missing_ok=True)

    @property
    def pipe(self) -> Path:
        """Its socket, which is always in /tmp: a file, so it is asked from outside the house."""
        return Path("/tmp", f"meshdoor-lab-{os.getpid()}-{self.host.name}")

    def ask(self, line: str) -> str:
        """What it answers to a command. One connection is all that it takes."""
        self._connection.sendall(line.encode() + b"\n")
        answer = b""
        while b"Status:" not in answer:
            answer += self._connection.recv(65536)
        return answer.decode(errors="replace")

    @property
    def decoded(self) -> int:
        """In how many calls it has decoded a picture."""
        return self.log.read_text(errors="replace").count(DECODED)

    def shows(self, state: str) -> bool:
        """Is its call in this state?"""
        return state in self.ask("call-status")

    def speak(self) -> None:
        """Play its voice into the call: it has no microphone."""
        wait_until(lambda: "Status: Ok" in self.ask(f"incall-player-start {self.directory / 'daemon-voice.wav'}"))
