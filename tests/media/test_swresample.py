from __future__ import annotations

from itertools import pairwise

import pytest

from meshdoor.media import swresample
from meshdoor.media.microphone import ToneMicrophone
from meshdoor.media.sound import RATE
from meshdoor.media.swresample import Stretcher, Unstretched, stretcher


def stretched(ppm: float, seconds: int = 10) -> bytes:
    found = swresample.library()
    assert found is not None, "PyAV brings it along"
    machine, tone = Stretcher(found), ToneMicrophone(500)
    machine.stretch(ppm)
    return b"".join(machine.convert(tone.read() or b"") for _ in range(50 * seconds))


@pytest.mark.parametrize("ppm", [-1000, -100, 0, 100, 1000])
def test_so_many_samples_more(ppm: float) -> None:
    assert len(stretched(ppm)) // 2 == pytest.approx(10 * RATE * (1 + ppm / 1e6), abs=20)


def test_a_change_is_not_heard() -> None:
    found = swresample.library()
    assert found is not None
    machine, tone, sound = Stretcher(found), ToneMicrophone(500), b""
    for beat in range(500):
        machine.stretch(beat % 7 * 100 - 300)
        sound += machine.convert(tone.read() or b"")
    samples = memoryview(sound).cast("h")[100:]
    assert max(abs(one - two) for one, two in pairwise(samples)) < 560  # 524 of a pure tone


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swresample, "library", lambda: None)
    plain = stretcher()
    assert isinstance(plain, Unstretched)
    plain.stretch(100)
    assert plain.convert(b"ab") == b"ab"
