"""The log: one line an event, for a person or a program; libraries get one line too."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from meshdoor.node import journal


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    loggers = (logging.getLogger(), journal.LOGGER)
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    yield
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def text() -> io.StringIO:
    stream = io.StringIO()
    journal.configure("text", stream)
    return stream


@pytest.fixture
def lines() -> io.StringIO:
    stream = io.StringIO()
    journal.configure("json", stream)
    return stream


def test_an_event_is_a_line(text: io.StringIO) -> None:
    journal.say("paired", "Kitchen (screen) is in", member="Kitchen")
    assert text.getvalue() == "paired     Kitchen (screen) is in\n"


def test_a_terminal_gets_the_time() -> None:
    stream = Terminal()
    journal.configure("text", stream)
    journal.say("ready", "here")
    assert stream.getvalue()[8:] == " ready      here\n"
    assert stream.getvalue()[2] == stream.getvalue()[5] == ":"


def test_nothing_breaks_out_of_its_line(text: io.StringIO) -> None:
    journal.warn("newcomer", "\x1b[2Jevil\nready      I am a line of my own")
    assert text.getvalue() == "newcomer   \ufffd[2Jevil\ufffdready      I am a line of my own\n"


def test_a_program_gets_an_object_a_line(lines: io.StringIO) -> None:
    journal.say("paired", "Küche\nis in", member="Küche")
    journal.warn("refused", "no")
    first, second = map(json.loads, lines.getvalue().splitlines())
    assert {k: first[k] for k in ("level", "event", "text", "member")} == {
        "level": "info",
        "event": "paired",
        "text": "Küche\nis in",
        "member": "Küche",
    }
    assert (second["level"], second["event"]) == ("warning", "refused")
    assert first["time"] > 1e9


def fail(name: str) -> None:
    try:
        raise OSError(22, "Invalid argument")
    except OSError:
        logging.getLogger(name).warning("socket %d", 10, exc_info=True)


def test_a_library_gets_one_line(text: io.StringIO) -> None:
    fail("zeroconf")
    logging.getLogger("zeroconf").info("chatter")
    assert text.getvalue() == "warning    zeroconf: socket 10\n"


def test_a_library_gets_no_trace_in_json(lines: io.StringIO) -> None:
    fail("zeroconf")
    document = json.loads(lines.getvalue())
    assert document["event"] == "zeroconf"
    assert "trace" not in document


@pytest.mark.parametrize("name", ["meshdoor", "meshdoor.mesh.link", "asyncio"])
def test_an_error_of_ours_keeps_its_trace(text: io.StringIO, name: str) -> None:
    fail(name)
    assert "Traceback" in text.getvalue()


def test_an_error_of_ours_keeps_its_trace_in_json(lines: io.StringIO) -> None:
    fail("meshdoor")
    assert "Traceback" in json.loads(lines.getvalue())["trace"]


def test_it_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    journal.configure("text")
    journal.say("ready", "here")
    assert capsys.readouterr().err == "ready      here\n"
