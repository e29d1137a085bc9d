from __future__ import annotations

import random
from array import array
from pathlib import Path

import pytest

from meshdoor.media.analysis import heard, pitch, power, read_wav, rms, sound
from meshdoor.media.microphone import ToneMicrophone
from meshdoor.media.sound import RATE
from meshdoor.media.speaker import header


def tone(frequency: int, pieces: int = 20) -> list[int]:
    microphone = ToneMicrophone(frequency)
    return list(memoryview(b"".join(microphone.read() or b"" for _ in range(pieces))).cast("h"))


@pytest.mark.parametrize("frequency", [300, 440, 1000, 1500])
def test_pitch(frequency: int) -> None:
    assert pitch(tone(frequency), RATE) == frequency


def test_no_pitch() -> None:
    chance = random.Random(3)
    assert pitch([0] * RATE, RATE) is None
    assert pitch([chance.randrange(-9000, 9000) for _ in range(RATE)], RATE) is None


def test_loudness() -> None:
    assert rms([]) == 0
    assert rms(tone(500)) == pytest.approx(8000 / 2**0.5, rel=0.01)
    assert power(tone(500), RATE, 500) > 0.99
    assert power(tone(500), RATE, 800) < 0.01


def test_silence_around_a_sound_is_left_out(tmp_path: Path) -> None:
    samples = [0] * 9600 + tone(700, 10) + [0] * 9600
    assert len(sound(samples, RATE)) == 9600
    path = tmp_path / "a.wav"
    data = b"".join(value.to_bytes(2, "little", signed=True) for value in samples)
    path.write_bytes(header(len(data)) + data)
    assert heard(path) == 700


def test_only_one_channel_of_16_bits(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    path.write_bytes(header(8).replace(b"\1\0\1\0", b"\1\0\2\0").replace(b"\2\0\x10\0", b"\4\0\x10\0") + bytes(8))
    with pytest.raises(ValueError, match="channel"):
        read_wav(path)


def test_a_tone_after_noise_is_heard(tmp_path: Path) -> None:
    chance = random.Random(3)
    noise = [chance.randrange(-9000, 9000) for _ in range(RATE // 2)]
    samples = array("h", noise + tone(700)).tobytes()
    path = tmp_path / "a.wav"
    path.write_bytes(header(len(samples)) + samples)
    assert heard(path) == 700


def test_a_tone_is_taken_from_where_it_does_not_jump(tmp_path: Path) -> None:
    """Where the buffers of a busy machine run out, samples are missing, and it looks 10 Hz too low or too high."""
    whole = tone(700, 50)
    torn = [value for piece in range(25) for value in whole[488 * piece :][:480]]
    assert pitch(torn, RATE) == 710
    samples = array("h", torn + whole).tobytes()
    path = tmp_path / "a.wav"
    path.write_bytes(header(len(samples)) + samples)
    assert heard(path) == 700
