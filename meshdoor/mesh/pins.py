"""The pinned TLS of mesh links: whom to trust, and one TLS stream over bytes (no socket in here)."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Protocol

from meshdoor.errors import LinkError
from meshdoor.trust.identity import Identity

ALPN = "meshdoor/1"
MAX_HANDSHAKE = 65536  # bytes from a peer that has not proved anything yet
CHUNK = 65536


class Pinned(Protocol):
    """What the pins need of a member of the roster."""

    @property
    def certificate(self) -> bytes:
        """DER."""


class Pins:
    """The certificates of the members, and the TLS contexts that trust exactly these.

    A context is made when it is first needed after a change, not for each connection.
    """

    def __init__(self, identity: Identity) -> None:
        self.key = identity.key
        self._pem = identity.to_pem()
        self._keys: dict[bytes, bytes] = {}
        self._server: ssl.SSLContext | None = None
        self._client: ssl.SSLContext | None = None

    def pin(self, members: Mapping[bytes, Pinned]) -> None:
        """Trust exactly these members; nobody, if this node is not one of them."""
        everyone = members.items() if self.key in members else ()
        keys = {member.certificate: key for key, member in everyone if member.certificate}  # a phone has none
        if keys != self._keys:
            self._keys = keys
            self._server = self._client = None

    def member(self, certificate: bytes | None) -> bytes | None:
        """The key of the member whose certificate is this very one."""
        return None if certificate is None else self._keys.get(certificate)

    def server(self) -> SecureStream:
        """The accepting end of a new stream. Raises LinkError while this node is in no home."""
        if self._server is None:
            self._server = self._context(ssl.PROTOCOL_TLS_SERVER)
            # A resumed session would not show its certificate again.
            self._server.num_tickets = 0
        return SecureStream(self._server, server_side=True)

    def client(self) -> SecureStream:
        """The dialing end of a new stream. Raises LinkError while this node is in no home."""
        if self._client is None:
            self._client = self._context(ssl.PROTOCOL_TLS_CLIENT)
        return SecureStream(self._client, server_side=False)

    def _context(self, protocol: int) -> ssl.SSLContext:
        if not self._keys:
            raise LinkError("this node is in no home")
        context = ssl.SSLContext(protocol)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols([ALPN])
        context.load_verify_locations(cadata=b"".join(self._keys))
        load_identity(context, self._pem)
        return context


class SecureStream:
    """One TLS stream: bytes of the network in, plain bytes out, and the other way round.

    `name` is whom the dialing end wants to reach, where the context checks names.
    """

    def __init__(
        self, context: ssl.SSLContext, server_side: bool, name: str | None = None, alpn: str | None = ALPN
    ) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side, server_hostname=name)
        self._alpn = alpn
        self._unproven = 0
        self.established = False
        self.ended = False

    @property
    def certificate(self) -> bytes | None:
        """The peer's certificate (DER) once established."""
        return self._tls.getpeercert(binary_form=True)

    def start(self) -> None:
        """Let the dialing end speak first."""
        self.receive(b"")

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the network and give the plain ones. Raises LinkError with the reason of a refusal.

        After an error `data_to_send` still has the alert that tells the peer.
        """
        self._incoming.write(data)
        try:
            return self._read() if self.established or self._handshake(len(data)) else b""
        except ssl.SSLError as error:
            raise LinkError(self._reason(error)) from None

    def write(self, plain: bytes) -> None:
        """Encrypt; only once established."""
        self._tls.write(plain)

    def close(self) -> None:
        """Tell the peer that nothing more will come (RFC 8446 §6.1)."""
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            # It does not wait for the peer's own close_notify, nor should it.
            return

    def data_to_send(self) -> bytes:
        """Bytes for the network."""
        return self._outgoing.read()

    def _handshake(self, size: int) -> bool:
        self._unproven += size
        if self._unproven > MAX_HANDSHAKE:
            raise LinkError("a handshake that is too long")
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        if self._alpn is not None and self._tls.selected_alpn_protocol() != self._alpn:
            raise LinkError("not the mesh protocol")
        self.established = True
        return True

    def _read(self) -> bytes:
        plain = bytearray()
        try:
            while chunk := self._tls.read(CHUNK):
                plain += chunk
        except ssl.SSLWantReadError:
            return bytes(plain)
        self.ended = True
        return bytes(plain)

    def _reason(self, error: ssl.SSLError) -> str:
        if not isinstance(error, ssl.SSLCertVerificationError):
            return (error.reason or "TLS failed").replace("_", " ").lower()
        if self._alpn == ALPN:
            return "its certificate is not one of this home"
        return f"its certificate does not hold: {error.verify_message}"


def load_identity(context: ssl.SSLContext, pem: bytes) -> None:
    """`ssl` reads keys from files only: give it one that is in memory and has no name."""
    descriptor = os.memfd_create("identity", os.MFD_CLOEXEC)
    try:
        os.set_blocking(descriptor, False)
        os.write(descriptor, pem)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
