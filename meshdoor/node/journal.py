"""The node's log: one line an event, readable by a person or, with `--log json`, by a program.

    12:03:04 paired     Kitchen (screen) is in
    {"time": 1790000000.123, "event": "paired", "text": "Kitchen (screen) is in", "member": "Kitchen"}

What libraries log comes the same way, from level WARNING on: one line, for their traces help nobody here. The trace of
an error of our own is kept, and so is that of a task that failed unseen, which asyncio logs.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import TextIO

LOGGER = logging.getLogger("meshdoor")


class TextFormatter(logging.Formatter):
    """A line for a person; the journal of systemd adds its own time, so `stamp` may be off."""

    def __init__(self, stamp: bool) -> None:
        super().__init__()
        self._stamp = stamp

    def format(self, record: logging.LogRecord) -> str:
        event = getattr(record, "event", record.levelname.lower())
        line = f"{event:<10} {_one_line(_text(record))}"
        if record.exc_info and _is_ours(record):
            line += "\n" + self.formatException(record.exc_info)
        if self._stamp:
            line = time.strftime("%H:%M:%S ", time.localtime(record.created)) + line
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", record.name),
            "text": _text(record),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and _is_ours(record):
            document["trace"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False)


def configure(form: str, stream: TextIO | None = None) -> None:
    """Send the log to `stream` (standard error) as `text` or `json`."""
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter(stamp=stream.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    LOGGER.setLevel(logging.INFO)


def say(event: str, text: str, **fields: object) -> None:
    """Log one event; `fields` are for programs."""
    LOGGER.info("%s", text, extra={"event": event, "fields": fields})


def warn(event: str, text: str, **fields: object) -> None:
    """Log one event that a person should look at."""
    LOGGER.warning("%s", text, extra={"event": event, "fields": fields})


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in ("meshdoor", "asyncio")


def _text(record: logging.LogRecord) -> str:
    """The message, under the name of the library that it is of."""
    text = record.getMessage()
    return text if record.name.partition(".")[0] == LOGGER.name else f"{record.name}: {text}"


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
