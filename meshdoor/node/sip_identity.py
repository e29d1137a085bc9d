"""Who this node is to SIP devices over TLS: the certificate of the settings, else one that its own authority signs."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Collection
from typing import Final

from meshdoor.config import Config
from meshdoor.errors import ConfigError
from meshdoor.node.house import House
from meshdoor.store.state import Keys, StateDirectory
from meshdoor.transport.certificate import issue, new_authority, public_part
from meshdoor.transport.tls import ask_for_certificate, client_context, given_context, server_context_of

_NAME: Final = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9-]{1,63})*")


class SipIdentity:
    """Methods block: call them in a thread."""

    def __init__(self, config: Config, house: House, state: StateDirectory) -> None:
        self._config = config
        self._house = house
        self._state = state

    @property
    def is_given(self) -> bool:
        """Is the certificate one of the settings, so that clients may know its issuer?"""
        return bool(self._config.web.certificate)

    @property
    def host(self) -> str:
        """The name by which clients find this node, whose addresses change."""
        own = socket.gethostname().partition(".")[0].lower()
        return self._config.web.domain.lower() or (f"{own}.local" if _NAME.fullmatch(own) else "meshdoor.local")

    def server(self, pins: Collection[bytes] = ()) -> ssl.SSLContext:
        """For those who dial this node, at the addresses that it has now; they may show one of the certificates in
        `pins` (DER). Raises ConfigError, StateError."""
        context = self._server()
        if pins:
            ask_for_certificate(context, pins)
        return context

    def _server(self) -> ssl.SSLContext:
        if self.is_given:
            return given_context(self._config.web.certificate, self._config.web.key)
        names = (self.host, self.host.removesuffix(".local"))
        pem = issue(self._authority(), self._house.name or self.host, names, self._house.addresses)
        return server_context_of(pem)

    def client(self) -> ssl.SSLContext:
        """For those whom this node dials."""
        return client_context()

    def authority(self) -> bytes:
        """What a client must trust (PEM). Raises ConfigError where that is not this node's to say."""
        if self.is_given:
            raise ConfigError("the certificate is one of the settings: clients trust it if they know its issuer")
        return public_part(self._authority())

    def _authority(self) -> bytes:
        pem = self._state.load_keys(Keys.SIP)
        if pem is None:
            pem = new_authority(f"Meshdoor SIP of {self._house.name or self.host}")
            self._state.save_keys(Keys.SIP, pem)
        return pem
