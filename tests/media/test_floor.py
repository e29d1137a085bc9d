from __future__ import annotations

from array import array

import hypothesis.strategies as st
from hypothesis import given

from meshdoor.media.floor import QUIETEST, RELEASE, Ear, Floor, FloorControl, HalfDuplex, peak
from meshdoor.media.sound import INTERVAL, SAMPLES, SILENCE

LOUD, HUSH = 8000, 20
peaks = st.lists(st.tuples(st.integers(0, 32768), st.integers(0, 32768)), max_size=200)


def square(level: int) -> bytes:
    return array("h", [level, -level] * (SAMPLES // 2)).tobytes()


def beats(control: FloorControl, theirs: int, ours: int, count: int = 1) -> Floor:
    for _ in range(count):
        control.theirs(theirs)
        control.ours(ours)
    return control.holder


def test_who_speaks_first_holds_the_floor() -> None:
    control = FloorControl()
    assert beats(control, HUSH, HUSH, 10) is Floor.FREE
    assert beats(control, HUSH, LOUD) is Floor.OURS
    assert beats(control, LOUD, LOUD, 20) is Floor.OURS
    other = FloorControl()
    assert beats(other, LOUD, LOUD, 20) is Floor.THEIRS


def test_the_floor_is_given_up_after_a_pause() -> None:
    control = FloorControl()
    beats(control, LOUD, HUSH)
    held = 0
    while beats(control, HUSH, HUSH) is Floor.THEIRS:
        held += 1
    assert RELEASE - INTERVAL <= held * INTERVAL <= RELEASE
    assert beats(control, HUSH, LOUD) is Floor.OURS


def test_a_short_pause_between_words_is_none() -> None:
    control = FloorControl()
    beats(control, HUSH, LOUD)
    for _ in range(10):
        assert beats(control, HUSH, HUSH, 5) is Floor.OURS
        assert beats(control, LOUD, LOUD) is Floor.OURS


def test_a_noise_that_never_ends_gives_the_floor_up() -> None:
    control = FloorControl()
    assert beats(control, HUSH, 3000) is Floor.OURS
    beats(control, HUSH, 3000, 300)
    assert control.holder is Floor.FREE
    assert beats(control, LOUD, 3000) is Floor.THEIRS


def test_speech_above_a_noise_is_heard() -> None:
    ear = Ear()
    for _ in range(500):
        ear.speaks(1000)
    assert not ear.speaks(1100)
    assert ear.speaks(4000)


def test_when_nobody_listens_we_speak() -> None:
    """No sound comes from a peer: `theirs` is not called."""
    control = FloorControl()
    control.ours(LOUD)
    assert control.holder is Floor.OURS


@given(peaks)
def test_never_both_are_heard(rounds: list[tuple[int, int]]) -> None:
    duplex = HalfDuplex()
    for theirs, ours in rounds:
        played = duplex.heard(square(min(theirs, 32767)))
        sent = duplex.said(square(min(ours, 32767)))
        holder = duplex.control.holder
        if holder is Floor.THEIRS:
            assert peak(sent[-200:]) <= 0.15 * 32768
        if holder is Floor.OURS and peak(played[-200:]) > QUIETEST:
            # It was ours only after their piece had been played.
            assert duplex.control.holder is Floor.OURS
            assert peak(duplex.heard(square(5000))[-200:]) < 0.2 * 5000


def test_what_is_heard_while_nobody_speaks_is_turned_down() -> None:
    duplex = HalfDuplex()
    duplex.heard(SILENCE)
    assert peak(duplex.said(square(200))) == 25
    assert duplex.said(square(LOUD)) == square(LOUD)
    assert duplex.heard(SILENCE) == SILENCE


def test_a_side_that_is_cut_off_does_not_click() -> None:
    duplex = HalfDuplex()
    duplex.heard(square(LOUD))
    faded = array("h", duplex.said(square(LOUD)))
    assert abs(faded[0]) > 0.9 * LOUD
    assert abs(faded[-1]) < 0.1 * LOUD
    duplex.heard(square(LOUD))
    assert duplex.said(square(LOUD)) == SILENCE


def test_peaks() -> None:
    assert peak(b"") == 0
    assert peak(square(7)) == 7
    assert peak(array("h", [5, -32768]).tobytes()) == 32768
