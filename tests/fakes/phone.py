"""A phone: the key in its browser, and what its page does with it to be let in and to attach."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from meshdoor.trust.attach import Proof, Purpose, signed
from meshdoor.trust.invitation import Request


class Signer(Protocol):
    """What a browser keeps: an Identity fits, too."""

    @property
    def key(self) -> bytes:
        """The public key."""

    def sign(self, data: bytes) -> bytes:
        """64 bytes."""


@dataclass(frozen=True)
class P256Key:
    """ECDSA on P-256, as WebCrypto does it."""

    secret: ec.EllipticCurvePrivateKey

    @classmethod
    def of(cls, number: int) -> P256Key:
        """The key of this private number."""
        return cls(ec.derive_private_key(number, ec.SECP256R1()))

    @property
    def key(self) -> bytes:
        return self.secret.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)

    def sign(self, data: bytes) -> bytes:
        """r and s side by side; the same for the same data (RFC 6979), which browsers do not promise."""
        algorithm = ec.ECDSA(SHA256(), deterministic_signing=True)
        r, s = decode_dss_signature(self.secret.sign(data, algorithm))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass(frozen=True)
class Scanned:
    """What the QR code says."""

    base: str
    token: bytes
    fingerprint: bytes
    home_name: str

    @classmethod
    def of(cls, url: str) -> Scanned:
        parts = urlsplit(url)
        fields = {name: value for name, (value,) in parse_qs(parts.fragment, strict_parsing=True).items()}
        return cls(f"{parts.scheme}://{parts.netloc}", _decoded(fields["pair"]), _decoded(fields["f"]), fields["n"])

    def request(self, phone: Signer) -> Request:
        """What the page posts."""
        return Request.of(self.token, phone.key, self.fingerprint)


def attach_proof(phone: Signer, challenge: bytes, fingerprint: bytes, purpose: Purpose) -> Proof:
    """What the page answers to a challenge."""
    return Proof(phone.key, phone.sign(signed(challenge, fingerprint, purpose)))


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
