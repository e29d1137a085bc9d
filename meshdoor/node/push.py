"""Messages to phones whose page is closed, by the push service of their browser (RFC 8030, 8291, 8292).

pywebpush is an extra (`pip install meshdoor[push]`) that is loaded when the first message goes out.
"""

from __future__ import annotations

import base64
import importlib.util
import ipaddress
import json
import threading
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from meshdoor.errors import Refused, UserError
from meshdoor.node.wishes import Subscription
from meshdoor.store.state import Keys, StateDirectory

CONTACT: Final = "mailto:home@meshdoor.example"  # push services want one (RFC 8292 §2.1); no home has any to give
TIMEOUT: Final = 10.0  # seconds for a push service to answer
LIFETIME: Final = 60  # seconds that it keeps a message for a phone that is off: nobody waits longer at a door
GONE: Final = (404, 410)  # RFC 8030 §7.3
LOCAL: Final = (".local", ".localhost", ".home.arpa", ".internal", ".lan")

Json = Any


class Push:
    """The key that push services know this node by, and messages signed with it. All methods block."""

    def __init__(self, state: StateDirectory) -> None:
        self._state = state
        self._pem: bytes | None = None
        self._lock = threading.Lock()

    def public_key(self) -> str:
        """What a browser subscribes with: the uncompressed point in base64url. Raises Refused, StateError."""
        if importlib.util.find_spec("pywebpush") is None:
            raise Refused("this node cannot send messages to phones", "pip install 'meshdoor[push]' on it")
        private = load_pem_private_key(self._key(), None)
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return base64.urlsafe_b64encode(point).decode().rstrip("=")

    def send(self, subscription: Subscription, message: Json, topic: str = "") -> bool:
        """False when the phone does not take messages any more. Raises OSError when it could not be sent."""
        from py_vapid import Vapid02
        from pywebpush import WebPushException, webpush

        try:
            webpush(
                subscription.to_json(),
                json.dumps(message, ensure_ascii=False),
                vapid_private_key=Vapid02.from_pem(self._key()),
                vapid_claims={"sub": CONTACT},
                timeout=TIMEOUT,
                ttl=LIFETIME,
                headers={"Urgency": "high"} | ({"Topic": topic} if topic else {}),
            )
        except WebPushException as error:
            status = getattr(error.response, "status_code", None)
            if status in GONE:
                return False
            raise OSError(f"the push service answered {status}" if status else "its key cannot be used") from None
        except ValueError:
            raise OSError("its key cannot be used") from None
        return True

    def _key(self) -> bytes:
        with self._lock:
            if self._pem is None:
                self._pem = self._state.load_keys(Keys.PUSH) or self._new_key()
            return self._pem

    def _new_key(self) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._state.save_keys(Keys.PUSH, pem)
        return pem


def check_endpoint(subscription: Subscription) -> Subscription:
    """A push service is on the internet: no phone makes this node knock elsewhere in the house. Raises UserError."""
    host = (urlsplit(subscription.endpoint).hostname or "").rstrip(".")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if "." in host and not host.endswith(LOCAL):
            return subscription
    raise UserError("subscription: no push service is at that address")
