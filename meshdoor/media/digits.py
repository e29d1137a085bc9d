"""Digits on their way out (RFC 4733): one after the other, in their own time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from meshdoor.errors import EngineError, LocalProtocolError
from meshdoor.media.channel import Channel, Sent
from meshdoor.rtp.dtmf import DURATION, TimedPayload, digit_payloads

PAUSE = 0.1  # s between digits; ours
MAX_DIGITS = 64  # that wait; ours


class DigitSender:
    """`timestamp` tells the RTP time of the sound that is sent now: a digit is of the same stream (§2.2.1)."""

    def __init__(self, channel: Channel, timestamp: Callable[[], int]) -> None:
        self._channel = channel
        self._timestamp = timestamp
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[tuple[TimedPayload, ...], Sent]] = deque()
        self._leaving: Sent | None = None
        self._timers: list[asyncio.TimerHandle] = []

    def send(self, digits: str) -> Sent:
        """Raises EngineError when the peer takes no digits, these are none, or too many wait. What it gives is done
        when the last of them has left, and cancelled when it never will."""
        plan = self._channel.plan
        if plan is None or plan.dtmf_payload_type is None:
            raise EngineError("this peer takes no digits")
        if not digits:
            raise EngineError("these are no digits")
        try:
            payloads = [digit_payloads(digit, plan.dtmf_clock_rate) for digit in digits]
        except LocalProtocolError as error:
            raise EngineError(str(error)) from None
        if len(self._waiting) + len(payloads) > MAX_DIGITS:
            raise EngineError("too many digits at once")
        left: list[Sent] = [self._loop.create_future() for _ in payloads]
        self._waiting.extend(zip(payloads, left, strict=True))
        if not self._timers:
            self._next()
        return left[-1]

    def close(self) -> None:
        self._cancel()
        for _, left in self._waiting:
            left.cancel()
        self._waiting.clear()
        if self._leaving is not None:
            self._leaving.cancel()

    def _next(self) -> None:
        self._cancel()
        if self._leaving is not None and not self._leaving.done():
            self._leaving.set_result(None)
        if not self._waiting:
            return
        begin, timestamp = self._loop.time(), self._timestamp()
        payloads, self._leaving = self._waiting.popleft()
        for timed in payloads:
            timer = self._loop.call_at(
                begin + timed.delay, self._channel.dtmf, timed.payload, timestamp, timed.marker
            )
            self._timers.append(timer)
        self._timers.append(self._loop.call_at(begin + DURATION + PAUSE, self._next))

    def _cancel(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
