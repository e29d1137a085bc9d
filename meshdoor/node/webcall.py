"""A GET of an http address that may hold a user and a password: Digest (RFC 7616) or Basic (RFC 7617), as asked."""

from __future__ import annotations

import base64
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from meshdoor.errors import SipError
from meshdoor.sip.digest import WITH_MD5, DigestClient
from meshdoor.sip.headers import Challenge

UNAUTHORIZED: Final = 401
MAX_BODY: Final = 65536  # bytes that are read of an answer


def get(address: str, patience: float) -> None:
    """Blocks. Raises OSError where the answer is no success; it names the host, and never the password.

    No redirection is followed: elsewhere may be anybody.
    """
    parts = urlsplit(address)
    try:
        with closing(_connection(parts, patience)) as connection:
            answer = _ask(connection, parts, "")
            if answer.status == UNAUTHORIZED and parts.username is not None:
                answer = _ask(connection, parts, _authorization(parts, answer.headers.get_all("WWW-Authenticate", [])))
            status, reason = answer.status, answer.reason
    except (OSError, HTTPException, ValueError) as error:
        raise OSError(f"{parts.hostname}: {error}") from None
    if not 200 <= status < 300:
        raise OSError(f"{parts.hostname} answers {status} {reason}")


def _connection(parts: SplitResult, patience: float) -> HTTPConnection:
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=patience)


def _ask(connection: HTTPConnection, parts: SplitResult, authorization: str) -> HTTPResponse:
    connection.request("GET", _target(parts), headers={"Authorization": authorization} if authorization else {})
    answer = connection.getresponse()
    answer.read(MAX_BODY)
    return answer


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _authorization(parts: SplitResult, challenges: list[str]) -> str:
    """The password in the clear only where nothing better is asked for."""
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    client = DigestClient(user, password, WITH_MD5)
    if client.challenged([challenge for text in challenges if (challenge := _parse(text)) is not None]):
        return str(client.authorize("GET", _target(parts)) or "")
    if any(text.lower().startswith("basic") for text in challenges):
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return ""


def _parse(text: str) -> Challenge | None:
    try:
        return Challenge.parse(text)
    except SipError:
        return None
