from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.errors import IdentityError
from meshdoor.trust.identity import Identity, certificate_key, device_id, is_key, verify
from tests.fakes.phone import P256Key

ONE = Identity.generate(lambda size: b"\x01" * size)
TWO = Identity.generate(lambda size: b"\x02" * size)
ALICE = P256Key.of(7)

SERIAL = bytes.fromhex("a003020102020f")  # version 3, then the beginning of a serial number of 15 bytes


def certificate(
    signer: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | None = None,
    public: ed25519.Ed25519PublicKey | None = None,
    issuer: str = "a",
    ca: bool | None = False,
) -> bytes:
    """A certificate that differs from ours in what the test says."""
    signer = signer or ed25519.Ed25519PrivateKey.generate()
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a")]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public or signer.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2000, 1, 1))
        .not_valid_after(datetime(2100, 1, 1))
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    algorithm = hashes.SHA256() if isinstance(signer, ec.EllipticCurvePrivateKey) else None
    return builder.sign(signer, algorithm).public_bytes(Encoding.DER)


def test_an_identity_round_trips_as_pem() -> None:
    assert Identity.from_pem(ONE.to_pem()) == ONE


def test_two_generated_identities_differ() -> None:
    assert Identity.generate().key != Identity.generate().key


def test_the_certificate_is_a_function_of_the_key() -> None:
    assert Identity.generate(lambda size: b"\x01" * size).certificate == ONE.certificate


def test_the_device_id_is_short_and_of_the_key() -> None:
    assert ONE.device_id == device_id(ONE.key) == "gr2q-7gf5-lh6p-zfdn"


def test_an_identity_does_not_print_its_secret() -> None:
    assert repr(ONE) == "Identity()"


def test_a_signature_is_of_the_key_and_the_data() -> None:
    signature = ONE.sign(b"data")
    assert verify(ONE.key, signature, b"data")
    assert not verify(ONE.key, signature, b"date")
    assert not verify(TWO.key, signature, b"data")


def test_what_is_no_key_or_signature_verifies_nothing() -> None:
    assert not verify(b"short", bytes(64), b"")
    assert not verify(ONE.key, b"short", b"")
    assert not verify(bytes(32), bytes(64), b"")


@pytest.mark.parametrize(
    ("data", "is_one"),
    [(ONE.key, True), (ALICE.key, True), (b"\4" + ALICE.key[1:], False), (b"", False), (bytes(33), False)],
)
def test_a_key_is_known_by_its_form(data: bytes, is_one: bool) -> None:
    assert is_key(data) is is_one


def test_a_phone_may_sign_with_p_256() -> None:
    signature = ALICE.sign(b"data")
    assert verify(ALICE.key, signature, b"data")
    assert not verify(ALICE.key, signature, b"date")
    assert not verify(P256Key.of(8).key, signature, b"data")
    assert not verify(ONE.key, signature, b"data")
    assert not verify(ALICE.key, ONE.sign(b"data"), b"data")


@settings(max_examples=100)
@given(st.integers(0, 63), st.integers(1, 255))
def test_no_byte_of_a_p_256_signature_can_be_changed(place: int, flip: int) -> None:
    signature = bytearray(ALICE.sign(b"data"))
    signature[place] ^= flip
    assert not verify(ALICE.key, bytes(signature), b"data")


@settings(max_examples=100)
@given(st.binary(max_size=70), st.binary(min_size=60, max_size=68))
def test_noise_verifies_nothing(key: bytes, signature: bytes) -> None:
    assert not verify(key, signature, b"data")
    assert not verify(b"\2" + key[:32], signature, b"data")


def test_the_certificate_names_its_key() -> None:
    assert certificate_key(ONE.certificate) == ONE.key


@pytest.mark.parametrize(
    ("der", "reason"),
    [
        (b"", "not a mesh certificate"),
        (ONE.certificate[:-1], "not a mesh certificate"),
        (bytes(2000), "too large"),
        (ONE.certificate[:-1] + bytes([ONE.certificate[-1] ^ 1]), "not self-signed"),
        (ONE.certificate[:-65] + b"\1" + ONE.certificate[-64:], "not self-signed"),
        (certificate(public=ed25519.Ed25519PrivateKey.generate().public_key()), "not self-signed"),
        (certificate(issuer="b"), "not self-signed"),
        (certificate(ec.generate_private_key(ec.SECP256R1())), "not an Ed25519 key"),
        (certificate(ca=True), "authority"),
        (certificate(ca=None), "not a mesh certificate"),
        (
            certificate(
                ec.generate_private_key(ec.SECP256R1()),
                public=ed25519.Ed25519PrivateKey.generate().public_key(),
            ),
            "not self-signed",
        ),
    ],
)
def test_other_certificates_are_refused(der: bytes, reason: str) -> None:
    with pytest.raises(IdentityError, match=reason):
        certificate_key(der)


@pytest.mark.filterwarnings("default")
def test_a_serial_number_that_is_not_positive_is_refused_in_silence(recwarn: pytest.WarningsRecorder) -> None:
    before, serial, after = ONE.certificate.partition(SERIAL)
    der = before + serial + bytes([after[0] | 0x80]) + after[1:]
    with pytest.raises(IdentityError, match="a serial number which wasn't positive"):
        certificate_key(der)
    with pytest.raises(IdentityError, match="not an identity file"):
        Identity.from_pem(ONE.to_pem().replace(certificate_pem(ONE), ssl.DER_cert_to_PEM_cert(der).encode()))
    assert not recwarn.list


@settings(max_examples=100)
@given(st.data())
def test_a_damaged_certificate_is_never_taken_for_another_key(data: st.DataObject) -> None:
    der = bytearray(ONE.certificate)
    der[data.draw(st.integers(0, len(der) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(IdentityError):
        certificate_key(bytes(der))


def test_another_key_in_the_pem_is_refused() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(IdentityError, match="not an Ed25519 key"):
        Identity.from_pem(pem + certificate_pem(ONE))


def test_a_certificate_of_another_key_in_the_pem_is_refused() -> None:
    with pytest.raises(IdentityError, match="of another key"):
        Identity.from_pem(ONE.to_pem().replace(certificate_pem(ONE), certificate_pem(TWO)))


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PRIVATE KEY-----", bytes(9000), ONE.certificate])
def test_what_is_no_identity_file_is_refused(pem: bytes) -> None:
    with pytest.raises(IdentityError):
        Identity.from_pem(pem)


def certificate_pem(identity: Identity) -> bytes:
    return x509.load_der_x509_certificate(identity.certificate).public_bytes(Encoding.PEM)


def tls(side: int, own: Identity, peer: Identity, folder: Path) -> ssl.SSLContext:
    """A context as strict as Python's own default is from 3.13 on."""
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=peer.certificate)
    file = folder / f"{own.device_id}.pem"
    file.write_bytes(own.to_pem())
    context.load_cert_chain(file)
    return context


def test_the_certificate_serves_both_sides_of_tls(tmp_path: Path) -> None:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = tls(ssl.PROTOCOL_TLS_SERVER, ONE, TWO, tmp_path).wrap_bio(there, back, server_side=True)
    client = tls(ssl.PROTOCOL_TLS_CLIENT, TWO, ONE, tmp_path).wrap_bio(back, there)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert server.getpeercert(True) == TWO.certificate
    assert client.getpeercert(True) == ONE.certificate
