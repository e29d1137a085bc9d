"""What the screen on the wall has in common with the page of phones: its sentences and drawings, read from the files
of the page."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import PurePath
from typing import Final

from meshdoor.wall.words import Table, Words, parse

PAGE: Final = ("web", "page")


@cache
def words(tag: str) -> Words:
    """The sentences for a language tag."""
    return Words(tables(), tag)


@cache
def tables() -> dict[str, Table]:
    """By the language, two letters."""
    folder = resources.files("meshdoor").joinpath(*PAGE, "i18n")
    files = {PurePath(file.name): file for file in folder.iterdir()}
    named = {name.stem: file for name, file in files.items() if name.suffix == ".js" and len(name.stem) == 2}
    return {language: parse(file.read_text(encoding="utf-8")) for language, file in named.items()}


@cache
def drawings() -> dict[str, str]:
    """The path of each icon, by its name."""
    file = resources.files("meshdoor").joinpath(*PAGE, "ui", "drawings.js")
    table = parse(file.read_text(encoding="utf-8"))
    return {name: path for name, path in table.items() if isinstance(path, str)}
