from __future__ import annotations

import asyncio
import time
from array import array

from meshdoor.errors import EngineError
from meshdoor.media.playout import Playout
from meshdoor.media.reports import Device
from meshdoor.media.sound import PIECE, SILENCE
from tests.patience import until


class Constant:
    """A voice that always says the same; nothing at 0."""

    def __init__(self, value: int) -> None:
        self.value = value

    def pull(self, now: float) -> bytes | None:
        return array("h", [self.value] * (PIECE // 2)).tobytes() if self.value else None


class Recorder:
    def __init__(self, broken: bool = False) -> None:
        self.pieces: list[bytes] = []
        self.opened = self.closed = 0
        self._broken = broken

    def open(self) -> None:
        if self._broken:
            raise EngineError("it is unplugged")
        self.opened += 1

    def write(self, piece: bytes) -> None:
        self.pieces.append(piece)

    def close(self) -> None:
        self.closed += 1


async def test_all_voices_are_heard_together() -> None:
    speaker, told = Recorder(), list[Device]()
    playout = Playout(speaker, time.monotonic, told.append)
    voices = Constant(100), Constant(20), Constant(0)
    for voice in voices:
        playout.add(voice)
    await until(lambda: len(speaker.pieces) >= 3)
    assert set(speaker.pieces) == {Constant(120).pull(0)}
    for voice in voices[:2]:
        playout.remove(voice)
    playout.remove(voices[0])
    speaker.pieces.clear()
    await until(lambda: SILENCE in speaker.pieces)
    assert len(told) == 1
    playout.remove(voices[2])
    assert [device.state for device in told] == ["ok", "idle"]
    assert not playout.metronome.running
    playout.close()
    assert [speaker.opened, speaker.closed] == [1, 1]


async def test_a_speaker_that_is_not_there() -> None:
    told = list[Device]()
    playout = Playout(Recorder(broken=True), time.monotonic, told.append)
    playout.add(Constant(1))
    await asyncio.sleep(0.03)
    playout.close()
    assert told == [Device("speaker", "failed", "it is unplugged")]
    nobody = Playout(None, time.monotonic)
    nobody.add(Constant(1))
    await asyncio.sleep(0.03)
    assert nobody.metronome.running
    nobody.close()
