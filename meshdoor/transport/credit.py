"""How much a stranger gets back over UDP: never more bytes than it sent. No input, no output."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MAX_HOSTS: Final = 1024
MAX_CREDIT: Final = 65536  # bytes that one host can have saved up


class Credit:
    """An account of bytes per host.

    `spend` never lets a host have had more bytes than it was credited: it says no instead. The host that was
    silent for longest is forgotten when there are too many, and with it what it had left, so that forgetting
    never gives anything away.
    """

    def __init__(self, hosts: int = MAX_HOSTS, most: int = MAX_CREDIT) -> None:
        self._hosts = hosts
        self._most = most
        self._accounts: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._accounts)

    def earn(self, host: str, size: int) -> None:
        """This many bytes came from there."""
        self._accounts[host] = min(self._accounts.get(host, 0) + size, self._most)
        self._accounts.move_to_end(host)
        if len(self._accounts) > self._hosts:
            self._accounts.popitem(last=False)

    def spend(self, host: str, size: int) -> bool:
        """Whether this many bytes may go there; they are then gone from the account."""
        if self._accounts.get(host, -1) < size:
            return False
        self._accounts[host] -= size
        return True
