"""The certificate that SIP devices are shown over TLS, and the authority of this node that signs it.

Linphone compares names with DNS entries alone, addresses as well: so each IPv4 address stands there as a DNS name, too,
which the authority of the page may not sign. This one is told to SIP clients and to nothing else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from meshdoor.errors import StateError

NOT_BEFORE: Final = datetime(2020, 1, 1, tzinfo=UTC)  # a Pi has no clock at boot
NOT_AFTER: Final = datetime(2049, 12, 31, tzinfo=UTC)  # the last year of UTCTime


def new_authority(common: str) -> bytes:
    """Its key and its certificate (PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(common, common, key)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_signs(), critical=True)
    return _pem(key, builder.sign(key, SHA256()))


def issue(authority: bytes, common: str, names: Iterable[str], addresses: Iterable[str]) -> bytes:
    """A fresh key and a certificate for it, then that of the authority (PEM). Raises StateError."""
    try:
        signing = load_pem_private_key(authority, password=None)
        issuer = x509.load_pem_x509_certificate(authority)
    except (ValueError, TypeError) as error:
        raise StateError(f"the authority of SIP clients is damaged: {error}", "delete sip.pem") from None
    if not isinstance(signing, ec.EllipticCurvePrivateKey):
        raise StateError("the authority of SIP clients has a key of another kind", "delete sip.pem")
    key = ec.generate_private_key(ec.SECP256R1())
    found = sorted({ipaddress.ip_address(each.partition("%")[0]) for each in addresses}, key=str)
    as_names = (str(each) for each in found if each.version == 4)
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in dict.fromkeys((*names, *as_names))]
    alternatives += [x509.IPAddress(each) for each in found]
    builder = _builder(common, _common_name(issuer), key)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
    )
    builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return _pem(key, builder.sign(signing, SHA256()), issuer)


def public_part(pem: bytes) -> bytes:
    """The first certificate (PEM), without the key."""
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.PEM)


def _builder(common: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_named(common))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
    )


def _pem(key: ec.EllipticCurvePrivateKey, *certificates: x509.Certificate) -> bytes:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def _named(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _common_name(certificate: x509.Certificate) -> str:
    (attribute,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attribute.value)


def _signs() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
