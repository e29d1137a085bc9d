"""Messages to phones: real encryption, and a push service that is none."""

from __future__ import annotations

import base64
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import http_ece
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from meshdoor.errors import Refused
from meshdoor.node import push as module
from meshdoor.node.push import Push
from meshdoor.node.wishes import Subscription
from meshdoor.store.state import Keys, StateDirectory


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@dataclass
class Service:
    """Takes what would go to the internet."""

    status: int = 201
    posts: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)

    def post(self, url: str, data: bytes, headers: dict[str, str], timeout: float) -> requests.Response:
        assert timeout == module.TIMEOUT
        self.posts.append((url, data, headers))
        response = requests.Response()
        response.status_code = self.status
        return response


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service()
    monkeypatch.setattr(requests, "post", made.post)
    return made


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    with StateDirectory.open(tmp_path / "hall") as opened:
        yield opened


@dataclass
class Browser:
    """The receiving end of a subscription."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    secret: bytes = bytes(range(16))

    @property
    def subscription(self) -> Subscription:
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return Subscription("https://push.example.org/x", b64(point), b64(self.secret))

    def read(self, data: bytes) -> Any:
        return json.loads(http_ece.decrypt(data, private_key=self.key, auth_secret=self.secret, version="aes128gcm"))


def test_a_phone_reads_what_was_sent(state: StateDirectory, service: Service) -> None:
    phone, push = Browser(), Push(state)
    assert push.send(phone.subscription, {"door": "Gate"}, "0" * 16)
    url, data, headers = service.posts[0]
    assert url == "https://push.example.org/x"
    assert phone.read(data) == {"door": "Gate"}
    lower = {name.lower(): value for name, value in headers.items()}
    assert (lower["ttl"], lower["urgency"], lower["topic"]) == ("60", "high", "0" * 16)
    assert f"k={push.public_key()}" in lower["authorization"]


def test_the_key_stays(state: StateDirectory) -> None:
    key = Push(state).public_key()
    assert Push(state).public_key() == key
    assert len(base64.urlsafe_b64decode(key + "=")) == 65
    assert (state.path / Keys.PUSH).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("status", [404, 410])
def test_a_phone_that_is_gone(state: StateDirectory, service: Service, status: int) -> None:
    service.status = status
    assert not Push(state).send(Browser().subscription, {})


def test_a_service_that_fails(state: StateDirectory, service: Service) -> None:
    service.status = 500
    with pytest.raises(OSError, match="answered 500"):
        Push(state).send(Browser().subscription, {})


def test_a_subscription_that_cannot_be_used(state: StateDirectory, service: Service) -> None:
    with pytest.raises(OSError, match="key cannot be used"):
        Push(state).send(Subscription("https://push.example.org/x", "BA", "xx"), {})


def test_without_the_extra(state: StateDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Refused, match="cannot send"):
        Push(state).public_key()
