from __future__ import annotations

from itertools import count

import pytest

from meshdoor.errors import LocalProtocolError, PairingError
from meshdoor.trust.pairing import Password
from meshdoor.trust.window import GUESSES, PairingWindow, WindowStatus


def window() -> PairingWindow:
    """One whose codes are 0000-0001, 0000-0002, …"""
    numbers = count(1)
    return PairingWindow(lambda below: next(numbers))


def guess_wrong(opened: PairingWindow, now: float, times: int = 1) -> None:
    for _ in range(times):
        opened.begin(now)
        opened.ended(now, paired=False)


def test_it_shows_a_code_and_takes_a_guess() -> None:
    opened = window()
    assert opened.status(5.0) == WindowStatus("0000-0001", GUESSES, 0.0)
    assert opened.begin(5.0) == Password.from_code("0000-0001")
    assert opened.next_deadline() <= 5.0


def test_codes_are_random() -> None:
    assert len({PairingWindow().code for _ in range(20)}) > 18


def test_one_run_at_a_time() -> None:
    opened = window()
    opened.begin(0.0)
    with pytest.raises(PairingError, match="another pairing"):
        opened.begin(0.0)
    opened.ended(0.0, paired=False)
    opened.begin(0.0)


def test_a_run_that_was_never_begun_cannot_end() -> None:
    with pytest.raises(LocalProtocolError):
        window().ended(0.0, paired=True)


def test_five_wrong_guesses_bring_a_new_code_and_a_wait() -> None:
    opened = window()
    guess_wrong(opened, 100.0, 4)
    assert opened.status(100.0) == WindowStatus("0000-0001", 1, 0.0)
    guess_wrong(opened, 100.0)
    assert opened.status(100.0) == WindowStatus("0000-0002", GUESSES, 30.0)
    assert opened.next_deadline() == 130.0
    with pytest.raises(PairingError, match="too many"):
        opened.begin(129.9)
    assert opened.begin(130.0) == Password.from_code("0000-0002")


def test_the_wait_grows_to_an_hour() -> None:
    opened, now, waits = window(), 0.0, []
    for _ in range(10):
        guess_wrong(opened, now, GUESSES)
        waits.append(opened.wait(now))
        now += opened.wait(now)
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_a_pairing_ends_the_waits_and_the_code() -> None:
    opened = window()
    guess_wrong(opened, 0.0, GUESSES)
    opened.begin(30.0)
    opened.ended(30.0, paired=True)
    assert opened.status(30.0) == WindowStatus("0000-0003", GUESSES, 0.0)
    guess_wrong(opened, 30.0, GUESSES)
    assert opened.wait(30.0) == 30.0
