"""The nonces of a digest server: signed with their time, so that nothing is kept until one is used."""

from __future__ import annotations

import base64
import hmac
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

# Ours: authenticated users only get into the table.
MAX_USED: Final = 1024

_STAMP_BYTES: Final = 8
_RANDOM_BYTES: Final = 8
_MAC_BYTES: Final = 16


class Nonces:
    """Issues nonces that expire after `lifetime` seconds, and lets each nonce count be used once."""

    def __init__(self, lifetime: float, random_bytes: Callable[[int], bytes]) -> None:
        self._lifetime = lifetime
        self._random_bytes = random_bytes
        self._secret = random_bytes(32)
        self._used: OrderedDict[str, int] = OrderedDict()  # nonce → highest count, oldest use first
        self._floor = -1.0  # nonces issued up to here may have been forgotten

    def issue(self, now: float) -> str:
        """A new nonce."""
        body = round(now * 1000).to_bytes(_STAMP_BYTES, "big", signed=True) + self._random_bytes(_RANDOM_BYTES)
        return base64.urlsafe_b64encode(body + self._mac(body)).decode("ascii")

    def is_fresh(self, nonce: str, now: float) -> bool:
        """Whether it is one of ours and not too old."""
        issued = self._issued(nonce)
        return issued is not None and self._floor < issued <= now + 1 and now - issued <= self._lifetime

    def use(self, nonce: str, count: int) -> bool:
        """Record one use of a fresh nonce by an authenticated user; False if that count is spent."""
        if count <= self._used.get(nonce, 0):
            return False
        self._used[nonce] = count
        self._used.move_to_end(nonce)
        if len(self._used) > MAX_USED:
            oldest, _ = self._used.popitem(last=False)
            self._floor = max(self._floor, self._issued(oldest) or 0.0)
        return True

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, body, "sha256")[:_MAC_BYTES]

    def _issued(self, nonce: str) -> float | None:
        try:
            raw = base64.b64decode(nonce, b"-_", validate=True)
        except ValueError:
            return None
        body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if len(body) != _STAMP_BYTES + _RANDOM_BYTES or not hmac.compare_digest(mac, self._mac(body)):
            return None
        return int.from_bytes(body[:_STAMP_BYTES], "big", signed=True) / 1000
