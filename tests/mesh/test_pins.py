from __future__ import annotations

import ssl
from datetime import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from meshdoor.errors import LinkError
from meshdoor.mesh.pins import ALPN, MAX_HANDSHAKE, Pins, SecureStream
from meshdoor.trust.identity import Identity
from tests.mesh.houses import Pin, house, identities

ONE, TWO, STRANGER = identities(3)


def pins(own: Identity, *members: Identity) -> Pins:
    made = Pins(own)
    made.pin(house(*members).members)
    return made


def shake(client: SecureStream, server: SecureStream) -> tuple[bytes, bytes]:
    """Carry bytes until both fall silent, and give what each of them read."""
    client.start()
    to_client, to_server = b"", b""
    while (there := client.data_to_send()) + (back := server.data_to_send()):
        to_server += server.receive(there) if there else b""
        to_client += client.receive(back) if back else b""
    return to_client, to_server


def connected() -> tuple[SecureStream, SecureStream]:
    client, server = pins(ONE, ONE, TWO).client(), pins(TWO, ONE, TWO).server()
    shake(client, server)
    return client, server


def test_a_phone_has_no_certificate_to_pin() -> None:
    made = Pins(ONE)
    home = house(ONE, TWO)
    made.pin({**home.members, bytes(33): Pin(b"")})
    assert made.member(b"") is None
    assert made.member(TWO.certificate) == TWO.key
    shake(pins(TWO, ONE, TWO).client(), server := made.server())
    assert server.certificate == TWO.certificate


def issued_by(issuer: Identity, subject: Identity) -> bytes:
    """A certificate of the subject's key, with the issuer's name and signature."""
    named = x509.load_der_x509_certificate(issuer.certificate).subject
    signer = Ed25519PrivateKey.from_private_bytes(bytes(issuer.signing_key))
    public = Ed25519PrivateKey.from_private_bytes(bytes(subject.signing_key)).public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "guest")]))
        .issuer_name(named)
        .public_key(public)
        .serial_number(7)
        .not_valid_before(datetime(2000, 1, 1))
        .not_valid_after(datetime(2100, 1, 1))
        .sign(signer, None)
        .public_bytes(Encoding.DER)
    )


def test_members_trust_each_other_and_see_whom() -> None:
    client, server = connected()
    assert (client.established, server.established) == (True, True)
    assert (client.certificate, server.certificate) == (TWO.certificate, ONE.certificate)


def test_bytes_come_through_both_ways() -> None:
    client, server = connected()
    client.write(b"there" * 40000)
    server.write(b"back")
    assert server.receive(client.data_to_send()) == b"there" * 40000
    assert client.receive(server.data_to_send()) == b"back"


def test_an_end_is_an_end() -> None:
    client, server = connected()
    client.write(b"last")
    client.close()
    assert server.receive(client.data_to_send()) == b"last"
    assert server.ended


def test_a_stranger_is_refused_and_told() -> None:
    client, server = pins(STRANGER, ONE, TWO, STRANGER).client(), pins(TWO, ONE, TWO).server()
    with pytest.raises(LinkError, match="not one of this home"):
        shake(client, server)
    with pytest.raises(LinkError, match="alert"):
        client.receive(server.data_to_send())


def test_a_stranger_that_answers_is_refused() -> None:
    client, server = pins(ONE, ONE, TWO).client(), pins(STRANGER, ONE, STRANGER).server()
    with pytest.raises(LinkError, match="not one of this home"):
        shake(client, server)


def test_what_a_member_certifies_is_refused() -> None:
    guest = Identity(STRANGER.signing_key, issued_by(ONE, STRANGER))
    client = Pins(guest)
    client.pin({guest.key: Pin(guest.certificate), TWO.key: Pin(TWO.certificate)})
    with pytest.raises(LinkError, match="not one of this home"):
        shake(client.client(), pins(TWO, ONE, TWO).server())


def test_another_certificate_of_a_members_key_is_not_the_members() -> None:
    trusted = pins(TWO, ONE, TWO)
    assert trusted.member(ONE.certificate) == ONE.key
    assert trusted.member(issued_by(ONE, ONE)) is None
    assert trusted.member(None) is None


def test_contexts_are_made_once_and_again_after_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    original = ssl.SSLContext.load_cert_chain

    def count(context: ssl.SSLContext, path: str) -> None:
        made.append(path)
        original(context, path)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", count)
    trusted = pins(TWO, ONE, TWO)
    for _ in range(3):
        trusted.server()
        trusted.client()
    assert len(made) == 2
    trusted.pin(house(ONE, TWO).members)
    trusted.server()
    assert len(made) == 2
    trusted.pin(house(ONE, TWO, STRANGER).members)
    trusted.server()
    assert len(made) == 3


def test_a_revoked_member_is_no_anchor_any_more() -> None:
    trusted = pins(TWO, ONE, TWO)
    trusted.server()
    trusted.pin(house(TWO).members)
    with pytest.raises(LinkError, match="not one of this home"):
        shake(pins(ONE, ONE, TWO).client(), trusted.server())


def test_a_node_in_no_home_trusts_nobody() -> None:
    outside = pins(STRANGER, ONE, TWO)
    assert outside.member(ONE.certificate) is None
    for end in (outside.client, outside.server):
        with pytest.raises(LinkError, match="no home"):
            end()


@pytest.mark.parametrize("alpn", [[], ["h2"]])
def test_another_protocol_is_refused(alpn: list[str]) -> None:
    caller = pins(ONE, ONE, TWO)
    caller.client()
    assert caller._client is not None
    caller._client.set_alpn_protocols(alpn)
    with pytest.raises(LinkError, match="mesh protocol"):
        shake(caller.client(), pins(TWO, ONE, TWO).server())


def test_an_older_tls_is_refused() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([ALPN])
    with pytest.raises(LinkError, match="unsupported protocol"):
        shake(SecureStream(context, server_side=False), pins(TWO, ONE, TWO).server())


def test_no_session_can_be_resumed() -> None:
    client, _ = connected()
    assert client._tls.session is None or not client._tls.session.has_ticket


def test_a_handshake_that_never_ends_is_refused() -> None:
    server = pins(TWO, ONE, TWO).server()
    record = b"\x16\x03\x01\x40\x00" + b"\x01\x01\xff\xff" + bytes(0x4000 - 4)
    for _ in range(MAX_HANDSHAKE // len(record)):
        server.receive(record)
    with pytest.raises(LinkError, match="too long"):
        server.receive(record * 2)


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x16" + bytes(100), b"\x16\x03\x01\xff\xff" * 9])
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(LinkError):
        pins(TWO, ONE, TWO).server().receive(garbage)


def test_garbage_on_an_established_stream_is_refused() -> None:
    _, server = connected()
    with pytest.raises(LinkError):
        server.receive(b"\x17\x03\x03\x00\x20" + bytes(32))
