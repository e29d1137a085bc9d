"""The certificate that SIP devices are shown."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from meshdoor.errors import StateError
from meshdoor.transport.certificate import issue, new_authority, public_part
from meshdoor.transport.tls import server_context_of


def test_it_is_of_the_names_and_of_the_addresses_as_linphone_compares_them() -> None:
    authority = new_authority("Meshdoor SIP of Hall")
    pem = issue(authority, "Hall", ("hall.local", "hall"), ("192.168.1.20", "fe80::1%eth0"))
    leaf, issuer = x509.load_pem_x509_certificates(pem)
    leaf.verify_directly_issued_by(issuer)
    assert issuer.public_bytes(Encoding.PEM) == public_part(authority)
    said = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert said.get_values_for_type(x509.DNSName) == ["hall.local", "hall", "192.168.1.20"]
    assert list(map(str, said.get_values_for_type(x509.IPAddress))) == ["192.168.1.20", "fe80::1"]
    assert b"PRIVATE" not in public_part(authority)
    assert server_context_of(pem).minimum_version.name == "TLSv1_2"


def test_a_damaged_authority_is_told_of() -> None:
    with pytest.raises(StateError, match="damaged"):
        issue(b"nothing", "Hall", (), ())
    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(StateError, match="another kind"):
        issue(pem + public_part(new_authority("x")), "Hall", (), ())
