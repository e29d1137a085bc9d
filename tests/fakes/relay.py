"""A relay in the network: an http server that keeps what it was asked, and asks for a password if it has one."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

NONCE = "abcdef"


class Relay:
    """`status` is what it answers; with a `secret` (`user:password`) 401 to whoever has not, asking for `scheme`."""

    def __init__(self, secret: str = "", status: int = 200, scheme: str = "Basic") -> None:
        self.asked: list[str] = []
        self.status = status
        self.secret = secret
        self.scheme = scheme
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                relay.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                """Not to standard error."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        user, _, password = self.secret.partition(":")
        known = f"{user}:{password.replace('@', '%40')}@" if user else ""
        return f"http://{known}127.0.0.1:{self.server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        known = not self.secret or self._knows(request)
        request.send_response(self.status if known else 401)
        if not known:
            parameters = f', nonce="{NONCE}", qop="auth", algorithm=SHA-256' if self.scheme == "Digest" else ""
            request.send_header("WWW-Authenticate", f'{self.scheme} realm="relay"{parameters}')
        if self.status == 302:
            request.send_header("Location", f"{self.address}/elsewhere")
        request.send_header("Content-Length", "0")
        request.end_headers()
        if known:
            self.asked.append(request.path)

    def _knows(self, request: BaseHTTPRequestHandler) -> bool:
        given = request.headers.get("Authorization", "")
        if self.scheme == "Basic":
            return given == "Basic " + base64.b64encode(self.secret.encode()).decode()
        found = dict(re.findall(r'(\w+)="?([^",]+)"?', given))
        user, _, password = self.secret.partition(":")
        ha1 = _sha256(f"{user}:relay:{password}")
        ha2 = _sha256(f"GET:{request.path}")  # RFC 7616 §3.4
        wanted = _sha256(f"{ha1}:{NONCE}:{found.get('nc')}:{found.get('cnonce')}:auth:{ha2}")
        return found.get("response") == wanted and found.get("uri") == request.path


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def serving(secret: str = "", status: int = 200, scheme: str = "Basic") -> Iterator[Relay]:
    relay = Relay(secret, status, scheme)
    thread = threading.Thread(target=relay.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield relay
    relay.server.shutdown()
    thread.join()
    relay.server.server_close()
