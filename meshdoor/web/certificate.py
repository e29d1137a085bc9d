"""The certificate of the page, and the authority that phones may trust (`meshdoor phone ca`).

The first certificate of a node is self-signed and stays as it is: phones are paired with its fingerprint. Once there
is an authority it signs the certificate, which is then renewed in time and when the addresses change; the key stays.
An authority may only speak for names and addresses of homes (RFC 5280 §4.2.1.10): whoever steals it has no bank.
"""

from __future__ import annotations

import hashlib
import ipaddress
import plistlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from meshdoor.errors import StateError
from meshdoor.trust.identity import key_usage

NOT_BEFORE: Final = datetime(2020, 1, 1, tzinfo=UTC)  # a Pi has no clock at boot
NOT_AFTER: Final = datetime(2049, 12, 31, tzinfo=UTC)  # of what is not renewed; the last year of UTCTime
LIFETIME: Final = timedelta(days=800)  # Apple takes 825 days at most
RENEWAL: Final = timedelta(days=100)  # before its end
LOCAL_NAMES: Final = ("local", "home.arpa", "localhost")
LOCAL_NETWORKS: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Names:
    """What a certificate speaks for."""

    common: str
    dns: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def san(self, *, local: bool) -> list[x509.GeneralName]:
        """`local`: only what an authority of a home may speak for."""
        dns: list[x509.GeneralName] = [x509.DNSName(name) for name in self.dns]
        found = {ipaddress.ip_address(address.partition("%")[0]) for address in self.addresses}
        kept = [ip for ip in found if not local or any(ip in network for network in LOCAL_NETWORKS)]
        return dns + [x509.IPAddress(ip) for ip in sorted(kept, key=str)]


@dataclass(frozen=True, slots=True)
class Pair:
    """A private key and the certificate for it."""

    key: Key
    certificate: x509.Certificate

    @classmethod
    def from_pem(cls, pem: bytes, where: str) -> Pair:
        """The key and the first certificate. Raises StateError."""
        try:
            key = load_pem_private_key(pem, password=None)
            certificate = x509.load_pem_x509_certificates(pem)[0]
        except (ValueError, TypeError) as error:
            raise StateError(f"{where} is damaged: {error}", f"delete it: rm {where}") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise StateError(f"{where} is damaged: its key is another one", f"delete it: rm {where}")
        return cls(key, certificate)

    def to_pem(self, *chain: x509.Certificate) -> bytes:
        """The key, the certificate, and those that it hangs from."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return key + b"".join(each.public_bytes(Encoding.PEM) for each in (self.certificate, *chain))


def fingerprint(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the certificate (DER)."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()


def self_signed(names: Names) -> Pair:
    """The first certificate of a node."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named(names.common)
    builder = _leaf(names, key, local=False).issuer_name(subject)
    builder = builder.not_valid_before(NOT_BEFORE).not_valid_after(NOT_AFTER)
    return Pair(key, builder.sign(key, hashes.SHA256()))


def authority(common: str, domain: str, host: str) -> Pair:
    """A new authority, for what is in a home, and for a domain of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName(name) for name in (*LOCAL_NAMES, host, domain) if name]
    networks = [x509.IPAddress(network) for network in LOCAL_NETWORKS]
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(common))
        .issuer_name(_named(common))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints([*names, *networks], None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Pair(key, builder.sign(key, hashes.SHA256()))


def issued(issuer: Pair, key: Key, names: Names, now: datetime) -> Pair:
    """A certificate for `key`, signed by an authority."""
    begin = max(NOT_BEFORE, now - timedelta(days=2))
    builder = _leaf(names, key, local=True).issuer_name(issuer.certificate.subject)
    builder = builder.not_valid_before(begin).not_valid_after(begin + LIFETIME)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    return Pair(key, builder.sign(issuer.key, hashes.SHA256()))


def is_current(leaf: x509.Certificate, issuer: Pair, names: Names, now: datetime) -> bool:
    """Is it signed by this authority, valid for a while, and for all that is to be named?"""
    end = leaf.not_valid_after_utc - RENEWAL
    if leaf.issuer != issuer.certificate.subject or not leaf.not_valid_before_utc <= now <= end:
        return False
    said = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(names.san(local=True)) <= set(said)


def profile(issuer: x509.Certificate, common: str) -> bytes:
    """The authority as a configuration profile of iOS."""
    der = issuer.public_bytes(Encoding.DER)
    stem = f"meshdoor.{hashlib.sha256(der).hexdigest()[:16]}"
    root = {
        "PayloadType": "com.apple.security.root",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{stem}.root",
        "PayloadUUID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{stem}.root")),
        "PayloadDisplayName": common,
        "PayloadContent": der,
    }
    return plistlib.dumps(
        {
            "PayloadType": "Configuration",
            "PayloadVersion": 1,
            "PayloadIdentifier": stem,
            "PayloadUUID": str(uuid.uuid5(uuid.NAMESPACE_URL, stem)),
            "PayloadDisplayName": common,
            "PayloadDescription": "Lets this device trust the page of your door. "
            "It can vouch for nothing outside your home.",
            "PayloadContent": [root],
        }
    )


def _leaf(names: Names, key: Key, *, local: bool) -> x509.CertificateBuilder:
    san: Sequence[x509.GeneralName] = names.san(local=local)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(names.common))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(san), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _named(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64] or "meshdoor")])
