"""Pictures from the output of a program: `rpicam-vid`, which writes raw I420 pictures one after the other.

What it and libcamera tell on standard error says at which size it really works, and why it does not.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import av

from meshdoor.errors import EngineError
from meshdoor.media.cameras import PROGRAMS, RPICAM, rpicam_program
from meshdoor.media.encoder import Picture
from meshdoor.media.plans import VideoFormat

POLL: Final = 0.25  # s between looks whether to stop; ours
ENDING: Final = 1.0  # s for the program to end; ours
PIPE_SIZE: Final = 1 << 20  # bytes, the most that Linux gives to anybody: few reads for a picture
MAX_WORDS: Final = 4096  # bytes of what the program tells that are kept
ALIGNMENT: Final = 64  # pixels to which libcamera rounds up the lines of a picture on a Pi

# libcamera: `INFO Camera camera.cpp:1197 configuring streams: (0) 1280x720-YUV420 (1) 1536x864-SBGGR10_CSI2P`
_CONFIGURED = re.compile(rb"configuring streams: \(0\) (\d{2,5})x(\d{2,5})-(\w+)")
_COMPLAINT = re.compile(r"(?:ERROR:?|FATAL:?)\s*(.*?)$")


class PipeSource:
    """`read` gives pictures of the size that the program says, else of the one that was asked for."""

    stand_in = ""

    def __init__(self, command: Sequence[str], video: VideoFormat) -> None:
        self._name = os.path.basename(command[0])
        self._size = video.width, video.height
        self._told = b""
        self._stopped = self._begun = False
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise EngineError(f"cannot run {command[0]}: {error.strerror}") from None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._pictures, self._words = self._process.stdout.fileno(), self._process.stderr.fileno()
        os.set_blocking(self._words, False)
        self._watched = [self._pictures, self._words]
        with suppress(OSError):  # more than this user may have
            fcntl.fcntl(self._pictures, fcntl.F_SETPIPE_SZ, PIPE_SIZE)

    def read(self) -> Picture:
        self._wait()
        width, height = self._size
        stride = -(-width // ALIGNMENT) * ALIGNMENT
        frame = av.VideoFrame(width, height, "yuv420p")
        for plane, line in zip(frame.planes, (stride, stride // 2, stride // 2), strict=True):
            self._fill(plane, line)
        return Picture(frame, time.monotonic())

    def stop(self) -> None:
        self._stopped = True

    def close(self) -> None:
        """A program that hangs is not waited for."""
        with suppress(OSError):
            self._process.terminate()
        try:
            self._process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _fill(self, plane: av.video.plane.VideoPlane, line: int) -> None:
        room = memoryview(plane).cast("B")
        if plane.line_size == line:
            self._read_into(room[: line * plane.height])
            return
        data = memoryview(bytearray(line * plane.height))
        self._read_into(data)
        for row in range(plane.height):
            room[row * plane.line_size :][: plane.width] = data[row * line :][: plane.width]

    def _read_into(self, room: memoryview) -> None:
        at = 0
        while at < len(room):
            self._wait()
            count = os.readv(self._pictures, [room[at:]])
            if not count:
                raise EngineError(self._why())
            at += count

    def _wait(self) -> None:
        """Until there is something of a picture. What the program tells before that is heard before that."""
        while not self._stopped:
            readable, _, _ = select.select(self._watched, [], [], POLL)
            if self._words in readable or (not self._begun and self._words in self._watched):
                self._listen()
            if self._pictures in readable:
                self._begun = True
                return
        raise EngineError("the camera gives no pictures")

    def _listen(self) -> None:
        with suppress(BlockingIOError):
            if data := os.read(self._words, MAX_WORDS):
                self._told = (self._told + data)[-MAX_WORDS:]
                self._take_size()
            elif self._words in self._watched:
                self._watched.remove(self._words)  # it tells nothing any more

    def _take_size(self) -> None:
        """What it says last counts."""
        for found in _CONFIGURED.finditer(self._told):
            self._configured(found)
        self._told = _CONFIGURED.sub(b"", self._told)

    def _configured(self, found: re.Match[bytes]) -> None:
        size = int(found[1]), int(found[2])
        if found[3] not in {b"YUV420", b"YU12"} or size[0] % 2 or size[1] % 2:
            raise EngineError(f"{self._name} gives {found[3].decode()} pictures at {size[0]}x{size[1]}")
        if self._begun and size != self._size:
            raise EngineError(f"the camera's pictures have changed their size to {size[0]}x{size[1]}")
        self._size = size

    def _why(self) -> str:
        """Why it ended, as far as it says."""
        self._listen()
        lines = self._told.decode(errors="replace").splitlines()
        complaints = [match[1].strip(" *") for line in lines if (match := _COMPLAINT.search(line)) and match[1]]
        return f"{self._name} ended: {complaints[-1][:120]}" if complaints else f"{self._name} ended"


def rpicam(camera: str, video: VideoFormat, options: Sequence[str] = ()) -> list[str]:
    """The command of a Raspberry Pi's camera: `rpicam`, or `rpicam:1`. Its lines are without gaps at these widths."""
    width = max(ALIGNMENT, video.width // ALIGNMENT * ALIGNMENT)
    size = ["--width", str(width), "--height", str(video.height & ~1), "--framerate", str(video.fps)]
    number = camera.removeprefix(RPICAM).removeprefix(":")
    which = ["--camera", number] if number else []
    program = rpicam_program() or PROGRAMS[0]
    return [program, "--timeout", "0", "--nopreview", "--codec", "yuv420", *size, *which, *options, "--output", "-"]


def open_rpicam(camera: str, video: VideoFormat, options: Sequence[str] = ()) -> PipeSource:
    """Raises EngineError."""
    command = rpicam(camera, video, options)
    asked = VideoFormat(int(command[command.index("--width") + 1]), video.height & ~1, video.fps, video.bitrate)
    return PipeSource(command, asked)
