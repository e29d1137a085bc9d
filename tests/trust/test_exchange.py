from __future__ import annotations

import pytest

from meshdoor.errors import PairingError, UserError, WrongCode
from meshdoor.trust.exchange import TIME_LIMIT, Exchange
from meshdoor.trust.pairing import Reason, Steps, frame, refusal


def echo(limit: int = 8) -> Steps[bytes]:
    """Greets, takes two frames, and says the second one."""
    yield frame(b"H", b"hello")
    first = yield limit
    second = yield limit
    yield frame(b"E", second)
    return first


def failing(error: type[Exception]) -> Steps[None]:
    yield 8
    raise error("no")


def test_frames_in_any_pieces() -> None:
    stream = frame(b"A", b"one") + frame(b"B", b"") + b"ignored"
    for size in range(1, len(stream) + 1):
        exchange = Exchange(echo(), 0.0)
        assert exchange.data_to_send() == frame(b"H", b"hello")
        for start in range(0, len(stream), size):
            exchange.receive(stream[start : start + size])
        assert exchange.result == b"Aone"
        assert exchange.finished
        assert exchange.data_to_send() == frame(b"E", b"B")
        assert exchange.data_to_send() == b""


def test_the_end_after_the_end_is_no_error() -> None:
    exchange = Exchange(echo(), 0.0)
    exchange.receive(frame(b"A", b"") * 2)
    exchange.receive(b"")
    exchange.handle_timer(1e9)
    assert exchange.next_deadline() is None


def test_the_other_side_hangs_up() -> None:
    exchange = Exchange(echo(), 0.0)
    exchange.data_to_send()
    with pytest.raises(PairingError, match="it hung up"):
        exchange.receive(b"")
    assert exchange.data_to_send() == b""


def test_too_long_is_refused_by_the_header_alone() -> None:
    exchange = Exchange(echo(), 0.0)
    exchange.data_to_send()
    with pytest.raises(PairingError, match="more than is allowed"):
        exchange.receive(frame(b"A", bytes(9))[:4])
    assert exchange.data_to_send() == refusal(Reason.FAILED)
    assert exchange.finished


def test_a_refusal_fits_any_limit_and_no_more() -> None:
    Exchange(echo(0), 0.0).receive(refusal(Reason.FAILED))
    with pytest.raises(PairingError, match="more than is allowed"):
        Exchange(echo(8), 0.0).receive(frame(b"R", bytes(4)))


def test_a_refusal_is_not_answered() -> None:
    exchange = Exchange(failing(WrongCode), 0.0)
    with pytest.raises(WrongCode):
        exchange.receive(refusal(Reason.WRONG_CODE))
    assert exchange.data_to_send() == b""


def test_what_is_kept_is_bounded() -> None:
    exchange = Exchange(echo(1000), 0.0)
    with pytest.raises(PairingError):
        exchange.receive(b"A\x00\x03\xe8" + bytes(999) + b"x" + b"B\x00\x03\xe9")
    assert exchange.finished


def test_the_time_limit() -> None:
    exchange = Exchange(echo(), 100.0)
    assert exchange.next_deadline() == 100.0 + TIME_LIMIT
    exchange.handle_timer(100.0 + TIME_LIMIT - 0.1)
    with pytest.raises(PairingError, match="too long"):
        exchange.handle_timer(100.0 + TIME_LIMIT)
    assert exchange.data_to_send().endswith(refusal(Reason.FAILED))
    assert exchange.next_deadline() is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [(WrongCode, Reason.WRONG_CODE), (PairingError, Reason.FAILED), (UserError, Reason.FAILED)],
)
def test_last_words(error: type[Exception], reason: Reason) -> None:
    exchange = Exchange(failing(error), 0.0)
    with pytest.raises(error):
        exchange.receive(frame(b"A", b""))
    assert exchange.data_to_send() == refusal(reason)
    assert exchange.result is None
