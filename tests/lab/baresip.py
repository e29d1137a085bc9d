"""baresip, as Debian packages it, in a host of the virtual house, commanded over its `ctrl_tcp`.

    python -m tests.lab.baresip COMMAND [PARAMETERS]     inside the host: one command; prints what it answers
    python -m tests.lab.baresip key KEY                  one key of its console
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
import time
import wave
from array import array
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from meshdoor.media.analysis import frame_number, pitch, sound
from tests.lab.host import Host
from tests.lab.linphone import tone
from tests.lab.nodes import wait_until
from tests.lab.process import Process
from tests.lab.protocol import LabError
from tests.patience import PATIENCE

MISSING = "" if shutil.which("baresip") else "baresip-core is not installed"
MODULES = Path("/usr/lib/baresip/modules")
FREQUENCY = 740  # Hz, of its microphone
PORT = 4444
CONSOLE = 5555
WANTED = (
    "g711",
    "opus",
    "aufile",
    "sndfile",
    "srtp",
    "dtls_srtp",
    "vp8",
    "avcodec",
    "fakevideo",
    "snapshot",
    "ctrl_tcp",
    "account",
    "menu",
    "uuid",
    "debug_cmd",
)

CONFIG = """\
poll_method epoll
sip_listen 0.0.0.0:5060
sip_certificate {directory}/baresip.pem
call_local_timeout 120
call_max_calls 4
audio_source aufile,{directory}/voice.wav
audio_player aufile,nil
audio_alert aufile,nil
ausrc_srate 48000
ausrc_channels 1
video_source fakevideo,nil
video_display fakevideo,nil
video_size 320x240
video_fps 5
rtp_ports 20000-20100
rtcp_mux no
jitter_buffer_delay 0-1
snd_path {directory}
ctrl_tcp_listen 127.0.0.1:4444
module_path {modules}
"""


class Baresip:
    """`with Baresip(host, "mediaenc=srtp") as baresip:`; `account` are parameters of its account."""

    def __init__(self, host: Host, account: str = "", user: str = "tablet", more: str = "") -> None:
        self.host = host
        self.account = f"<sip:{user}@{host.ipv4}>;regint=0;answermode=early;{account}"
        self._more = more
        self.process: Process

    @property
    def directory(self) -> Path:
        return self.host.directory / "baresip"

    def __enter__(self) -> Baresip:
        self.directory.mkdir(exist_ok=True)
        certificate(self.directory / "baresip.pem")
        tone(self.directory / "voice.wav", FREQUENCY)
        modules = "".join(f"module {name}.so\n" for name in WANTED if (MODULES / f"{name}.so").exists())
        text = CONFIG.format(directory=self.directory, modules=MODULES)
        (self.directory / "config").write_text(text + self._more + modules)
        (self.directory / "accounts").write_text(self.account + "\n")
        self.process = self.host.start(["baresip", "-v", "-s", "-4", "-n", "eth0", "-f", str(self.directory)])
        self.process.expect("baresip is ready")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stop(5)

    def ask(self, command: str, *parameters: str) -> str:
        """What it answers to a command."""
        return self.host.run(self.host.python("tests.lab.baresip", command, *parameters)).stdout

    def type(self, keys: str) -> None:
        """Press keys, as at its console: it wants its module `cons` for that."""
        for key in keys:
            self.host.run(self.host.python("tests.lab.baresip", "key", key))

    def pictures(self) -> int:
        """How many it has decoded in the call that is on."""
        found = re.search(r"frames=(\d+)\s+n_keyframes", self.ask("video_debug"))
        return int(found[1]) if found else 0

    def shows(self) -> int | None:
        """The number of the test card that it shows, as soon as it shows one."""
        path = self.directory / f"seen-{time.monotonic_ns()}.png"
        self.ask("snapshot_recv", str(path))
        wait_until(lambda: path.exists() and frame_number(path) is not None, PATIENCE)
        return frame_number(path)

    def heard(self) -> int | None:
        """The pitch of what came of the other end in the last call that is over."""
        files = sorted(self.directory.glob("*-dec.wav"), key=lambda path: path.stat().st_mtime)
        if not files:
            raise LabError("baresip heard nothing")
        with wave.open(str(files[-1])) as file:
            samples = array("h", file.readframes(file.getnframes()))[:: file.getnchannels()]
            return pitch(sound(samples, file.getframerate()), file.getframerate())


def certificate(path: Path) -> None:
    """A key and a certificate of RSA, as such clients have them."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tablet")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem + made.public_bytes(Encoding.PEM))


def command(line: str, parameters: str) -> str:
    """Asks the baresip of this host, in netstrings."""
    body = json.dumps({"command": line, "params": parameters, "token": "lab"}).encode()
    with socket.create_connection(("127.0.0.1", PORT), 5) as connection:
        connection.sendall(b"%d:%s," % (len(body), body))
        data = b""
        while True:
            data += connection.recv(65536)
            while (found := re.match(rb"(\d+):", data)) and len(data) > found.end() + int(found[1]):
                message = json.loads(data[found.end() : found.end() + int(found[1])])
                data = data[found.end() + int(found[1]) + 1 :]
                if message.get("response"):
                    return str(message.get("data", ""))


def press(key: str) -> None:
    """Presses one key of the baresip of this host."""
    with socket.create_connection(("127.0.0.1", CONSOLE), 5) as connection:
        connection.sendall(key.encode())
        connection.settimeout(0.3)
        with suppress(TimeoutError):
            connection.recv(65536)


if __name__ == "__main__":
    if sys.argv[1] == "key":
        press(sys.argv[2])
    else:
        print(command(sys.argv[1], " ".join(sys.argv[2:])))
