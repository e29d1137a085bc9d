"""A web server that serves nothing: what a phone's QR code is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from meshdoor.node.web import Web


@dataclass
class FakeWeb:
    """It counts how often it was asked for."""

    port: int = 8443
    url_base: str = "https://10.0.0.2:8443"
    fingerprint: bytes = bytes(range(32))
    opened: int = 0
    authorities: list[dict[str, Any]] = field(default_factory=list)

    async def open(self) -> Web:
        """As the node gives it to the phone desk."""
        self.opened += 1
        return self

    async def authority(self) -> Any:
        self.authorities.append({"certificate": "PEM", "fingerprint": "00", "url": f"{self.url_base}/ca"})
        return self.authorities[-1]
