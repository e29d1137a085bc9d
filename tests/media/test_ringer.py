from __future__ import annotations

from array import array

import pytest

from meshdoor.media.ringer import Ringer, Ringing
from meshdoor.media.sound import INTERVAL, PIECE, SAMPLES


def tone(level: int, pieces: float) -> bytes:
    return array("h", [level] * round(pieces * SAMPLES)).tobytes()


class Stage:
    """A playout whose beats are calls, and the volume of its speaker."""

    def __init__(self) -> None:
        self.voices: set[object] = set()
        self.volume = 1.0
        self.now = 50.0
        self.ringer = Ringer(self, self.set_volume)

    def add(self, voice: object) -> None:
        self.voices.add(voice)

    def remove(self, voice: object) -> None:
        self.voices.discard(voice)

    def has_others(self, voice: object) -> bool:
        return len(self.voices - {voice}) > 0

    def set_volume(self, volume: float) -> None:
        self.volume = volume

    def hears(self, pieces: int) -> list[int]:
        """The first sample of each piece; nothing when it is quiet."""
        heard = []
        for _ in range(pieces):
            self.now += INTERVAL
            if self.voices and (piece := self.ringer.pull(self.now)):
                assert len(piece) == PIECE
                heard.append(array("h", piece)[0])
        return heard


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_tone_is_repeated_until_it_is_to_stop(stage: Stage) -> None:
    stage.ringer.ring(Ringing(tone(1, 1) + tone(2, 1.5), 0.5, 1.0, 0.0))
    assert stage.hears(7) == [1, 2, 2, 1, 2, 2, 1]
    assert stage.volume == 0.5
    stage.ringer.hush()
    assert stage.hears(3) == []
    assert stage.volume == 1.0


def test_what_the_visitor_hears_while_it_rings_ends_when_somebody_speaks(stage: Stage) -> None:
    stage.ringer.chime(tone(1, 9), 0.5, yields=True)
    stage.ringer.chime(tone(2, 4), 0.5)
    assert stage.hears(2) == [3, 3]
    stage.add("somebody")
    assert stage.hears(3) == [2, 2, 0]
    assert stage.voices == {"somebody"}


def test_it_gets_louder_after_a_while(stage: Stage) -> None:
    stage.ringer.ring(Ringing(tone(1, 1), 0.3, 0.9, 15.0))
    stage.hears(749)
    assert stage.volume == 0.3
    stage.hears(3)
    assert stage.volume == 0.9


def test_ringing_that_changes_grows_no_younger(stage: Stage) -> None:
    stage.ringer.ring(Ringing(tone(1, 2), 0.3, 0.9, 15.0))
    stage.hears(501)
    stage.ringer.ring(Ringing(tone(5, 2), 0.2, 0.9, 15.0))
    assert stage.hears(1) == [5]
    assert stage.volume == 0.2
    stage.hears(260)
    assert stage.volume == 0.9
    stage.ringer.hush()
    stage.ringer.ring(Ringing(tone(5, 2), 0.2, 0.9, 15.0))
    stage.hears(1)
    assert stage.volume == 0.2


def test_a_chime_is_heard_once(stage: Stage) -> None:
    stage.ringer.chime(tone(7, 2.5), 0.4)
    assert stage.hears(10) == [7, 7, 7]
    assert stage.volume == 1.0
    assert not stage.voices


def test_a_knock_while_it_rings(stage: Stage) -> None:
    stage.ringer.ring(Ringing(tone(1, 4), 0.3, 0.3, 0.0))
    stage.ringer.chime(tone(10, 1), 0.6)
    assert stage.hears(1) == [11]
    assert stage.volume == 0.6
    assert stage.hears(2) == [1, 1]
    assert stage.volume == 0.3


def test_how_loud_speech_is(stage: Stage) -> None:
    stage.ringer.speak(0.7)
    assert stage.volume == 0.7
    stage.ringer.ring(Ringing(tone(1, 4), 0.3, 0.3, 0.0))
    stage.hears(1)
    stage.ringer.speak(0.8)
    assert stage.volume == 0.3
    stage.ringer.hush()
    assert stage.volume == 0.8
