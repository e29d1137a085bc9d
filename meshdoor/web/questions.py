"""What the page asks on `/home`: questions side by side, each with one answer."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from meshdoor.errors import NotFound, Refused, RemoteProtocolError, UserError
from meshdoor.node.web import Json, Tell

LOGGER = logging.getLogger("meshdoor")
MAX_RUNNING: Final = 8
MAX_NUMBER: Final = 2**53  # what a number of JavaScript holds

Ask = Callable[[str, Mapping[str, Json]], Awaitable[Json]]


class Questions:
    """Those of one socket."""

    def __init__(self, ask: Ask, tell: Tell) -> None:
        self._ask = ask
        self._tell = tell
        self._running: set[asyncio.Task[None]] = set()

    def received(self, text: str) -> None:
        """A message of the page. Raises RemoteProtocolError for what is no question at all."""
        number, what, args = parse(text)
        if len(self._running) >= MAX_RUNNING:
            self._tell(_error(number, "busy", "Too much was asked at once."))
            return
        task = asyncio.get_running_loop().create_task(self._answer(number, what, args))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def aclose(self) -> None:
        """Give up what is not answered."""
        running = tuple(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _answer(self, number: int, what: str, args: Mapping[str, Json]) -> None:
        try:
            self._tell({"id": number, "answer": await self._ask(what, args)})
        except UserError as error:
            self._tell(_error(number, _code(error), str(error)))
        except RemoteProtocolError as error:
            self._tell(_error(number, "wrong", str(error)))
        except Exception:
            LOGGER.exception("a question of a phone could not be answered")
            self._tell(_error(number, "failed", "The node failed; its log says why."))


def parse(text: str) -> tuple[int, str, Mapping[str, Json]]:
    """Number, verb and arguments of a question. Raises RemoteProtocolError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise RemoteProtocolError("a question that is not JSON") from None
    if not isinstance(document, dict):
        raise RemoteProtocolError("a question that is no object")
    number, what, args = document.get("id"), document.get("ask"), document.get("args", {})
    if type(number) is not int or not 0 <= number <= MAX_NUMBER:
        raise RemoteProtocolError("a question without a number")
    if not isinstance(what, str) or not isinstance(args, dict):
        raise RemoteProtocolError("a question about nothing")
    return number, what, args


def _error(number: int, code: str, text: str) -> Json:
    return {"id": number, "error": {"code": code, "text": text}}


def _code(error: UserError) -> str:
    return "refused" if isinstance(error, Refused) else "unknown" if isinstance(error, NotFound) else "wrong"
