"""A program that stands in for `rpicam-vid`: the same options, the same pictures in its pipe, the same words beside.

`Rpicam(folder)` puts it into a folder that goes onto the PATH, and tells it what to do by the file `control` there:

    plain LUMA      pictures of one grey, 16 (black) to 235
    stall           it hangs, and gives nothing
    die REASON      it ends, and says why as libcamera does
    size W H LUMA   it works at another size than it was asked for
    resize W H      it says in mid-stream that it works at another size now
    none            there is no camera
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

PROGRAM: Final = r'''
import os, sys, time
from pathlib import Path

control = Path(sys.argv[1])
options = dict(zip(sys.argv[2:], sys.argv[3:]))

def told():
    return control.read_text().split(" ", 1)

def say(line):
    os.write(2, (line + "\n").encode())

def end(reason):
    say(f"ERROR: *** {reason} ***")
    sys.exit(255)

log = control.with_name("log")
with log.open("a") as file:
    file.write(" ".join(sys.argv[2:]) + "\n")
word, *rest = told()
if "--list-cameras" in sys.argv:
    if word == "none":
        print("No cameras available!")
    else:
        print("Available cameras\n-----------------")
        print("0 : imx708 [4608x2592 10-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx708@1a)")
    sys.exit()
if word == "none":
    end("no cameras available")
width, height, fps = int(options["--width"]), int(options["--height"]), float(options["--framerate"])
if word == "size":
    width, height, luma = rest[0].split()
    width, height, rest = int(width), int(height), [luma]
say("[0:01:02.345678901] [1234]  INFO Camera camera_manager.cpp:284 libcamera v0.3.0+65-6ddd79b5")

def configured():
    say(f"[0:01:02.445678901] [1239]  INFO Camera camera.cpp:1197 configuring streams: (0) {width}x{height}-YUV420"
        " (1) 2304x1296-SBGGR10_CSI2P")

configured()
stride = -(-width // 64) * 64
due = time.monotonic()
while True:
    word, *rest = told()
    if word == "stall":
        time.sleep(0.01)
        continue
    if word == "die":
        end(rest[0])
    if word == "none":
        end("no cameras available")
    if word == "resize":
        width, height = map(int, rest[0].split())
        rest = []
        configured()
    luma = int(rest[0].split()[-1]) if rest else 126
    picture = bytes((luma,)) * (stride * height) + b"\x80" * (stride * height // 2)
    while picture:
        picture = picture[os.write(1, picture):]
    due = max(due + 1 / fps, time.monotonic() - 0.1)
    time.sleep(max(0.0, due - time.monotonic()))
'''


class Rpicam:
    """In a folder of its own. `runs` are the words that each run of it was given."""

    def __init__(self, folder: Path, first: str = "plain 126") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._control = folder / "control"
        self._log = folder / "log"
        self.tell(first)
        (folder / "rpicam.py").write_text(PROGRAM)
        program = folder / "rpicam-vid"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -SE {folder}/rpicam.py {self._control} "$@"\n')
        program.chmod(0o755)

    def tell(self, what: str) -> None:
        unfinished = self._control.with_name("told")
        unfinished.write_text(what)
        unfinished.replace(self._control)

    @property
    def runs(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []
