"""A loopback interface of its own for each process that runs tests.

Multicast on `lo` reaches every socket of the machine that listens there: of the tests beside this one, of another run,
of a demo. In a network namespace of its own a test hears nobody else, and has no real network that it could disturb.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from functools import cache

from tests.lab.namespaces import CLONE_NEWNET, unshare

SIOCSIFFLAGS = 0x8914  # netdevice(7)
IFF_UP = 0x1


@cache
def isolated() -> bool:
    """Moves this thread, and what it will start, there. False where that is forbidden, as it is to all but root."""
    try:
        unshare(CLONE_NEWNET)
    except OSError:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
    return True
