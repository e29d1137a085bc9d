from __future__ import annotations

import wave
from pathlib import Path

import pytest

from meshdoor.errors import EngineError
from meshdoor.media.analysis import heard, read_wav
from meshdoor.media.microphone import ToneMicrophone
from meshdoor.media.sound import PIECE, RATE
from meshdoor.media.speaker import NullSpeaker, WavSpeaker, named
from tests.patience import wait_for


def play(speaker: WavSpeaker, frequency: int, pieces: int) -> None:
    microphone = ToneMicrophone(frequency)
    for _ in range(pieces):
        speaker.write(microphone.read() or b"")


def size(path: Path) -> int:
    return path.stat().st_size


def test_the_file_is_valid_while_it_grows(tmp_path: Path) -> None:
    speaker = WavSpeaker(tmp_path / "heard.wav")
    speaker.open()
    play(speaker, 500, 25)
    wait_for(lambda: size(speaker.path) == 44 + 25 * PIECE)
    with wave.open(str(speaker.path), "rb") as file:
        assert (file.getframerate(), file.getnframes()) == (RATE, 25 * PIECE // 2)
    assert heard(speaker.path) == 500
    speaker.close()


def test_what_is_heard_later_is_appended(tmp_path: Path) -> None:
    speaker = WavSpeaker(tmp_path / "heard.wav")
    for _ in range(2):
        speaker.open()
        play(speaker, 500, 2)
        speaker.close()
        speaker.close()
        speaker.write(b"\0" * PIECE)
    wait_for(lambda: size(speaker.path) == 44 + 4 * PIECE)
    assert len(read_wav(speaker.path)[1]) == 4 * PIECE // 2


def test_a_file_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="No such file"):
        WavSpeaker(tmp_path / "missing" / "heard.wav").open()


def test_names(tmp_path: Path) -> None:
    assert named("none", None) is None
    assert isinstance(named("null", None), NullSpeaker)
    assert isinstance(named("file", tmp_path), WavSpeaker)
    for text, directory in (("file", None), ("loud", tmp_path)):
        with pytest.raises(EngineError):
            named(text, directory)
