"""Codes that are typed in a call."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.calls.codes import (
    PAUSE,
    SHUT_FIRST,
    SHUT_LONGEST,
    WINDOW,
    WRONG_IN_CALL,
    WRONG_OVER_CALLS,
    CodeEntry,
    Guesses,
    Phase,
    ShutOut,
    check_code,
    is_weak,
)
from meshdoor.errors import UserError

ANNA, BEN = b"a" * 32, b"b" * 32
KEYS = "0123456789*#ABCD"


def typed(entry: CodeEntry, text: str, gap: float = 0.5, start: float = 100.0) -> list[str]:
    """The codes that come of it."""
    codes = []
    for number, digit in enumerate(text):
        code = entry.digit(digit, start + number * gap)
        if code is not None:
            codes.append(code)
            entry.judged(True)
    return codes


@pytest.mark.parametrize("code", ["4711", "80247", "1385", "90417263"])
def test_codes(code: str) -> None:
    assert check_code(code) == code


@pytest.mark.parametrize("text", ["", "471", "123456789", "47a1", "٤٧١١", "4 711"])
def test_what_is_no_code(text: str) -> None:
    with pytest.raises(UserError, match="4 to 8 digits"):
        check_code(text)


@pytest.mark.parametrize(
    "code",
    ["0000", "1234", "4321", "7890", "098765", "1212", "12121", "1122", "1984", "2026", "2580", "147258"],
)
def test_what_others_would_try_first(code: str) -> None:
    assert is_weak(code)
    with pytest.raises(UserError, match="tried first"):
        check_code(code)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("4711#", ["4711"]),
        ("#4711#", ["4711"]),
        ("9*4711#", ["4711"]),
        ("9A4711#", ["4711"]),
        ("4711#80247#", ["4711", "80247"]),
        ("4711", []),
        ("*#", []),
        ("1#", ["1"]),
        ("123456789012#", ["123456789"]),
    ],
)
def test_digits_become_codes(text: str, codes: list[str]) -> None:
    assert typed(CodeEntry(), text) == codes


def test_a_long_pause_takes_back_what_was_typed() -> None:
    assert typed(CodeEntry(), "4711#", gap=PAUSE) == ["4711"]
    assert typed(CodeEntry(), "4711#", gap=PAUSE + 0.1) == []
    entry = CodeEntry()
    assert typed(entry, "99") == []
    assert typed(entry, "4711#", start=200.0) == ["4711"]


def test_nothing_is_taken_while_a_code_is_looked_at() -> None:
    entry = CodeEntry()
    entry.digit("1", 1.0)
    assert entry.digit("#", 1.5) == "1"
    assert entry.digit("2", 1.6) is None
    assert entry.digit("#", 1.7) is None
    assert entry.phase is Phase.CHECKING
    entry.judged(False)
    assert typed(entry, "4711#", start=2.0) == ["4711"]


def test_a_call_is_shut_after_some_wrong_ones() -> None:
    entry = CodeEntry()
    for _ in range(WRONG_IN_CALL):
        entry.digit("1", 1.0)
        assert entry.digit("#", 1.0) == "1"
        entry.judged(False)
    assert entry.phase is Phase.SHUT
    assert typed(entry, "4711#") == []


def test_a_right_one_makes_up_for_wrong_ones() -> None:
    entry = CodeEntry()
    for right in (False, False, True, False, False):
        entry.judged(right)
    assert entry.phase is Phase.TYPING


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.floats(0.0, 20.0), st.booleans()), max_size=60))
def test_whatever_is_typed(keys: list[tuple[str, float, bool]]) -> None:
    """A code is what stands before a `#`, in digits alone, never longer than is looked at, never after too many."""
    entry, now, wrong, plain = CodeEntry(), 0.0, 0, ""
    for digit, gap, right in keys:
        now += gap
        plain = "" if gap > PAUSE else plain
        code = entry.digit(digit, now)
        if code is None:
            plain = plain + digit if digit.isdecimal() else ""
            continue
        assert digit == "#"
        assert wrong < WRONG_IN_CALL
        assert code == plain[:9]
        plain = ""
        wrong = 0 if right else wrong + 1
        entry.judged(right)
        assert (entry.phase is Phase.SHUT) is (wrong == WRONG_IN_CALL)


def test_a_member_is_shut_out_for_longer_each_time() -> None:
    guesses, now = Guesses(), 50.0
    lengths = []
    for _ in range(20):
        lengths += [shut.seconds for _ in range(WRONG_OVER_CALLS) if (shut := guesses.wrong(ANNA, now))]
        assert guesses.shut(ANNA, now)
        assert not guesses.shut(BEN, now)
        now += lengths[-1]
        assert not guesses.shut(ANNA, now)
    assert lengths[:3] == [SHUT_FIRST, 2 * SHUT_FIRST, 4 * SHUT_FIRST]
    assert lengths[-1] == SHUT_LONGEST


def test_wrong_ones_of_long_ago_do_not_count() -> None:
    guesses = Guesses()
    assert not any(guesses.wrong(ANNA, number * WINDOW / (WRONG_OVER_CALLS - 1)) for number in range(50))


def test_who_knew_the_code_starts_anew() -> None:
    guesses = Guesses()
    for _ in range(WRONG_OVER_CALLS - 1):
        guesses.wrong(ANNA, 1.0)
    guesses.forget(ANNA)
    guesses.forget(BEN)
    assert guesses.wrong(ANNA, 1.0) is None


def test_a_restart_helps_nobody() -> None:
    guesses, again = Guesses(), Guesses()
    (shut,) = [shut for _ in range(WRONG_OVER_CALLS) if (shut := guesses.wrong(ANNA, 0.0))]
    assert shut == ShutOut(SHUT_FIRST, 1)
    again.restore(ANNA, replace(shut, seconds=60.0), 5.0)
    assert again.shut(ANNA, 64.9)
    assert not again.shut(ANNA, 65.0)
    longer = [shut for _ in range(WRONG_OVER_CALLS) if (shut := again.wrong(ANNA, 65.0))]
    assert longer == [ShutOut(2 * SHUT_FIRST, 2)]


@pytest.mark.parametrize(("seconds", "until"), [(-5.0, 0.0), (1e12, SHUT_LONGEST)])
def test_a_clock_that_was_set_meanwhile_shuts_nobody_out_for_ever(seconds: float, until: float) -> None:
    guesses = Guesses()
    guesses.restore(ANNA, ShutOut(seconds, 1), 0.0)
    assert guesses.shut(ANNA, 0.0) is (until > 0.0)
    assert not guesses.shut(ANNA, until)


@given(st.lists(st.floats(0.0, 4000.0), max_size=200))
def test_no_more_guesses_than_this_in_any_time(gaps: list[float]) -> None:
    guesses, now, tried = Guesses(), 0.0, []
    for gap in gaps:
        now += gap
        if not guesses.shut(ANNA, now):
            tried.append(now)
            guesses.wrong(ANNA, now)
    for first, last in zip(tried, tried[WRONG_OVER_CALLS:], strict=False):
        assert last - first >= min(WINDOW, SHUT_FIRST) - 1e-6
