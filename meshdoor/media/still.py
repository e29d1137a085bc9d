"""Single pictures as files: PNG or JPEG."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from meshdoor.errors import EngineError

# Encoder, its format of pixels and its options, by the ending of the file. PNG: quick rather than small.
_FORMATS = {
    ".png": ("png", "rgb24", {"compression_level": "1"}),
    ".jpg": ("mjpeg", "yuvj420p", {"qmin": "6", "qmax": "6"}),
}
_FORMATS[".jpeg"] = _FORMATS[".jpg"]


JPEG_WIDTH = 640  # pixels at most: JPEG is for the history, which is kept and sent around


def _size(frame: av.VideoFrame, codec: str) -> tuple[int, int]:
    if codec != "mjpeg" or frame.width <= JPEG_WIDTH:
        return frame.width, frame.height
    return JPEG_WIDTH, max(2, round(frame.height * JPEG_WIDTH / frame.width / 2) * 2)


def encode(frame: av.VideoFrame, ending: str) -> bytes:
    """Takes tens of milliseconds. Raises EngineError."""
    if ending.lower() not in _FORMATS:
        raise EngineError(f"pictures are .png or .jpg, not {ending!r}")
    codec, pixels, options = _FORMATS[ending.lower()]
    try:
        encoder = av.CodecContext.create(codec, "w")
        assert isinstance(encoder, av.VideoCodecContext)
        width, height = _size(frame, codec)
        encoder.width, encoder.height, encoder.pix_fmt = width, height, pixels
        encoder.time_base = Fraction(1, 1)
        encoder.options = options
        # Not `frame.reformat`: it keeps its state in the frame, which several threads may be writing at once.
        picture = VideoReformatter().reformat(frame, width, height, pixels)
        picture.pts, picture.time_base = 0, Fraction(1, 1)
        return b"".join(map(bytes, [*encoder.encode(picture), *encoder.encode(None)]))
    except FFmpegError as error:
        raise EngineError(f"a picture that cannot be written: {error}") from None


def write(frame: av.VideoFrame, path: Path) -> None:
    """Whoever reads `path` meanwhile sees all of the old picture or all of this one. Raises EngineError."""
    data = encode(frame, path.suffix)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as error:
        raise EngineError(f"{path}: {error.strerror}") from None
