"""Who the web server is: its certificate, kept or given, in a TLS context that takes a new one while it runs."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from meshdoor.config import WebConfig
from meshdoor.errors import ConfigError, Refused, StateError
from meshdoor.store.state import Keys, StateDirectory, Table
from meshdoor.web.certificate import Names, Pair, authority, fingerprint, is_current, issued, profile, self_signed

MAX_FORMER: Final = 16  # fingerprints that phones may have been paired with
# TLS 1.2 is for old tablets on walls; forward secrecy and authenticated encryption only.
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


class WebIdentity:
    """The certificate of the page. `prepare` and what is asynchronous block no loop; the rest is quick."""

    def __init__(self, config: WebConfig, state: StateDirectory, names: Callable[[], Names]) -> None:
        self._config = config
        self._state = state
        self._names = names
        self.context = _context()
        self.fingerprint = b""
        self.former: tuple[bytes, ...] = ()
        self._loaded: tuple[float, ...] = ()
        self._authority: Pair | None = None

    @property
    def fingerprints(self) -> tuple[bytes, ...]:
        """The present one, and those that phones may have been paired with."""
        return (self.fingerprint, *self.former)

    async def prepare(self) -> None:
        """Make or load the certificate. Raises ConfigError, StateError."""
        await asyncio.to_thread(self._refresh)

    async def refresh(self) -> bool:
        """Take in a certificate that was renewed, or renew ours; whether it is another one now."""
        before = self.fingerprint
        await asyncio.to_thread(self._refresh)
        return self.fingerprint != before

    async def found_authority(self) -> x509.Certificate:
        """The authority of this node, made when it is first asked for. Raises Refused with a given certificate."""
        if self._config.certificate:
            raise Refused(
                "this node shows a certificate of your own, which phones trust if its issuer is one that they know",
                "remove web.certificate and web.key from the settings to use one of this node's",
            )
        await asyncio.to_thread(self._found)
        assert self._authority is not None
        return self._authority.certificate

    def authority_der(self) -> bytes | None:
        """The certificate of the authority, if there is one."""
        return None if self._authority is None else self._authority.certificate.public_bytes(Encoding.DER)

    def authority_profile(self) -> bytes | None:
        """The same as a configuration profile of iOS."""
        return None if self._authority is None else profile(self._authority.certificate, self._title())

    def _found(self) -> None:
        if self._authority is None:
            self._authority = authority(self._title(), self._config.domain, self._names().dns[0])
            self._state.save_keys(Keys.AUTHORITY, self._authority.to_pem())
            self._refresh()

    def _title(self) -> str:
        return f"Meshdoor of {self._names().common}"

    def _refresh(self) -> None:
        if self._config.certificate:
            self._take_given(Path(self._config.certificate), Path(self._config.key))
        else:
            self._keep_own()
        self._remember()

    def _take_given(self, certificate: Path, key: Path) -> None:
        try:
            stamps = certificate.stat().st_mtime, key.stat().st_mtime
            if stamps == self._loaded:
                return
            self.context.load_cert_chain(certificate, key, password=_no_password)
            self.fingerprint = fingerprint(x509.load_pem_x509_certificates(certificate.read_bytes())[0])
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            raise ConfigError(
                f"the certificate {certificate} with the key {key} cannot be used: {error}",
                "both are needed as PEM files that this user can read",
            ) from None
        self._loaded = stamps

    def _keep_own(self) -> None:
        path = self._state.path / Keys.WEB
        pem = self._state.load_keys(Keys.WEB)
        pair = self_signed(self._names()) if pem is None else Pair.from_pem(pem, str(path))
        pair, chain = self._signed(pair)
        self._state.save_keys(Keys.WEB, pair.to_pem(*chain))
        if fingerprint(pair.certificate) != self.fingerprint:
            self.context.load_cert_chain(path)
            self.fingerprint = fingerprint(pair.certificate)

    def _signed(self, pair: Pair) -> tuple[Pair, tuple[x509.Certificate, ...]]:
        """By the authority, if there is one."""
        if self._authority is None:
            pem = self._state.load_keys(Keys.AUTHORITY)
            if pem is None:
                return pair, ()
            self._authority = Pair.from_pem(pem, str(self._state.path / Keys.AUTHORITY))
        issuer, now = self._authority, datetime.now(UTC)
        if not is_current(pair.certificate, issuer, self._names(), now):
            pair = issued(issuer, pair.key, self._names(), now)
        return pair, (issuer.certificate,)

    def _remember(self) -> None:
        kept = self._state.load_table(Table.WEB).values.get("fingerprints")
        known = [text for text in kept if _is_fingerprint(text)] if isinstance(kept, list) else []
        every = list(dict.fromkeys([self.fingerprint.hex(), *known]))[:MAX_FORMER]
        self._state.save_table(Table.WEB, {"fingerprints": every})
        self.former = tuple(map(bytes.fromhex, every[1:]))


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _no_password() -> str:
    """OpenSSL would ask at the terminal."""
    raise StateError("the key is locked with a password", "write one without: openssl pkey -in KEY -out OPEN")


def _is_fingerprint(text: object) -> bool:
    return isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef")
