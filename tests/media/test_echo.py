from __future__ import annotations

import math
import random
import sys
from array import array

import pytest

from meshdoor.errors import EngineError
from meshdoor.media import echo
from meshdoor.media.echo import AUTO, CANCEL, HALF_DUPLEX, OFF, EchoCanceller, Open, chosen, named
from meshdoor.media.floor import HalfDuplex
from meshdoor.media.sound import RATE, SAMPLES

installed = pytest.mark.skipif(not echo.is_installed(), reason="the extra aec is not installed")


def test_what_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echo, "is_installed", lambda: True)
    assert chosen(AUTO) == CANCEL
    monkeypatch.setattr(echo, "is_installed", lambda: False)
    assert chosen(AUTO) == HALF_DUPLEX
    assert [chosen(wish) for wish in (CANCEL, HALF_DUPLEX, OFF)] == [CANCEL, HALF_DUPLEX, OFF]


def test_without_the_extra_one_side_talks_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "livekit", None)
    with pytest.raises(EngineError, match=r"pip install meshdoor\[aec\]"):
        EchoCanceller()
    assert isinstance(named(CANCEL), HalfDuplex)


def test_what_is_no_real_device_is_left_alone() -> None:
    duplex = named(OFF)
    assert isinstance(duplex, Open)
    assert duplex.heard(b"ab") == b"ab"
    assert duplex.said(b"cd") == b"cd"


def test_each_is_described() -> None:
    assert set(echo.DESCRIBED) == {CANCEL, HALF_DUPLEX, OFF}


def power(samples: array[int]) -> float:
    return sum(value * value for value in samples) / len(samples)


@installed
def test_an_echo_is_taken_out() -> None:
    """Noise that comes and goes like syllables, heard again 80 ms later at half its volume."""
    duplex, dice = named(CANCEL), random.Random(1)
    late = array("h", bytes(2 * RATE * 80 // 1000))
    came, went = array("h"), array("h")
    for beat in range(400):
        loud = 6000 * max(0.0, math.sin(beat / 7))
        far = array("h", [round(dice.uniform(-loud, loud)) for _ in range(SAMPLES)])
        assert duplex.heard(far.tobytes()) == far.tobytes()
        late += far
        near = array("h", [value // 2 for value in late[:SAMPLES]])
        del late[:SAMPLES]
        clean = array("h", duplex.said(near.tobytes()))
        assert len(clean) == SAMPLES
        if beat >= 200:
            came += near
            went += clean
    assert 10 * math.log10(power(came) / max(power(went), 1e-9)) > 25
