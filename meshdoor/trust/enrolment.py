"""Enrolment: a file, written on a member, that lets one new device join by itself at its first boot.

The file is TOML with a comment on top that tells a person what it is. Its token is the password of a pairing
(see `pairing`) that the newcomer dials; the token, the issuer's key and where to knock are all it needs.
The issuer decides: it knows the tokens that are good, and the first key that proves one keeps it.
"""

from __future__ import annotations

import base64
import json
import secrets
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from meshdoor.errors import ConfigError, PairingError, Refused
from meshdoor.trust.identity import KEY_SIZE
from meshdoor.trust.introduction import MAX_HINTS, Grant, is_hint
from meshdoor.trust.pairing import Password
from meshdoor.trust.permissions import Role
from meshdoor.trust.statement import ID_SIZE, MAX_TIME, is_name

FORMAT = "meshdoor enrolment 1"
TOKEN_SIZE = 16  # bytes
LIFETIME = 7 * 86400.0  # seconds, unless the person says otherwise
MAX_FILE = 16384  # bytes
MAX_OUTSTANDING = 64
HINT = "write a new one on a screen of the home: meshdoor enrol --role ROLE --name NAME"

TEXT = """\
# Meshdoor enrolment: lets ONE new device join the home {title}
# as the {role} {label}, once, until {until} UTC.
# Copy it to the device's SD card. Keep it secret: whoever has it can join in the device's place.
"""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One file: who may join which home as what, by which token, and where to knock."""

    home: bytes
    home_name: str
    issuer: bytes
    role: Role
    name: str
    token: bytes = field(repr=False)
    addresses: tuple[str, ...]
    expires: int  # seconds since 1970

    @classmethod
    def parse(cls, data: bytes, source: str = "the enrolment file") -> Enrolment:
        """Read a file; raises ConfigError that names `source` and the field."""
        values = _table(data, source)
        missing = sorted(READERS.keys() - values.keys()) or sorted(values.keys() - READERS.keys())
        if missing:
            what = "is missing" if missing[0] in READERS else "is not a field of an enrolment"
            raise ConfigError(f"{source}: {missing[0]} {what}", HINT)
        read: dict[str, Any] = {}
        for name, reader in READERS.items():
            try:
                read[name] = reader(values[name])
            except (ValueError, TypeError):
                raise ConfigError(f"{source}: {name} is not {EXPECTED[name]}", HINT) from None
        return cls(**read)

    def __str__(self) -> str:
        until = datetime.fromtimestamp(self.expires, UTC).replace(tzinfo=None)
        head = TEXT.format(
            title=_quoted(self.home_name), role=self.role, label=_quoted(self.name), until=until.isoformat(" ")
        )
        return head + "".join(
            f"{name} = {value}\n"
            for name, value in {
                "format": _quoted(FORMAT),
                "home": _quoted(self.home.hex()),
                "home_name": _quoted(self.home_name),
                "issuer": _quoted(self.issuer.hex()),
                "role": _quoted(self.role),
                "name": _quoted(self.name),
                "token": _quoted(base64.b32encode(self.token).decode().rstrip("=")),
                "addresses": json.dumps(self.addresses),
                "expires": until.isoformat() + "Z",
            }.items()
        )

    @property
    def password(self) -> Password:
        """What to pair with."""
        return Password.from_token(self.token)

    def check(self, home: bytes | None, now: float, source: str = "the enrolment file") -> None:
        """May a device of `home` (None: of none yet) use it now? Raises ConfigError.

        A Pi whose clock has not been set yet lives in the past; then the issuer notices what has expired.
        """
        if home is not None and home != self.home:
            raise ConfigError(
                f"{source}: home is {_quoted(self.home_name)}, and this device belongs to another home",
                "take it out of its home first: meshdoor reset",
            )
        if now >= self.expires:
            until = datetime.fromtimestamp(self.expires, UTC).replace(tzinfo=None)
            raise ConfigError(f"{source}: expires was at {until.isoformat(' ')} UTC", HINT)

    def check_grant(self, grant: Grant) -> None:
        """Was it the issuer that let the device in? Raises PairingError."""
        if grant.admitter != self.issuer:
            raise PairingError("it is not the one that wrote the enrolment file")


@dataclass(frozen=True, slots=True)
class Outstanding:
    """What the issuer remembers: the enrolment, and which key has proven its token."""

    enrolment: Enrolment
    used_by: bytes = b""


class Enrolments:
    """The issuer's table of enrolments that have not expired."""

    def __init__(self, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._random_bytes = random_bytes
        self._table: dict[bytes, Outstanding] = {}

    def new_token(self) -> bytes:
        """A token for the next enrolment."""
        return self._random_bytes(TOKEN_SIZE)

    def add(self, enrolment: Enrolment, now: float) -> None:
        """Remember what was handed out; raises Refused when there are too many."""
        self.expire(now)
        if len(self._table) >= MAX_OUTSTANDING:
            raise Refused(f"{MAX_OUTSTANDING} enrolments are waiting to be used", "wait until one has expired")
        self._table[enrolment.password.ticket] = Outstanding(enrolment)

    def passwords(self, now: float) -> list[Password]:
        """What a newcomer may prove now."""
        self.expire(now)
        return [each.enrolment.password for each in self._table.values()]

    def redeem(self, ticket: bytes, key: bytes, now: float) -> Enrolment:
        """Use one up: from now on only `key` may come back with it, in case the answer got lost.

        Admit it as the enrolment says, whatever it calls itself, and save the table before the answer goes
        out. Raises PairingError.
        """
        self.expire(now)
        outstanding = self._table.get(ticket)
        if outstanding is None or outstanding.used_by not in (b"", key):
            raise PairingError("its enrolment has been used or has expired")
        self._table[ticket] = replace(outstanding, used_by=key)
        return outstanding.enrolment

    def expire(self, now: float) -> None:
        """Forget what is out of date."""
        self._table = {ticket: each for ticket, each in self._table.items() if now < each.enrolment.expires}

    def dump(self) -> dict[str, Any]:
        """For the state directory; it holds the tokens."""
        return {
            ticket.hex(): {"file": str(each.enrolment), "used_by": each.used_by.hex()}
            for ticket, each in self._table.items()
        }

    def load(self, table: Mapping[str, Any]) -> None:
        """Take back what `dump` gave; raises ConfigError."""
        for entry in table.values():
            try:
                text, used_by = entry["file"].encode(), bytes.fromhex(entry["used_by"])
            except (KeyError, TypeError, ValueError, AttributeError):
                raise ConfigError("the table of enrolments is damaged", "delete enrolments.json") from None
            enrolment = Enrolment.parse(text, "enrolments.json")
            self._table[enrolment.password.ticket] = Outstanding(enrolment, used_by)


def _table(data: bytes, source: str) -> dict[str, Any]:
    try:
        text = data[: MAX_FILE + 1].decode("utf-8-sig")  # some editors put a mark in front
        values = tomllib.loads(text.replace("\r\n", "\n"))
    except (ValueError, RecursionError):
        values = {}
    if values.pop("format", None) != FORMAT or len(data) > MAX_FILE:
        raise ConfigError(f"{source}: format is not that of a Meshdoor enrolment", HINT)
    return values


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a TOML string


def _sized(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise ValueError
    return data


def _name(value: object) -> str:
    if not isinstance(value, str) or not is_name(value):
        raise ValueError
    return value


def _token(value: str) -> bytes:
    return _sized(base64.b32decode(value + "=" * (-len(value) % 8)), TOKEN_SIZE)


def _addresses(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_HINTS or not all(map(is_hint, value)):
        raise ValueError
    return tuple(value)


def _expires(value: object) -> int:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError
    seconds = int(value.timestamp())
    if not 0 <= seconds <= MAX_TIME:
        raise ValueError
    return seconds


READERS: Mapping[str, Callable[[Any], object]] = {
    "home": lambda value: _sized(bytes.fromhex(value), ID_SIZE),
    "home_name": _name,
    "issuer": lambda value: _sized(bytes.fromhex(value), KEY_SIZE),
    "role": Role,
    "name": _name,
    "token": _token,
    "addresses": _addresses,
    "expires": _expires,
}
EXPECTED: Mapping[str, str] = {
    "home": "the id of a home: 64 hexadecimal digits",
    "home_name": "a printable name",
    "issuer": "a device's key: 64 hexadecimal digits",
    "role": "one of " + ", ".join(Role),
    "name": "a printable name",
    "token": "a token: 26 letters and digits",
    "addresses": "a list of addresses",
    "expires": "a time in UTC such as 2030-01-31T12:00:00Z",
}
