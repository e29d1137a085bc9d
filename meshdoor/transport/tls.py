"""The TLS settings of SIP outside the mesh. Links have their own, pinned ones (`mesh.pins`).

Reads files: make contexts before the loop runs, or in a thread.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Iterable
from contextlib import closing
from typing import Final

from meshdoor.errors import ConfigError, NotFound
from meshdoor.mesh.pins import load_identity
from meshdoor.sip.flow import SECURE_PORT
from meshdoor.trust.identity import Identity

LOOK_DEADLINE: Final = 5.0  # seconds
NO_CHECK_TIME: Final = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which `ssl` does not name


def server_context(identity: Identity, certificate: str = "", key: str = "") -> ssl.SSLContext:
    """For those who dial us: the certificate chain of a file, else the node's own certificate. ConfigError.

    Old phones know no Ed25519, and none knows the node's own certificate: they need one from a file.
    """
    return given_context(certificate, key) if certificate else server_context_of(identity.to_pem())


def server_context_of(pem: bytes) -> ssl.SSLContext:
    """For those who dial us: key and certificates that are in no file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_identity(context, pem)
    return context


def given_context(certificate: str, key: str = "") -> ssl.SSLContext:
    """For those who dial us: the certificate chain of a file. ConfigError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key or None)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"{certificate}: cannot be used as a certificate: {error.strerror or error}") from None
    return context


def ask_for_certificate(context: ssl.SSLContext, certificates: Iterable[bytes]) -> None:
    """Have those who dial us show a certificate, if they have one: one of these (DER), whatever it says of names,
    issuers and dates. Who shows another gets no connection."""
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME
    for certificate in certificates:
        context.load_verify_locations(cadata=certificate)


def client_context(authorities: str = "") -> ssl.SSLContext:
    """For those whom we dial: verified, name included, by the authorities of a file, else of the system."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not authorities:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(authorities)
    except OSError as error:
        raise ConfigError(f"{authorities}: cannot be used as authorities: {error.strerror or error}") from None
    return context


def pinned_context(certificate: bytes) -> ssl.SSLContext:
    """For one device whose certificate (DER) is known: that one, whatever it says of names, issuers and dates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME
    context.load_verify_locations(cadata=certificate)
    return context


def certificate_of(host: str, port: int | None = None) -> bytes:
    """The certificate (DER) that a device shows, which nothing is known of yet. Blocks. Raises NotFound."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            closing(socket.create_connection((host, port or SECURE_PORT), LOOK_DEADLINE)) as plain,
            context.wrap_socket(plain, server_hostname=host) as stream,
        ):
            found = stream.getpeercert(binary_form=True)
    except (OSError, UnicodeError) as error:
        hint = "it must be on, and take TLS; Linphone takes none: meshdoor phone add NAME --linphone"
        raise NotFound(f"{host} cannot be asked for its certificate: {error}", hint) from None
    if not found:
        raise NotFound(f"{host} has no certificate")
    return found


def fingerprint_of(certificate: bytes) -> str:
    """As people compare it: SHA-256, in hex with colons."""
    return hashlib.sha256(certificate).digest().hex(":").upper()
