"""What aiohttp has to say about requests that are wrong: a line now and then, however many there are."""

from __future__ import annotations

import logging
import time
from typing import Final

from meshdoor.ratelimit import LogLimiter


class _Seldom(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self._limit = LogLimiter()

    def filter(self, record: logging.LogRecord) -> bool:
        return self._limit.admit((record.msg, record.levelno), time.monotonic()) is not None


LOGGER: Final = logging.getLogger("meshdoor.web")
LOGGER.addFilter(_Seldom())
