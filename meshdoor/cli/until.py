"""When the time of a guest is over, as a person writes it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from meshdoor.cli.enrol import UNITS
from meshdoor.errors import ConfigError

LONGEST = 3660 * 86400  # seconds: who stays longer is no guest


def parse_until(text: str, now: float | None = None) -> int:
    """The Unix time of `2026-12-24` (the end of that day here), `2026-12-24T18:00`, or `12h` or `7d` from now.

    Raises ConfigError.
    """
    now = time.time() if now is None else now
    moment = _relative(text, now) or _absolute(text)
    if not now < moment <= now + LONGEST:
        raise ConfigError(f"--expires: {text} is not within the next ten years")
    return moment


def _relative(text: str, now: float) -> int | None:
    number, unit = text[:-1], text[-1:]
    if not number.isascii() or not number.isdigit() or unit not in UNITS:
        return None
    return int(now) + int(number[:9]) * UNITS[unit]


def _absolute(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        if len(text) == len("2026-12-24"):
            moment += timedelta(days=1)
        return int(moment.timestamp())
    except (ValueError, OverflowError):
        hint = "for example: --expires 2026-12-24, --expires 2026-12-24T18:00, --expires 7d"
        raise ConfigError(f"--expires: {text!r} is no date", hint) from None
