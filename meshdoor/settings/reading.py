"""From a document, as tomllib gives it, to settings, which are dataclasses: each value is of the type of its field."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from meshdoor.errors import ConfigError

T = TypeVar("T")

_WORDS = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}


def built(kind: type[T], table: Mapping[str, Any], prefix: str = "") -> T:
    """The settings of one table, `prefix` before their names. Raises ConfigError naming the field."""
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in hints:
            raise ConfigError(f"{prefix}{key}: no such setting", _suggestion(key, hints))
        values[key] = _convert(hints[key], value, prefix + key)
    return kind(**values)


def _convert(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: must be a table")
        return built(kind, value, f"{where}.")  # type: ignore[arg-type]
    if NoneType in get_args(kind):
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
        return _convert(kind, value, where)
    if get_origin(kind) is Mapping:
        return _convert_table(kind, value, where)
    if get_args(kind):
        return _convert_list(get_args(kind)[0], value, where)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ConfigError(f"{where}: must be {_WORDS[kind]}, not {value!r}")
    return value


def _convert_list(kind: Any, value: Any, where: str) -> tuple[Any, ...]:
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, list):
            raise ConfigError(f"{where}: must be a list of tables: [[{where}]]")
        return tuple(_convert(kind, each, where) for each in value)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{where}: must be a list of strings")
    return tuple(value)


def _convert_table(kind: Any, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: must be a table")
    return {key: _convert(get_args(kind)[1], each, f"{where}.{key}") for key, each in value.items()}


def _suggestion(key: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, known, 1)
    return f"did you mean {close[0]!r}?" if close else f"settings here: {', '.join(known)}"
