"""The TLS settings of SIP outside the mesh. Links have their own, pinned ones (`mesh.pins`).

Reads files: make contexts before the loop runs, or in a thread.
"""

from __future__ import annotations

import ssl

from meshdoor.errors import ConfigError
from meshdoor.mesh.pins import load_identity
from meshdoor.trust.identity import Identity


def server_context(identity: Identity, certificate: str = "", key: str = "") -> ssl.SSLContext:
    """For those who dial us: the certificate chain of a file, else the node's own certificate. ConfigError.

    Old phones know no Ed25519, and none knows the node's own certificate: they need one from a file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not certificate:
        load_identity(context, identity.to_pem())
        return context
    try:
        context.load_cert_chain(certificate, key or None)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"{certificate}: cannot be used as a certificate: {error.strerror or error}") from None
    return context


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
