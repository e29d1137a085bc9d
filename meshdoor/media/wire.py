"""Frozen dataclasses as JSON, by their type hints: what the node and its engine send each other.

A message is a tagged object: the values of its fields, and under "type" the name of its class. Nested dataclasses,
tuples, optional fields and byte strings (in hex) are all that is known here. Both ends are of one version of one
program, so there is no way to extend it, and what does not fit is a LocalProtocolError.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from meshdoor.errors import LocalProtocolError
from meshdoor.rtp.srtp_keys import MasterKey


def dump(message: Any, request: int | None = None) -> bytes:
    """One datagram. `request` joins a command and its answer; an event has none."""
    body = {"type": type(message).__name__, **_plain(message)}
    if request is not None:
        body["request"] = request
    return json.dumps(body, separators=(",", ":")).encode()


def load(data: bytes, known: Mapping[str, type]) -> tuple[int | None, Any]:
    """The request number and the message. Raises LocalProtocolError."""
    try:
        body = json.loads(data)
        request = body.pop("request", None)
        return request, _build(known[body.pop("type")], body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # Fresh and without its cause: the datagram may hold a key.
        raise LocalProtocolError(f"a message that does not fit: {type(error).__name__}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, MasterKey):
        return {"suite": value.suite.name, "key": bytes(value).hex()}
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.hex() if isinstance(value, bytes) else value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _build(kind: type, fields: dict[str, Any]) -> Any:
    hints = _hints(kind)
    return kind(**{name: _value(hints[name], value) for name, value in fields.items()})


def _value(kind: Any, value: Any) -> Any:
    arguments = get_args(kind)
    if get_origin(kind) in {Union, UnionType}:
        if value is None and NoneType in arguments:
            return None
        return _value(next(option for option in arguments if option is not NoneType), value)
    if arguments:  # tuple[X, ...] or tuple[X, Y]
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(_value(one, item) for one, item in zip(kinds, value, strict=True))
    if kind is MasterKey:
        return MasterKey.from_bytes(value["suite"], bytes.fromhex(value["key"]))
    if dataclasses.is_dataclass(kind):
        return _build(kind, value)  # type: ignore[arg-type]
    return _scalar(kind, value)


def _scalar(kind: type, value: Any) -> Any:
    if kind is bytes:
        return bytes.fromhex(value)
    if kind is float:
        return float(value)
    if not isinstance(value, kind):
        raise TypeError(kind.__name__)
    return kind(value)
