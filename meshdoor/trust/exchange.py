"""The shared loop of both sides of a pairing: a byte stream in, a byte stream out, one result or one error."""

from __future__ import annotations

from typing import Generic

from meshdoor.errors import MeshdoorError, PairingError, WrongCode
from meshdoor.trust.pairing import REFUSED, REFUSED_SIZE, Reason, Steps, T, refusal

HEADER_SIZE = 4
TIME_LIMIT = 20.0  # seconds for a whole run; the slowest Pi needs under two


class Exchange(Generic[T]):
    """One run of a side over a stream.

    An error is raised once, by the call that met it; `data_to_send` then still holds the refusal for the
    other side. After the end whatever arrives is ignored.
    """

    def __init__(self, side: Steps[T], now: float) -> None:
        self._side = side
        self._deadline = now + TIME_LIMIT
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._limit = 0
        self.finished = False
        self.result: T | None = None
        self._advance(None)

    def receive(self, data: bytes) -> None:
        """Take in bytes of the stream, or its end (empty). Raises PairingError, or what `admit` or `keep` raised."""
        if self.finished:
            return
        if not data:
            self._fail()
            raise PairingError("it hung up")
        self._incoming += data
        while not self.finished and (received := self._next_frame()) is not None:
            self._advance(received)

    def data_to_send(self) -> bytes:
        """Bytes for the other side, once."""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    def next_deadline(self) -> float | None:
        """When `handle_timer` wants to be called; None once it is over."""
        return None if self.finished else self._deadline

    def handle_timer(self, now: float) -> None:
        """Raises PairingError when the other side took too long."""
        if not self.finished and now >= self._deadline:
            self._fail(refusal(Reason.FAILED))
            raise PairingError("it took too long")

    def _next_frame(self) -> bytes | None:
        """Kind and payload of the next frame, once it is whole; one too long is refused by its header."""
        if len(self._incoming) < HEADER_SIZE:
            return None
        kind, size = self._incoming[:1], int.from_bytes(self._incoming[1:HEADER_SIZE], "big")
        if size > (REFUSED_SIZE if kind == REFUSED else self._limit):
            self._fail(refusal(Reason.FAILED))
            raise PairingError("it sent more than is allowed")
        end = HEADER_SIZE + size
        if len(self._incoming) < end:
            return None
        payload = bytes(self._incoming[HEADER_SIZE:end])
        del self._incoming[:end]
        return bytes(kind) + payload

    def _advance(self, received: bytes | None) -> None:
        try:
            step = next(self._side) if received is None else self._side.send(received)
            while isinstance(step, bytes):
                self._outgoing += step
                step = next(self._side)
            self._limit = step
        except StopIteration as stop:
            self.result, self.finished = stop.value, True
        except MeshdoorError as error:
            reason = Reason.WRONG_CODE if isinstance(error, WrongCode) else Reason.FAILED
            answered = received is not None and received[:1] == REFUSED  # a refusal wants no other one
            self._fail(b"" if answered else refusal(reason))
            raise

    def _fail(self, last_words: bytes = b"") -> None:
        self._side.close()
        self._outgoing += last_words
        self._incoming.clear()
        self.finished = True
