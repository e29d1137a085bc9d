"""Where sound goes to: the interface of speakers, and those that need no hardware."""

from __future__ import annotations

import os
import struct
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from meshdoor.errors import EngineError
from meshdoor.media.background import Background
from meshdoor.media.sound import RATE

MAX_SECONDS = 3600  # of a file; ours

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


class Speaker(Protocol):
    """Opened when there is something to hear, closed when there is not; in between it gets a piece at each beat."""

    def open(self) -> None:
        """Raises EngineError when nothing can be heard."""
        ...

    def write(self, piece: bytes) -> None:
        """Does not wait."""
        ...

    def close(self) -> None: ...


class NullSpeaker:
    """Counts the pieces."""

    def __init__(self) -> None:
        self.pieces = 0

    def open(self) -> None: ...

    def write(self, piece: bytes) -> None:
        self.pieces += 1

    def close(self) -> None: ...


class WavSpeaker:
    """Writes what is heard into a file, which is a valid one at any time, even when the process is killed: its header
    follows each piece. The time during which the speaker is closed is left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._length = 0
        self._background = Background("speaker file")

    def open(self) -> None:
        """The first time it makes the file, after that it appends to it."""
        try:
            self._file = self.path.open("r+b" if self._length else "wb", buffering=0)
        except OSError as error:
            raise EngineError(f"{self.path}: {error.strerror}") from None

    def write(self, piece: bytes) -> None:
        if self._file is None or self._length >= 2 * RATE * MAX_SECONDS:
            return
        if self._background.do(partial(_append, self._file, self._length, piece)):
            self._length += len(piece)

    def close(self) -> None:
        """What is left is written in its own time."""
        if self._file is not None:
            self._background.do(self._file.close)
            self._background.close()
            self._file = None


def _append(file: BinaryIO, length: int, piece: bytes) -> None:
    os.pwrite(file.fileno(), piece, _HEADER.size + length)
    os.pwrite(file.fileno(), header(length + len(piece)), 0)


def header(length: int) -> bytes:
    """Of a WAV file with so many bytes of samples."""
    form = (16, 1, 1, RATE, 2 * RATE, 2, 16)
    return _HEADER.pack(b"RIFF", _HEADER.size - 8 + length, b"WAVE", b"fmt ", *form, b"data", length)


def named(text: str, out_dir: Path | None) -> Speaker | None:
    """What the settings call `null`, `none`, or `file`, which is `heard.wav` in `out_dir`. Raises EngineError."""
    if text == "none":
        return None
    if text == "null":
        return NullSpeaker()
    if text != "file" or out_dir is None:
        raise EngineError(f"there is no speaker {text!r}")
    return WavSpeaker(out_dir / "heard.wav")
