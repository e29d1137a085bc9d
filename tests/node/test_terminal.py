"""A line typed at the terminal of a running node."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
from collections.abc import Iterator

import pytest

from meshdoor.node import terminal
from tests.patience import PATIENCE


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where to write what a person types; the terminal is that of nobody's session."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        yield ours
    os.close(ours)


async def test_a_line(keyboard: int) -> None:
    os.write(keyboard, b"  My home \n")
    assert await terminal.typed_line() == "My home"


async def test_the_end_of_the_input(keyboard: int) -> None:
    os.write(keyboard, b"\x04")
    assert await terminal.typed_line() is None


async def test_waiting_can_be_given_up(keyboard: int) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await terminal.typed_line()


async def test_the_background_leaves_the_terminal_to_the_shell(
    keyboard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "FOREGROUND_POLL", 0.01)
    other = os.getpgrp() + 1
    # It is put into the background once more, when asked.
    group = [other, os.getpgrp(), other, os.getpgrp(), os.getpgrp()]
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: group.pop(0) if len(group) > 1 else group[0])
    os.write(keyboard, b"yes\n")
    async with asyncio.timeout(PATIENCE):
        assert await terminal.typed_line() == "yes"
    assert len(group) == 1


async def test_waiting_in_the_background_can_be_given_up(keyboard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await terminal.typed_line()
