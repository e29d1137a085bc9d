"""Questions side by side, and no more than a few."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from meshdoor.errors import NotFound, RemoteProtocolError, UserError
from meshdoor.web.logger import LOGGER
from meshdoor.web.questions import MAX_RUNNING, Questions


async def test_no_more_than_a_few_at_once() -> None:
    told: list[Any] = []
    never = asyncio.Event()

    async def ask(what: str, args: Mapping[str, Any]) -> Any:
        await never.wait()

    questions = Questions(ask, told.append)
    for number in range(MAX_RUNNING + 1):
        questions.received(f'{{"id": {number}, "ask": "home"}}')
    assert [(each["id"], each["error"]["code"]) for each in told] == [(MAX_RUNNING, "busy")]
    await questions.aclose()
    assert len(told) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [(UserError("x"), "wrong"), (NotFound("x"), "unknown"), (RemoteProtocolError("x"), "wrong")],
)
async def test_errors_have_codes(error: Exception, code: str) -> None:
    told: list[Any] = []

    async def ask(what: str, args: Mapping[str, Any]) -> Any:
        raise error

    questions = Questions(ask, told.append)
    questions.received('{"id": 1, "ask": "home"}')
    await asyncio.sleep(0)
    assert told == [{"id": 1, "error": {"code": code, "text": "x"}}]
    await questions.aclose()


def test_the_same_complaint_is_logged_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            LOGGER.warning("a request that is wrong: %s", "x" * 10)
    assert len(caplog.records) == 1
