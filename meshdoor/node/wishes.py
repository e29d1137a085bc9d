"""What each phone asked of this node: when it is not to ring, and where to reach it while its page is closed.

Kept in `phones.json` by the key of the phone: {"quiet": {"from", "to", "offset"}, "push": SUBSCRIPTION}. Times are
minutes of the day; `offset` is that of the phone's clock from UTC, in minutes east, null for this node's time zone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from meshdoor.errors import UserError

DAY: Final = 24 * 60  # minutes
MAX_OFFSET: Final = 14 * 60  # minutes
MAX_PHONES: Final = 256
MAX_URL: Final = 1024
MAX_SECRET: Final = 256

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")

Json = Any
Save = Callable[[dict[str, Json]], object]


@dataclass(frozen=True, slots=True)
class Quiet:
    """A part of the day, which may go over midnight."""

    begin: int
    end: int
    offset: int | None = None

    @classmethod
    def parse(cls, begin: Json, end: Json, offset: Json) -> Quiet:
        """Of `22:00` and `07:00`. Raises UserError."""
        if offset is not None and (type(offset) is not int or abs(offset) > MAX_OFFSET):
            raise UserError("tz_offset: minutes from UTC are needed")
        return cls(_minutes(begin), _minutes(end), offset)

    def to_json(self) -> Json:
        """As a person says it."""
        return {"from": _clock(self.begin), "to": _clock(self.end)}

    def covers(self, unix_now: float) -> bool:
        """Is it quiet now?"""
        return (self._minute(unix_now) - self.begin) % DAY < (self.end - self.begin) % DAY

    def until_change(self, unix_now: float) -> float:
        """Seconds until that is otherwise."""
        bound = self.end if self.covers(unix_now) else self.begin
        minutes = (bound - self._minute(unix_now)) % DAY
        return (minutes or DAY) * 60 - unix_now % 60

    def _minute(self, unix_now: float) -> int:
        if self.offset is None:
            local = time.localtime(unix_now)
            return local.tm_hour * 60 + local.tm_min
        return (int(unix_now) // 60 + self.offset) % DAY


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where a push service takes messages for a phone (RFC 8030, RFC 8291)."""

    endpoint: str
    p256dh: str
    auth: str

    @classmethod
    def parse(cls, document: Json) -> Subscription:
        """As a browser gives it (PushSubscription). Raises UserError."""
        keys = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(keys, dict):
            raise UserError("subscription: what the browser gives is needed")
        endpoint = _text(document.get("endpoint"), MAX_URL)
        if not endpoint.startswith("https://"):
            raise UserError("subscription: an https address is needed")
        return cls(endpoint, _text(keys.get("p256dh"), MAX_SECRET), _text(keys.get("auth"), MAX_SECRET))

    def to_json(self) -> Json:
        return {"endpoint": self.endpoint, "keys": {"p256dh": self.p256dh, "auth": self.auth}}


class Wishes:
    """Those of all phones. What cannot be read of the file counts as not asked."""

    def __init__(self, stored: Mapping[str, Json], save: Save) -> None:
        self._save = save
        self._quiet: dict[bytes, Quiet] = {}
        self._push: dict[bytes, Subscription] = {}
        for text, document in list(stored.items())[:MAX_PHONES]:
            self._load(text, document)

    def _load(self, text: str, document: Json) -> None:
        try:
            key = bytes.fromhex(text)
            if isinstance(quiet := document.get("quiet"), dict):
                self._quiet[key] = Quiet(_whole(quiet.get("begin")), _whole(quiet.get("end")), quiet.get("offset"))
            if document.get("push") is not None:
                self._push[key] = Subscription.parse(document["push"])
        except (AttributeError, ValueError, UserError):
            return

    def phones(self) -> set[bytes]:
        """Those that wish for something."""
        return self._quiet.keys() | self._push.keys()

    def quiet(self, key: bytes) -> Quiet | None:
        return self._quiet.get(key)

    def is_quiet(self, key: bytes, unix_now: float) -> bool:
        quiet = self._quiet.get(key)
        return quiet is not None and quiet.covers(unix_now)

    def subscriptions(self) -> dict[bytes, Subscription]:
        """By the key of the phone."""
        return dict(self._push)

    def set_quiet(self, key: bytes, quiet: Quiet | None) -> None:
        """Raises StateError."""
        _put(self._quiet, key, quiet)
        self._keep()

    def set_push(self, key: bytes, subscription: Subscription | None) -> None:
        """Raises StateError."""
        _put(self._push, key, subscription)
        self._keep()

    def keep_only(self, members: Collection[bytes]) -> None:
        """Phones that are gone wish nothing any more. Raises StateError."""
        gone = self.phones() - set(members)
        for key in gone:
            self._quiet.pop(key, None)
            self._push.pop(key, None)
        if gone:
            self._keep()

    def _keep(self) -> None:
        table: dict[str, dict[str, Json]] = {key.hex(): {"quiet": asdict(quiet)} for key, quiet in self._quiet.items()}
        for key, subscription in self._push.items():
            table.setdefault(key.hex(), {})["push"] = subscription.to_json()
        self._save(table)


def _put(table: dict[bytes, Any], key: bytes, value: Any) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


def _minutes(value: Json) -> int:
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise UserError("a time of the day is needed, for example 22:00")
    return int(found[1]) * 60 + int(found[2])


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _whole(value: Json) -> int:
    if type(value) is not int or not 0 <= value < DAY:
        raise ValueError("no time of the day")
    return value


def _text(value: Json, limit: int) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= limit or not value.isascii() or not value.isprintable():
        raise UserError("subscription: what the browser gives is needed")
    return value
