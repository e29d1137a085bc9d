"""Does it load on a Pi's processor? An emulated one (qemu-user) imports all of it, and uses the codecs.

    ./dev trial arm64

The packages are those that pip would choose on a 64-bit Raspberry Pi OS 12. Needs root, debootstrap, qemu-user-static.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

from tests.installer.machine import CHECKOUT, SUITE

QEMU = "qemu-aarch64-static"
EXTRAS = ("screen", "door", "lock", "aec")
MODULES = (
    "zeroconf netifaces nacl.signing spake2 cryptography.x509 pylibsrtp av aiortc aioice rich aiohttp segno sdl2 "
    "gpiozero lgpio livekit numpy meshdoor.cli meshdoor.node.node meshdoor.media.engine meshdoor.media.wall "
    "meshdoor.web.server"
)
SCRIPT = f"""
import importlib, platform, sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
print(platform.machine(), sys.version.split()[0])
for name in {MODULES!r}.split():
    importlib.import_module(name)
    print("loaded", name)
from nacl.signing import SigningKey
key = SigningKey.generate()
key.verify_key.verify(key.sign(b"x"))
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
gcm = AESGCM(bytes(16))
assert gcm.decrypt(bytes(12), gcm.encrypt(bytes(12), b"x", b""), b"") == b"x"
import av
from fractions import Fraction
codec = av.CodecContext.create("libx264", "w")
codec.width, codec.height, codec.pix_fmt, codec.time_base = 320, 240, "yuv420p", Fraction(1, 30)
codec.options = {{"preset": "ultrafast", "tune": "zerolatency"}}
assert sum(packet.size for packet in codec.encode(av.VideoFrame(320, 240, "yuv420p"))) > 100
print("signs, encrypts, encodes H.264; h264_v4l2m2m is", "h264_v4l2m2m" in av.codecs_available)
"""


def main() -> int:
    missing = [tool for tool in ("debootstrap", QEMU) if shutil.which(tool) is None]
    if missing:
        print(f"skipped: {' and '.join(missing)} is missing")
        return 0
    with tempfile.TemporaryDirectory(prefix="meshdoor-arm64-") as text:
        root = Path(text) / "root"
        _system(root)
        packages = _packages(root)
        command = [QEMU, "-L", str(root), str(root / "usr/bin/python3.11"), "-c", SCRIPT, str(packages)]
        return subprocess.run(command, check=False, cwd=root).returncode


def _system(root: Path) -> None:
    """Debian's files for arm64, unpacked but not set up: nothing of them need run for that."""
    words = ["debootstrap", "--arch=arm64", "--foreign", "--variant=minbase", "--include=python3", SUITE, str(root)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    for package in sorted((root / "var/cache/apt/archives").glob("*.deb")):
        subprocess.run(["dpkg-deb", "--extract", str(package), str(root)], check=True)


def _packages(root: Path) -> Path:
    """What pip would install there, and Meshdoor itself."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(each for extra in EXTRAS for each in optional[extra])]
    wheels, packages = root / "wheels", root / "packages"
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in (36, 34, 31, 28, 27, 26, 17)]
    words = ["--only-binary=:all:", *platforms, "--platform=manylinux2014_aarch64", "--python-version=311"]
    pip = [sys.executable, "-m", "pip", "--quiet", "download", *words, "-c", str(CHECKOUT / "constraints.txt")]
    # The markers are of this machine's processor, and would leave out what only a Pi has.
    subprocess.run([*pip, "-d", str(wheels), *(each.partition(";")[0] for each in wanted)], check=True)
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
    shutil.copytree(CHECKOUT / "meshdoor", packages / "meshdoor", ignore=shutil.ignore_patterns("__pycache__"))
    return packages


if __name__ == "__main__":
    sys.exit(main())
