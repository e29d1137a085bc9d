"""DTLS-SRTP with a SIP client (RFC 5763, RFC 5764): one association over one pair of addresses, without sockets.

The only importer of pyOpenSSL. A client may have a certificate of any kind: many present RSA. Whose it is says the
fingerprint in the session description, nothing else.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from meshdoor.errors import EngineError
from meshdoor.media.suites import CM, GCM, suites
from meshdoor.rtp.srtp_keys import SUITES, MasterKey

EXPORTER: Final = b"EXTRACTOR-dtls_srtp"  # RFC 5764 §4.2
PROFILES: Final = {GCM: "SRTP_AEAD_AES_128_GCM", CM: "SRTP_AES128_CM_SHA1_80"}
LARGEST: Final = 1200  # bytes of a datagram; ours
HEADER: Final = 13  # bytes of a record (RFC 6347 §4.1)
FIRST_BYTES: Final = range(20, 64)  # of DTLS, among what comes to one socket (RFC 7983 §7)
LIFETIME: Final = timedelta(days=30)

Keys = tuple[MasterKey, MasterKey]  # for what is sent, for what is received


class Certificate:
    """Ours, for one call: who calls shall not be known by it again."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "meshdoor")])
        today = datetime(2000, 1, 1)  # a Pi has no clock when it starts, and nobody looks at dates here
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(today)
            .not_valid_after(datetime(9999, 12, 31))
            .sign(key, SHA256())
        )
        self._key = key

    @property
    def fingerprint(self) -> str:
        """As behind `a=fingerprint:`."""
        return f"sha-256 {self._certificate.fingerprint(SHA256()).hex(':').upper()}"

    def context(self) -> SSL.Context:
        """For an association."""
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)  # by its fingerprint
        context.use_certificate(self._certificate)
        context.use_privatekey(self._key)
        context.set_tlsext_use_srtp(b":".join(PROFILES[name].encode() for name in suites()))
        return context


class Association:
    """Give it what comes (`receive`) and the time (`tick`), and send what it has to (`data_to_send`), until there are
    `keys`; also after that, for what was lost on the way."""

    def __init__(self, certificate: Certificate, fingerprint: str, client: bool) -> None:
        self.keys: Keys | None = None
        self._fingerprint = fingerprint
        self._client = client
        self._connection = SSL.Connection(certificate.context(), None)
        self._connection.set_ciphertext_mtu(LARGEST)
        if client:
            self._connection.set_connect_state()
            self._shake()
        else:
            self._connection.set_accept_state()

    def receive(self, data: bytes) -> None:
        """A datagram. Raises EngineError when no keys will come of this."""
        try:
            self._connection.bio_write(data)
            if self.keys is None:
                self._shake()
            else:
                self._connection.recv(LARGEST)  # a flight that was repeated, or a goodbye
        except (SSL.WantReadError, SSL.ZeroReturnError):
            return
        except SSL.Error as error:
            if self.keys is None:
                raise EngineError(f"no keys could be agreed on: {_reason(error)}") from None

    def tick(self) -> None:
        """Send again what was not answered (RFC 6347 §4.2.4)."""
        if self.keys is None and self._connection.DTLSv1_get_timeout() == 0:
            self._connection.DTLSv1_handle_timeout()

    def data_to_send(self) -> list[bytes]:
        """Datagrams."""
        try:
            data = self._connection.bio_read(1 << 16)
        except SSL.WantReadError:
            return []
        return _datagrams(data)

    def close(self) -> None:
        """Tell the other side; `data_to_send` has it."""
        if self.keys is not None:
            self._connection.shutdown()

    def _shake(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return
        self._check()
        name = self._connection.get_selected_srtp_profile().decode()
        suite = next((SUITES[each] for each, profile in PROFILES.items() if profile == name), None)
        if suite is None:
            raise EngineError("no cipher of ours")
        material = self._connection.export_keying_material(EXPORTER, suite.material_length)
        client, server = MasterKey.pair(suite, material)
        self.keys = (client, server) if self._client else (server, client)

    def _check(self) -> None:
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        algorithm, _, digest = self._fingerprint.partition(" ")
        der = b"" if certificate is None else certificate.public_bytes(Encoding.DER)
        if hashlib.new(_hash_of(algorithm), der).digest() != bytes.fromhex(digest.replace(":", "")):
            raise EngineError("it does not have the certificate that it named")


@cache
def _hash_of(algorithm: str) -> str:
    """`sha-256` as `hashlib` calls it; the parser of SDP lets weak ones not pass."""
    return algorithm.lower().replace("-", "")


def _datagrams(records: bytes) -> list[bytes]:
    """Records in as few datagrams as they fit into."""
    datagrams = [b""]
    while records:
        size = HEADER + int.from_bytes(records[HEADER - 2 : HEADER], "big")
        record, records = records[:size], records[size:]
        if datagrams[-1] and len(datagrams[-1]) + size > LARGEST:
            datagrams.append(b"")
        datagrams[-1] += record
    return [each for each in datagrams if each]


def _reason(error: SSL.Error) -> str:
    reasons = error.args[0] if error.args else ()
    return ", ".join(str(each[-1]) for each in reasons if each) or "the handshake failed"
