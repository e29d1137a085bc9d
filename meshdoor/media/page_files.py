"""What a wall shares with the page of phones: its sentences and its line drawings, read from the files of the page."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib import resources

from meshdoor.wall.words import Table, Words, parse

PAGE = resources.files("meshdoor") / "web" / "page"
LANGUAGES = ("en", "de", "fr")


@cache
def tables() -> dict[str, Table]:
    """By language. Blocks."""
    return {each: parse((PAGE / "i18n" / f"{each}.js").read_text(encoding="utf-8")) for each in LANGUAGES}


@cache
def drawings() -> dict[str, str]:
    """Paths by name. Blocks."""
    found = parse((PAGE / "ui" / "drawings.js").read_text(encoding="utf-8"))
    return {name: path for name, path in found.items() if isinstance(path, str)}


@lru_cache(maxsize=8)
def words(locale: str) -> Words:
    """The sentences of a language tag."""
    return Words(tables(), locale)
