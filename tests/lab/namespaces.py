"""System calls for namespaces, which Python has from 3.12 on or not at all."""

from __future__ import annotations

import ctypes
import os
import socket
from contextlib import suppress
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """unshare(2): leave these namespaces of the parent for new ones."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0) -> None:
    """mount(2)."""
    _check(_libc.mount(source.encode(), target.encode(), kind.encode(), flags, None), f"mount {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def become_host(name: str, directory: Path) -> None:
    """Leaves for a network, mounts and a name of its own, as a machine just switched on.

    /run is empty, and the resolver asks nobody: a name that is not known must fail at once and not after
    ten seconds. Made files are kept under `directory`.
    """
    unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS)
    socket.sethostname(name)
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    mount("tmpfs", "/run", "tmpfs")
    with suppress(OSError):  # refused in some containers; /sys then shows the interfaces of the outside
        mount("sysfs", "/sys", "sysfs")
    _replace("/etc/resolv.conf", directory, "options timeout:1 attempts:1\n")
    _replace("/etc/hosts", directory, f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {name}\n")
    _sysctl("net/ipv6/conf/default/accept_dad", "0")  # addresses are known to be free: use them at once
    _sysctl("net/ipv6/conf/all/accept_dad", "0")
    _sysctl("net/ipv6/conf/default/accept_ra", "0")
    _sysctl("net/ipv6/conf/default/addr_gen_mode", "0")
    _sysctl("net/ipv4/ping_group_range", "0 0")


def _replace(path: str, directory: Path, text: str) -> None:
    """Another text in the place of a file; a file that the machine does not have is not made."""
    source = directory / Path(path).name
    source.write_text(text)
    target = Path(path).resolve()
    if target.is_relative_to("/run"):  # a link, to what is no longer there
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    if target.exists():
        mount(str(source), str(target), flags=MS_BIND)


def _sysctl(name: str, value: str) -> None:
    with suppress(OSError):  # a kernel without IPv6, or without this knob
        Path("/proc/sys", name).write_text(value)
