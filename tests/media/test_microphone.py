from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from meshdoor.errors import EngineError
from meshdoor.media.analysis import pitch
from meshdoor.media.microphone import (
    LoopMicrophone,
    Microphone,
    SilentMicrophone,
    ToneMicrophone,
    WavMicrophone,
    named,
    tone_of,
)
from meshdoor.media.sound import PIECE, RATE, SILENCE
from meshdoor.media.speaker import header


def listen(microphone: Microphone | None, pieces: int = 15) -> bytes:
    assert microphone is not None
    microphone.open()
    sound = b"".join(microphone.read() or b"" for _ in range(pieces))
    microphone.close()
    assert len(sound) == pieces * PIECE
    return sound


def pitch_of(sound: bytes) -> int | None:
    return pitch(memoryview(sound).cast("h"), RATE)


def test_a_tone_goes_on_without_a_step() -> None:
    sound = listen(ToneMicrophone(440), 120)
    samples = memoryview(sound).cast("h")
    assert pitch_of(sound) == 440
    assert max(abs(one - two) for one, two in pairwise(samples)) < 500


def test_a_loop_shorter_than_a_piece() -> None:
    assert listen(LoopMicrophone(b"\1\2\3\4\5\6"), 2) == (b"\1\2\3\4\5\6" * PIECE)[: 2 * PIECE]


def test_a_file_is_looped(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    tone = listen(ToneMicrophone(600), 10)
    path.write_bytes(header(len(tone)) + tone)
    assert listen(WavMicrophone(path), 20) == tone * 2


@pytest.mark.parametrize("content", [b"", b"no sound", header(0)])
def test_files_without_sound(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(EngineError):
        WavMicrophone(path)


def test_names(tmp_path: Path) -> None:
    assert isinstance(named("silence", "x"), SilentMicrophone)
    assert named("none", "x") is None
    assert pitch_of(listen(named("tone:820", "x"))) == 820
    assert pitch_of(listen(named("tone", "Front"))) == tone_of("Front")
    assert listen(SilentMicrophone(), 1) == SILENCE
    for text in ("tone:x", "tone:0", "tone:24000", str(tmp_path / "missing.wav")):
        with pytest.raises(EngineError):
            named(text, "x")
