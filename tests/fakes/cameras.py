"""V4L2 devices that are files, and programs that are cameras."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from meshdoor.media.v4l2 import (
    CAP_DEVICE_CAPS,
    CAP_STREAMING,
    CAP_VIDEO_CAPTURE,
    VIDIOC_ENUM_FMT,
    VIDIOC_QUERYCAP,
)

CAPTURE = CAP_VIDEO_CAPTURE | CAP_STREAMING
METADATA = 0x00800000  # V4L2_CAP_META_CAPTURE: the second node of every USB camera


@dataclass(frozen=True)
class FakeDevice:
    """What a driver says."""

    card: bytes = b"HD Webcam"
    driver: bytes = b"uvcvideo"
    formats: tuple[bytes, ...] = (b"YUYV", b"MJPG")
    capabilities: int = CAPTURE
    of_all_nodes: int = CAPTURE | METADATA


class FakeKernel:
    """`ioctl` answers for the files in a `dev` folder by their names, as the kernel would."""

    def __init__(self, root: Path, devices: Mapping[str, FakeDevice | None]) -> None:
        self._devices = devices
        (root / "dev").mkdir(exist_ok=True)
        for name in devices:
            (root / "dev" / name).touch()

    def ioctl(self, file: int, request: int, data: bytearray) -> int:
        device = self._devices[Path(os.readlink(f"/proc/self/fd/{file}")).name]
        if device is None:
            raise OSError(25, "Inappropriate ioctl for device")
        if request == VIDIOC_QUERYCAP:
            assert len(data) == 104
            everything = device.of_all_nodes | CAP_DEVICE_CAPS
            names = device.driver, device.card, b"usb"
            struct.pack_into("=16s32s32s3I", data, 0, *names, 0x60100, everything, device.capabilities)
            return 0
        assert (request, len(data)) == (VIDIOC_ENUM_FMT, 64)
        index, kind = struct.unpack_from("=II", data)
        if kind != 1 or index >= len(device.formats):
            raise OSError(22, "Invalid argument")
        struct.pack_into("=I32s4s", data, 8, 0, b"a format", device.formats[index])
        return 0
