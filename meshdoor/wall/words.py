"""The sentences of a wall: those of the page of phones, from the same tables (web/page/i18n).

A table is a file of JavaScript that says nothing but `export default { "key": "text", ... };`, one entry a line. An
entry that depends on a number is `{ one: "...", other: "..." }`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from meshdoor.wall.dates import CALENDARS, TWELVE_HOURS, Moment

Entry = str | dict[str, str]
Table = Mapping[str, Entry]

OTHERWISE: Final = "en"

_FILE = re.compile(r"export default \{\n(.*)\};\s*", re.DOTALL)
_LINE = re.compile(r'\s*("[^"]+"|\w+): (.+),')
_PLURAL = re.compile(r'\{ one: (".*"), other: (".*") \}')
_VALUE = re.compile(r"\{(\w+)\}")


def parse(text: str) -> dict[str, Entry]:
    """One table, or any other file that is made so. Raises ValueError: that is a fault of ours."""
    body = _FILE.fullmatch(text)
    if body is None:
        raise ValueError("a table is `export default { ... };`")
    table: dict[str, Entry] = {}
    for line in body[1].splitlines():
        if not line.strip():
            continue
        entry = _LINE.fullmatch(line)
        if entry is None:
            raise ValueError(f"not an entry: {line.strip()}")
        plural = _PLURAL.fullmatch(entry[2])
        table[entry[1].strip('"')] = (
            json.loads(entry[2])
            if plural is None
            else {"one": json.loads(plural[1]), "other": json.loads(plural[2])}
        )
    return table


class Words:
    """Of one language. `locale` is a language tag: its region says how times are written."""

    def __init__(self, tables: Mapping[str, Table], locale: str) -> None:
        language = locale[:2].lower()
        self.language = language if language in tables else OTHERWISE
        self._tables = tables
        self._twelve = self.language == "en" and locale[3:5].upper() in TWELVE_HOURS
        self._calendar = CALENDARS[self.language]

    def __contains__(self, key: str) -> bool:
        return key in self._tables[OTHERWISE]

    def __call__(self, key: str, **values: str | int) -> str:
        """The text of a key, its values filled in; `n` chooses the plural. Raises KeyError: a fault of ours."""
        entry = self._tables[self.language].get(key, self._tables[OTHERWISE][key])
        text = entry if isinstance(entry, str) else entry[self._plural(values.get("n", 0))]
        return _VALUE.sub(lambda found: str(values.get(found[1], found[0])), text)

    def or_else(self, key: str, otherwise: str, **values: str | int) -> str:
        """The text of a key if there is one, else the other text."""
        return self(key, **values) if key in self else otherwise

    def _plural(self, number: str | int) -> str:
        """By the rules of the language (CLDR)."""
        few = (0, 1) if self.language == "fr" else (1,)
        return "one" if number in few else "other"

    def clock(self, moment: Moment) -> str:
        """As `15:04`, or `3:04 PM`."""
        if not self._twelve:
            return f"{moment.hour:02}:{moment.minute:02}"
        return f"{(moment.hour - 1) % 12 + 1}:{moment.minute:02} {'AM' if moment.hour < 12 else 'PM'}"

    def date(self, moment: Moment) -> str:
        """With the day of the week, without the year."""
        return self._calendar.date(moment)

    def day(self, moment: Moment, today: Moment) -> str:
        """Today, yesterday, or the date."""
        days = today.day_number - moment.day_number
        if days in (0, 1):
            return self("day.yesterday" if days else "day.today")
        return self.date(moment)


def left(seconds: float) -> str:
    """A length of time that runs, as `4:05`."""
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02}"
