"""A door station for the virtual house: baresip, as Debian packages it, that shows a film of the test card."""

from __future__ import annotations

import re
from pathlib import Path

from tests.lab import baresip
from tests.lab.baresip import MODULES, WANTED, Baresip, certificate
from tests.lab.host import Host
from tests.lab.linphone import tone
from tests.media.test_source import film

FPS, FRAMES = 10, 600
CAMERA = "avformat"
MISSING = baresip.MISSING or ("" if (MODULES / "avformat.so").exists() else "baresip-ffmpeg is not installed")


class Panel(Baresip):
    """`with Panel(host, "mediaenc=srtp") as panel`, then `panel.press("sip:everyone@10.77.0.2")`."""

    def __init__(self, host: Host, account: str = "", registrar: str = "") -> None:
        super().__init__(host, f"audio_codecs=PCMU,PCMA;video_codecs=H264;answermode=auto;{account}", "panel")
        self.account = self.account.replace("answermode=early;", "")
        if registrar:
            self.account = self.account.replace(f"@{host.ipv4}>;regint=0", f"@{registrar}>;regint=60")
            self.account = self.account.replace("sip:panel", f"sip:{host.name}")

    def __enter__(self) -> Panel:
        self.directory.mkdir(exist_ok=True)
        certificate(self.directory / "baresip.pem")
        tone(self.directory / "voice.wav", baresip.FREQUENCY)
        card = self.directory / "card.mp4"
        if not card.exists():
            film(card, "baseline", FPS, FRAMES)
        text = baresip.CONFIG.format(directory=self.directory, modules=MODULES)
        text = text.replace("video_source fakevideo,nil", f"video_source {CAMERA},{card}")
        modules = "".join(f"module {name}.so\n" for name in (*WANTED, CAMERA) if (MODULES / f"{name}.so").exists())
        (self.directory / "config").write_text(text + modules)
        (self.directory / "accounts").write_text(self.account + "\n")
        self.process = self.host.start(["baresip", "-v", "-s", "-4", "-n", "eth0", "-f", str(self.directory)])
        self.process.expect("baresip is ready")
        return self

    def press(self, uri: str) -> None:
        self.ask("dial", uri)

    def hang_up(self) -> None:
        self.ask("hangup")

    @property
    def calls(self) -> int:
        """How many are on."""
        found = re.search(r"Active calls \((\d+)\)", self.ask("listcalls"))
        return int(found[1]) if found else 0

    @property
    def talks(self) -> bool:
        """Was its call answered?"""
        return "ESTABLISHED" in self.ask("listcalls")

    @property
    def digits(self) -> str:
        """What it was sent so far."""
        text = Path(self.process.log).read_text(errors="replace")
        return "".join(re.findall(r"received event: '(.)' \(end=1\)", text))
