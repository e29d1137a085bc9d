"""Digits on their way out (RFC 4733): one after the other, in their own time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from meshdoor.errors import EngineError, LocalProtocolError
from meshdoor.media.channel import Channel
from meshdoor.rtp.dtmf import DURATION, TimedPayload, digit_payloads

PAUSE = 0.1  # s between digits; ours
MAX_DIGITS = 64  # that wait; ours


class DigitSender:
    """`timestamp` tells the RTP time of the sound that is sent now: a digit is of the same stream (§2.2.1)."""

    def __init__(self, channel: Channel, timestamp: Callable[[], int]) -> None:
        self._channel = channel
        self._timestamp = timestamp
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[TimedPayload, ...]] = deque()
        self._timers: list[asyncio.TimerHandle] = []

    def send(self, digits: str) -> None:
        """Raises EngineError when the peer takes no digits, these are none, or too many wait."""
        plan = self._channel.plan
        if plan is None or plan.dtmf_payload_type is None:
            raise EngineError("this peer takes no digits")
        try:
            payloads = [digit_payloads(digit, plan.dtmf_clock_rate) for digit in digits]
        except LocalProtocolError as error:
            raise EngineError(str(error)) from None
        if len(self._waiting) + len(payloads) > MAX_DIGITS:
            raise EngineError("too many digits at once")
        self._waiting.extend(payloads)
        if not self._timers:
            self._next()

    def close(self) -> None:
        self._waiting.clear()
        self._cancel()

    def _next(self) -> None:
        self._cancel()
        if not self._waiting:
            return
        begin, timestamp = self._loop.time(), self._timestamp()
        for timed in self._waiting.popleft():
            timer = self._loop.call_at(
                begin + timed.delay, self._channel.dtmf, timed.payload, timestamp, timed.marker
            )
            self._timers.append(timer)
        self._timers.append(self._loop.call_at(begin + DURATION + PAUSE, self._next))

    def _cancel(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
