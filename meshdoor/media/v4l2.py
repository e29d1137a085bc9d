"""What a V4L2 device says of itself (linux/videodev2.h): its name, and the formats in which it gives pictures.

Asked by ioctl, so that nothing heavy is loaded for it, and the camera does not begin to work.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# _IOR('V', 0, 104 bytes), _IOWR('V', 2, 64 bytes): the same on every architecture that a Pi has.
VIDIOC_QUERYCAP: Final = 0x80685600
VIDIOC_ENUM_FMT: Final = 0xC0405602

CAP_VIDEO_CAPTURE: Final = 0x00000001
CAP_STREAMING: Final = 0x04000000
CAP_DEVICE_CAPS: Final = 0x80000000
BUF_TYPE_VIDEO_CAPTURE: Final = 1

_CAPABILITY = struct.Struct("=16s32s32sIII12x")  # driver, card, bus_info, version, capabilities, device_caps
_FORMAT = struct.Struct("=III32sI16x")  # index, type, flags, description, pixelformat

MAX_FORMATS: Final = 64  # ours

# Names of FFmpeg, by what V4L2 calls them; the one that costs least comes first.
FORMATS: Final = {
    b"H264": "h264",
    b"MJPG": "mjpeg",
    b"JPEG": "mjpeg",
    b"YU12": "yuv420p",
    b"NV12": "nv12",
    b"YUYV": "yuyv422",
    b"UYVY": "uyvy422",
}

Ioctl = Callable[[int, int, bytearray], object]


@dataclass(frozen=True, slots=True)
class VideoDevice:
    """`formats` are those that we can use, in our order of preference."""

    driver: str
    name: str
    captures: bool
    formats: tuple[str, ...]


def examine(path: str, ioctl: Ioctl = fcntl.ioctl) -> VideoDevice | None:
    """None for what is no V4L2 device, or is gone."""
    try:
        file = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _examine(file, ioctl)
    except OSError:
        return None
    finally:
        os.close(file)


def has_encoder(root: Path = Path("/")) -> bool:
    """Whether this is a Pi that encodes H.264 by itself: those before the fifth do."""
    names = (root / "sys/class/video4linux").glob("video*/name")
    return any("codec-encode" in name.read_text(errors="replace") for name in names)


def _examine(file: int, ioctl: Ioctl) -> VideoDevice:
    data = bytearray(_CAPABILITY.size)
    ioctl(file, VIDIOC_QUERYCAP, data)
    driver, card, _, _, all_of_it, device = _CAPABILITY.unpack(data)
    capabilities = device if all_of_it & CAP_DEVICE_CAPS else all_of_it
    captures = bool(capabilities & CAP_VIDEO_CAPTURE and capabilities & CAP_STREAMING)
    codes = set(_codes(file, ioctl)) if captures else set()
    names = dict.fromkeys(name for code, name in FORMATS.items() if code in codes)
    return VideoDevice(_text(driver), _text(card), captures, tuple(names))


def _codes(file: int, ioctl: Ioctl) -> Iterator[bytes]:
    """The driver says EINVAL after the last one."""
    with suppress(OSError):
        for index in range(MAX_FORMATS):
            data = bytearray(_FORMAT.pack(index, BUF_TYPE_VIDEO_CAPTURE, 0, b"", 0))
            ioctl(file, VIDIOC_ENUM_FMT, data)
            yield _FORMAT.unpack(data)[4].to_bytes(4, "little")


def _text(data: bytes) -> str:
    text = data.split(b"\0", 1)[0].decode(errors="replace")
    return "".join(character if character.isprintable() else " " for character in text).strip()
