"""Days and times as people write them, for the languages of the page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple


class Moment(NamedTuple):
    """A local time. `weekday` is 0 on Mondays."""

    year: int
    month: int
    day: int
    weekday: int
    hour: int
    minute: int

    @property
    def day_number(self) -> int:
        """Days since some day."""
        return date(self.year, self.month, self.day).toordinal()


@dataclass(frozen=True, slots=True)
class Calendar:
    """`pattern` has weekday, day and month."""

    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    pattern: str
    first: str = ""  # how the first of a month is written, if otherwise

    def date(self, moment: Moment) -> str:
        """As `Sunday, June 7`."""
        day = self.first if moment.day == 1 and self.first else str(moment.day)
        weekday, month = self.weekdays[moment.weekday], self.months[moment.month - 1]
        return self.pattern.format(weekday=weekday, day=day, month=month)


def _calendar(weekdays: str, months: str, pattern: str, first: str = "") -> Calendar:
    return Calendar(tuple(weekdays.split()), tuple(months.split()), pattern, first)


CALENDARS: Final = {
    "en": _calendar(
        "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
        "January February March April May June July August September October November December",
        "{weekday}, {month} {day}",
    ),
    "de": _calendar(
        "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "{weekday}, {day}. {month}",
    ),
    "fr": _calendar(
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "{weekday} {day} {month}",
        "1er",
    ),
}

# Regions where English is written with AM and PM.
TWELVE_HOURS: Final = frozenset({"US", "CA", "AU", "NZ", "IN", "PH"})
