from __future__ import annotations

from array import array

import pytest

from meshdoor.media.card_sound import CAPTURED, PLAYED, CardMicrophone, CardSpeaker
from meshdoor.media.cards import Cards
from meshdoor.media.drift import MOST, WINDOW
from meshdoor.media.floor import peak
from meshdoor.media.sound import PIECE, SAMPLES, SILENCE
from tests.media.sound_cards import Clock, FakeCard, FakeDriver

LOUD = array("h", ([9000] * 24 + [-9000] * 24) * (SAMPLES // 48)).tobytes()  # 1 kHz


class Bench:
    """The thread of the cards is this test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.driver, self.clock = FakeDriver(""), Clock()
        self.cards = Cards(self.driver, self.clock)
        monkeypatch.setattr(self.cards, "_begin", lambda: None)
        self.told: list[str] = []

    def microphone(self) -> tuple[CardMicrophone, FakeCard]:
        made = CardMicrophone(self.cards, "", self.tell, self.clock)
        made.open()
        self.cards.tend()
        assert made.read() is None  # it begins with the first that is captured now
        return made, self.driver.card

    def speaker(self) -> tuple[CardSpeaker, FakeCard]:
        made = CardSpeaker(self.cards, "", self.tell, self.clock)
        made.open()
        self.cards.tend()
        return made, self.driver.card

    def tell(self, state: str, text: str) -> None:
        self.told.append(state)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def captures(microphone: CardMicrophone, card: FakeCard, beats: int, piece: bytes = LOUD) -> list[bytes | None]:
    pieces = []
    for _ in range(beats):
        card.captured += piece
        pieces.append(microphone.read())
    return pieces


def test_what_is_captured_comes_out_a_piece_at_a_beat(bench: Bench) -> None:
    microphone, card = bench.microphone()
    pieces = captures(microphone, card, 50)
    assert pieces.count(None) <= 1
    assert all(len(piece) == PIECE for piece in pieces if piece is not None)
    assert all(8000 < peak(piece) < 12000 for piece in pieces[1:] if piece is not None)


def test_what_was_captured_before_is_not_heard(bench: Bench) -> None:
    microphone = CardMicrophone(bench.cards, "", bench.tell, bench.clock)
    microphone.open()
    bench.cards.tend()
    bench.driver.card.captured = LOUD * 3
    assert microphone.read() is None
    assert microphone.read() is None


def test_a_microphone_that_is_gone_is_silent_and_comes_back(bench: Bench) -> None:
    microphone, card = bench.microphone()
    captures(microphone, card, 5)
    card.here = False
    bench.cards.tend()
    assert [microphone.read() for _ in range(3)] == [SILENCE] * 3
    bench.cards.tend()
    assert bench.told == ["ok", "failed", "ok"]
    assert any(captures(microphone, bench.driver.card, 5))


def test_a_microphone_that_came_late_is_made_up_for(bench: Bench) -> None:
    """The process stood still: what is older than can be of use is left out, at once."""
    microphone, card = bench.microphone()
    captures(microphone, card, 10)
    card.captured += LOUD * 15
    microphone.read()
    assert microphone.left_out > MOST - SAMPLES
    assert len(captures(microphone, card, 1)[0] or b"") == PIECE


def test_a_small_surplus_is_left_out_where_it_is_quiet(bench: Bench) -> None:
    microphone, card = bench.microphone()
    captures(microphone, card, 10)
    card.captured += LOUD * 3
    before = microphone.left_out
    captures(microphone, card, 2 * WINDOW)
    assert microphone.left_out == before
    captures(microphone, card, 10, SILENCE)
    assert 1000 < microphone.left_out - before < 3 * SAMPLES


def test_a_microphone_that_runs_out_keeps_more(bench: Bench) -> None:
    microphone, card = bench.microphone()
    captures(microphone, card, 10)
    assert None in [microphone.read() for _ in range(3)]
    assert microphone.drift.margin > CAPTURED
    assert None not in captures(microphone, card, 10)[2:]


def plays(speaker: CardSpeaker, card: FakeCard, beats: int, piece: bytes = LOUD) -> None:
    for _ in range(beats):
        card.play(SAMPLES)
        speaker.write(piece)


def test_what_is_written_is_played_after_a_little_silence(bench: Bench) -> None:
    speaker, card = bench.speaker()
    plays(speaker, card, 50)
    assert card.wrote[: 2 * PLAYED] == bytes(2 * PLAYED)
    assert len(card.wrote) == pytest.approx(2 * PLAYED + 50 * PIECE, abs=200)
    assert 8000 < peak(card.wrote[4 * PIECE : 5 * PIECE]) < 12000
    assert speaker.left_out == SAMPLES  # before the card began


def test_a_speaker_that_has_not_begun_is_not_fed(bench: Bench) -> None:
    speaker, card = bench.speaker()
    for _ in range(50):
        speaker.write(LOUD)
    assert card.pending < PLAYED + 3 * SAMPLES
    plays(speaker, card, 50)
    assert card.pending > PLAYED - SAMPLES


def test_a_speaker_in_which_nothing_moves_is_noticed(bench: Bench) -> None:
    speaker, card = bench.speaker()
    plays(speaker, card, 5)
    for _ in range(200):
        bench.clock.now += 0.02
        speaker.write(LOUD)
    bench.cards.tend()
    assert card.closed
    bench.cards.tend()
    assert bench.told == ["ok", "failed", "ok"]
    speaker.write(LOUD)
    assert bench.driver.card is not card
    assert bench.driver.card.pending > PLAYED


def test_a_speaker_that_runs_out_gets_more(bench: Bench) -> None:
    speaker, card = bench.speaker()
    plays(speaker, card, 5)
    card.play(MOST)
    speaker.write(LOUD)
    assert speaker.drift.margin > PLAYED
    assert card.pending > speaker.drift.margin


def test_a_surplus_is_not_played_where_it_is_quiet(bench: Bench) -> None:
    speaker, card = bench.speaker()
    plays(speaker, card, 5)
    left_out = speaker.left_out
    for _ in range(4 * WINDOW):  # of a slow card
        card.play(SAMPLES - 10)
        speaker.write(LOUD)
    before = card.pending
    assert speaker.left_out == left_out
    plays(speaker, card, 10, SILENCE)
    assert SAMPLES // 2 < speaker.left_out - left_out < 5 * SAMPLES
    assert card.pending < before - SAMPLES // 2


def test_how_loud(bench: Bench) -> None:
    speaker, card = bench.speaker()
    speaker.volume = 0.5
    speaker.write(LOUD)
    assert set(card.volumes) == {0.5}


def test_nothing_is_written_while_it_is_closed(bench: Bench) -> None:
    speaker, card = bench.speaker()
    speaker.close()
    bench.cards.tend()
    speaker.write(LOUD)
    assert card.wrote == b""
    assert card.closed
