"""A USB camera: what a process that is started with `environment` finds at its path, by `v4l2.c` beside this file."""

from __future__ import annotations

import os
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Final

import av

from meshdoor.media.card import Card
from meshdoor.media.encoder import Encoder, Picture
from meshdoor.media.plans import VideoFormat

SOURCE: Final = Path(__file__).with_name("v4l2.c")
FRAMES: Final = 60
KEY_EVERY: Final = 15


def compiler() -> str | None:
    """None where tests of USB cameras cannot be run."""
    return shutil.which("cc") if Path("/usr/include/linux/videodev2.h").exists() else None


class UsbCamera:
    """Numbered cards, over and over."""

    path = "/dev/video77"

    def __init__(self, folder: Path, *formats: str, size: tuple[int, int] = (320, 192)) -> None:
        self._folder = folder
        folder.mkdir()
        library = folder / "v4l2.so"
        command = [compiler() or "cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
        subprocess.run([*command, "-o", str(library), str(SOURCE), "-ldl"], check=True, timeout=60)
        self.environment = {"LD_PRELOAD": str(library), "FAKE_V4L2": self.path, "FAKE_V4L2_DIR": str(folder)}
        self.gives(*formats, size=size)
        self.does("run")

    def does(self, what: str) -> None:
        """run, stall or unplug."""
        told = self._folder / "told"
        told.write_text(what)
        os.replace(told, self._folder / "control")

    def gives(self, *formats: str, size: tuple[int, int] = (320, 192)) -> None:
        """Of these fourccs, from the next time that it is opened."""
        for code in formats:
            for number, data in enumerate(_frames(code, *size)):
                (self._folder / f"{code}-{number}").write_bytes(data)
        width, height = size
        (self._folder / "formats").write_text("".join(f"{code} {width} {height}\n" for code in formats))


def _frames(code: str, width: int, height: int) -> list[bytes]:
    card = Card(width, height)
    frames = (card.draw(number, "12:00") for number in range(FRAMES))  # it draws in a few frames, over and over
    if code == "YUYV":
        return [bytes(frame.reformat(format="yuyv422").planes[0]) for frame in frames]
    if code == "MJPG":
        return [_jpeg(frame) for frame in frames]
    encoder = Encoder("H264", VideoFormat(width, height, 30, 2_000_000), width, height)
    units = [
        encoder.encode(Picture(frame, number / 30), number % KEY_EVERY == 0) for number, frame in enumerate(frames)
    ]
    return [unit.data for unit in units if unit is not None]


def _jpeg(frame: av.VideoFrame) -> bytes:
    encoder = av.VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    encoder.time_base = Fraction(1, 30)
    encoder.options = {"qmin": "2", "qmax": "2"}
    picture = frame.reformat(format="yuvj420p")
    picture.pts = 0
    return b"".join(map(bytes, [*encoder.encode(picture), *encoder.encode(None)]))
