"""What all verbs share: the client, colours only on a terminal, tables, JSON."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import time
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from meshdoor.control import Json
from meshdoor.control.client import Client
from meshdoor.store.location import checkout, default_location

Subparsers = argparse._SubParsersAction  # the only name that argparse has for it

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def state_path(options: argparse.Namespace) -> Path:
    """The state directory that the options mean."""
    if options.state:
        return Path(options.state).absolute()
    root = os.getuid() == 0
    return default_location(os.environ, socket.gethostname(), root=root, source=checkout()).absolute()


def client(options: argparse.Namespace, timeout: float | None = 30.0) -> Client:
    """A connection to the node of `--state`. Raises NotRunning."""
    return Client(state_path(options), timeout)


def style(text: str, look: str, stream: TextIO | None = None) -> str:
    """The text in a colour where `stream` (standard output) is a terminal that wants it (no-color.org)."""
    stream = sys.stdout if stream is None else stream
    if not look or not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_CODES[look]}m{text}\x1b[0m"


def print_json(document: Json) -> None:
    """One JSON document for a script."""
    print(json.dumps(document, ensure_ascii=False, indent=2))


def print_json_line(document: Json) -> None:
    """One of many JSON documents, each on a line of its own."""
    print(json.dumps(document, ensure_ascii=False), flush=True)


def table(rows: Sequence[Sequence[str]], looks: Sequence[str] = ()) -> str:
    """Columns as wide as their widest cell; the first row is the heading; `looks` colours whole rows."""
    widths = [max(display_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = (cell + " " * (width - display_width(cell)) for cell, width in zip(row, widths, strict=True))
        line = "  ".join(cells).rstrip()
        look = "dim" if number == 0 else (looks[number - 1] if number <= len(looks) else "")
        lines.append(style(line, look))
    return "\n".join(lines)


def display_width(text: str) -> int:
    """How many columns of a terminal the text takes (UAX #11; combining marks take none)."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def tell(text: str) -> None:
    """Say something to the person beside the answer, which is what standard output is for."""
    print(text, file=sys.stderr, flush=True)


def ask(question: str, default: str = "") -> str:
    """A line from the person; the default on an empty one or at the end of the input."""
    shown = f" [{default}]" if default else ""
    print(f"{question}{shown}: ", end="", file=sys.stderr, flush=True)  # standard output may go to a file
    try:
        return input().strip() or default
    except EOFError:
        tell("")
        return default


def agrees(question: str) -> bool:
    """Does the person say yes? Whatever else is typed is a no."""
    return ask(f"{question} yes or no", "no").lower() in ("y", "yes")


def local_time(seconds: float) -> str:
    """A Unix time as `2026-11-23 14:05`, in the zone of this machine."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
