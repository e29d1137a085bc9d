from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from meshdoor.errors import EngineError
from meshdoor.media import tones
from meshdoor.media.floor import peak
from meshdoor.media.sound import RATE
from meshdoor.media.speaker import header
from meshdoor.settings.sound import TONES


@pytest.mark.parametrize("name", [*TONES, tones.KNOCK, tones.OPENED, tones.PAGE, tones.ALARM, tones.TEST])
def test_every_tone_can_be_heard_and_none_is_too_loud(name: str) -> None:
    samples = array("h", tones.named(name))
    assert 0.5 * RATE <= len(samples) <= 6 * RATE
    assert 8000 < peak(samples.tobytes()) < 32767


@pytest.mark.parametrize("name", TONES)
def test_what_rings_ends_with_a_pause(name: str) -> None:
    assert peak(tones.named(name)[-RATE // 5 :]) < 900


def test_no_two_are_alike() -> None:
    assert len({tones.named(name) for name in TONES}) == len(TONES)


def test_a_sound_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "dog.wav"
    path.write_bytes(header(2 * RATE) + b"\1\2" * RATE)
    samples = tones.named(str(path))
    assert samples[:20] == b"\1\2" * 10
    assert len(samples) == 2 * RATE + 2 * RATE


def test_what_is_no_tone(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no tone 'dingdong'"):
        tones.named("dingdong")
    with pytest.raises(EngineError):
        tones.named(str(tmp_path / "missing.wav"))
    (tmp_path / "empty.wav").write_bytes(header(0))
    with pytest.raises(EngineError):
        tones.named(str(tmp_path / "empty.wav"))
