"""A device's identity: one Ed25519 key, and the mesh certificate that is signed with it; and keys of phones.

A phone's key lives in its browser. Where that has no Ed25519 it is one of ECDSA on P-256.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, SignatureAlgorithmOID
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from meshdoor.errors import IdentityError

KEY_SIZE = 32  # bytes, RFC 8032 §5.1.5
SIGNATURE_SIZE = 64  # bytes, RFC 8032 §5.1.6; r and s of P-256 side by side take as many (IEEE P1363)
P256_KEY_SIZE = 33  # bytes, a compressed point (SEC 1 §2.3.3)
COMPRESSED = (2, 3)  # its first byte
MAX_CERTIFICATE = 1024  # bytes of DER; ours take about 400
MAX_PEM = 8192  # bytes

# A Pi has no clock at boot, so a certificate is always valid; "no end" as in RFC 5280 §4.1.2.5.
NOT_BEFORE = datetime(2000, 1, 1)
NOT_AFTER = datetime(9999, 12, 31, 23, 59, 59)

# What the X.509 parser raises over bytes that it cannot use.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    CryptographyDeprecationWarning,
    x509.InvalidVersion,
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
)


@dataclass(frozen=True, slots=True)
class Identity:
    """The private half of a device: what it signs with, and its certificate (DER)."""

    signing_key: SigningKey = field(repr=False)
    certificate: bytes = field(repr=False)

    @classmethod
    def generate(cls, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> Identity:
        """A new identity of a new key."""
        signing_key = SigningKey(random_bytes(KEY_SIZE))
        return cls(signing_key, _self_signed(signing_key))

    @classmethod
    def from_pem(cls, pem: bytes) -> Identity:
        """Read what `to_pem` wrote; raises IdentityError."""
        if len(pem) > MAX_PEM:
            raise IdentityError("the identity file is too large")
        try:
            with _doubts_refused():
                private = load_pem_private_key(pem, password=None)
                certificate = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
        except UNREADABLE as error:
            raise IdentityError("not an identity file") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise IdentityError("the identity's key is not an Ed25519 key")
        identity = cls(SigningKey(private.private_bytes_raw()), certificate)
        if certificate_key(certificate) != identity.key:
            raise IdentityError("the identity's certificate is of another key")
        return identity

    def to_pem(self) -> bytes:
        """PKCS #8 private key, then certificate: what `ssl.SSLContext.load_cert_chain` reads."""
        private = _private(self.signing_key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return private + x509.load_der_x509_certificate(self.certificate).public_bytes(Encoding.PEM)

    @property
    def key(self) -> bytes:
        """The public key, 32 bytes."""
        return bytes(self.signing_key.verify_key)

    @property
    def device_id(self) -> str:
        """The name that people compare: a short hash of the public key."""
        return device_id(self.key)

    def sign(self, data: bytes) -> bytes:
        """The Ed25519 signature, 64 bytes. The caller puts a purpose in front of the data."""
        return self.signing_key.sign(data).signature


def device_id(key: bytes) -> str:
    """80 bits of SHA-256 of the public key in base32: `abcd-efgh-ijkl-mnop`."""
    text = base64.b32encode(hashlib.sha256(key).digest()[:10]).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))


def is_key(data: bytes) -> bool:
    """Does it look like a public key, of Ed25519 or P-256? Whether the point is on the curve, `verify` finds out."""
    return len(data) == KEY_SIZE or is_p256(data)


def is_p256(key: bytes) -> bool:
    """Is it a key that only a phone may have?"""
    return len(key) == P256_KEY_SIZE and key[0] in COMPRESSED


def verify(key: bytes, signature: bytes, data: bytes) -> bool:
    """Did the holder of `key` sign `data`, with Ed25519 or with ECDSA P-256 and SHA-256 (RFC 8032, FIPS 186-5)?

    False for whatever is not a key or a signature.
    """
    if len(signature) != SIGNATURE_SIZE:
        return False
    if is_p256(key):
        return _verify_p256(key, signature, data)
    if len(key) != KEY_SIZE:
        return False
    try:
        VerifyKey(key).verify(data, signature)
    except BadSignatureError:
        return False
    return True


def _verify_p256(key: bytes, signature: bytes, data: bytes) -> bool:
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    try:
        public = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key)
        public.verify(encode_dss_signature(r, s), data, ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def certificate_key(der: bytes) -> bytes:
    """The public key of a mesh certificate.

    Raises IdentityError unless it is self-signed with Ed25519 and is no authority over others.
    """
    if len(der) > MAX_CERTIFICATE:
        raise IdentityError("the certificate is too large")
    try:
        with _doubts_refused():
            certificate = x509.load_der_x509_certificate(der)
            public = certificate.public_key()
            same_name = certificate.subject == certificate.issuer
            constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except UNREADABLE as error:
        raise IdentityError(f"not a mesh certificate: {error}") from None
    if not isinstance(public, Ed25519PublicKey):
        raise IdentityError("the certificate's key is not an Ed25519 key")
    if constraints.ca:
        raise IdentityError("the certificate is one of an authority")
    key = public.public_bytes_raw()
    whole = der.endswith(b"\0" + certificate.signature)  # no unused bits, or one key had several certificates
    if not same_name or not whole or not _signed_by(key, certificate):
        raise IdentityError("the certificate is not self-signed")
    return key


@contextmanager
def _doubts_refused() -> Iterator[None]:
    """What the parser takes but warns of, such as a serial number that is not positive, it refuses here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", CryptographyDeprecationWarning)
        yield


def _signed_by(key: bytes, certificate: x509.Certificate) -> bool:
    return certificate.signature_algorithm_oid == SignatureAlgorithmOID.ED25519 and verify(
        key, certificate.signature, certificate.tbs_certificate_bytes
    )


def _private(signing_key: SigningKey) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(signing_key))


def _self_signed(signing_key: SigningKey) -> bytes:
    """The certificate of a key. Nothing in it is random: the same key gives the same certificate."""
    private = _private(signing_key)
    public = private.public_key()
    key = public.public_bytes_raw()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device_id(key))])
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(int.from_bytes(hashlib.sha256(key).digest()[:15], "big") + 1)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    return builder.sign(private, None).public_bytes(Encoding.DER)


def key_usage(*, signs_certificates: bool = False) -> x509.KeyUsage:
    """What the key of a certificate is for (RFC 5280 §4.2.1.3): TLS, or to sign other certificates."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
