from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from meshdoor.media.sound import PIECE, SILENCE, fade, mix


def piece(value: int) -> bytes:
    return array("h", [value] * (PIECE // 2)).tobytes()


def test_one_voice_stays_as_it_is() -> None:
    assert mix([]) == SILENCE
    assert mix([piece(7)]) == piece(7)


def test_voices_are_added_and_clipped() -> None:
    assert mix([piece(100), piece(-30)]) == piece(70)
    assert mix([piece(30_000), piece(30_000)]) == piece(32_767)
    assert mix([piece(-30_000)] * 3) == piece(-32_768)


SAMPLES = st.lists(st.integers(-0x8000, 0x7FFF), min_size=6, max_size=6)


@given(st.lists(SAMPLES, min_size=2, max_size=4), st.sampled_from([1, 2, 4]))
def test_mixing_is_adding(voices: list[list[int]], quieter: int) -> None:
    voices = [[value // quieter for value in voice] for voice in voices]
    expected = [max(-0x8000, min(0x7FFF, sum(values))) for values in zip(*voices, strict=True)]
    assert mix([array("h", voice).tobytes() for voice in voices]) == array("h", expected).tobytes()


def test_fading() -> None:
    values = array("h", fade(piece(1000), 1.0, 0.5))
    assert values[0] == 1000
    assert 500 <= values[-1] < 510
    assert fade(b"", 1.0, 0.0) == b""
