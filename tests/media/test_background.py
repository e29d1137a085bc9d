from __future__ import annotations

import logging
import threading
from functools import partial

import pytest

from meshdoor.media.background import Background, wait_for_workers
from tests.patience import PATIENCE


def wait_quietly(event: threading.Event) -> None:
    event.wait(PATIENCE)


def test_work_is_done_in_turn_and_again_after_an_end() -> None:
    background, done = Background("work"), threading.Semaphore(0)
    order: list[int] = []
    for number in range(3):
        background.do(partial(order.append, number))
    background.close()
    background.close()
    background.do(done.release)
    assert done.acquire(timeout=PATIENCE)
    background.close()
    assert sorted(order) == order


def test_too_much_is_left_out() -> None:
    background, go = Background("work", limit=2), threading.Event()
    began = threading.Event()

    def wait() -> None:
        began.set()
        go.wait(PATIENCE)

    background.do(wait)
    assert began.wait(PATIENCE)
    assert [background.do(lambda: None) for _ in range(4)] == [True, True, False, False]
    assert background.left_out == 2
    go.set()
    background.close()


def test_work_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    background, done = Background("work"), threading.Event()
    with caplog.at_level(logging.CRITICAL):
        background.do(lambda: list[None]().pop())
        background.do(done.set)
        assert done.wait(PATIENCE)
    background.close()


def test_waiting_for_all_that_was_begun() -> None:
    first, second = Background("first"), Background("second")
    done: list[int] = []

    def begin_more() -> None:
        second.do(partial(done.append, 2))
        second.close()
        done.append(1)

    first.do(begin_more)
    first.close()
    wait_for_workers(PATIENCE)
    assert sorted(done) == [1, 2]


def test_waiting_has_an_end() -> None:
    background, go = Background("work"), threading.Event()
    background.do(partial(wait_quietly, go))
    wait_for_workers(0.01)
    go.set()
    background.close()
