"""Responses, each with the headers that keep a page to itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
    "Server": "meshdoor",
}


def response(status: int, body: bytes = b"", kind: str = "text/plain; charset=utf-8") -> web.Response:
    """A response with that body."""
    made = web.Response(status=status, body=body)
    made.headers.update(HEADERS)
    if body:
        made.headers["Content-Type"] = kind
    return made


def json_response(status: int, body: bytes) -> web.Response:
    """The same with JSON, which nobody may keep."""
    made = response(status, body, "application/json")
    made.headers["Cache-Control"] = "no-store"
    return made
