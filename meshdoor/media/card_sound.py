"""Microphone and speaker of a real sound card, at the beat of our own clock (`drift`).

What the card gives or takes at its own pace is kept a little in store; the store is kept level by stretching. When too
much has come together, because the card or this process stood still, what is too old is left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from meshdoor.media.cards import Cards, Slot, Tell
from meshdoor.media.drift import Drift
from meshdoor.media.sdl_audio import OpenCard, Way
from meshdoor.media.sound import PIECE, SAMPLES, SILENCE
from meshdoor.media.swresample import stretcher

# Ours, in samples: against the pieces of the card (10 ms) and what the loop comes late by.
CAPTURED = 480  # left over after a beat, at least
PLAYED = 960  # queued before one, at least


class CardMicrophone:
    """See `microphone.Microphone`. While the card is gone it gives silence, so that nobody takes the line for dead."""

    def __init__(self, cards: Cards, name: str, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self.left_out = 0  # samples
        self._cards = cards
        self._slot: Slot = cards.slot(Way(True, name), tell)
        self._clock = clock
        self._card: OpenCard | None = None
        self._drift = Drift(CAPTURED)
        self._stretcher = stretcher()
        self._store = b""
        self._flows = False

    def open(self) -> None:
        self._slot.want(True)
        self._cards.look()

    def read(self) -> bytes | None:
        card = self._slot.card
        if card is None:
            self._card = None
            return SILENCE
        if card is not self._card:
            self._begin(card)
        self._take(card)
        return self._give()

    def close(self) -> None:
        self._card = None
        self._slot.want(False)
        self._cards.look()

    def _begin(self, card: OpenCard) -> None:
        """What a card captured before somebody listened is nobody's."""
        card.clear()
        self._card, self._store, self._flows = card, b"", False
        self._drift.restart()

    def _take(self, card: OpenCard) -> None:
        samples = card.read()
        if samples:
            self._slot.moved = self._clock()
            self._store += self._stretcher.convert(samples)

    def _give(self) -> bytes | None:
        level = len(self._store) // 2 - SAMPLES
        if not self._flows:
            if level < self._drift.target:
                return None
            self._flows = True
        if level < 0:
            self._flows = False
            self._drift.ran_out()
            return None
        self._keep_level(level)
        piece, self._store = self._store[:PIECE], self._store[PIECE:]
        return piece

    def _keep_level(self, level: int) -> None:
        """What is too much is the oldest, so that what is said now is heard now."""
        excess = level - self._drift.target
        if self._drift.is_far_off(level):
            self.left_out += excess
            self._store = self._store[2 * excess :]
            self._drift.restart()
        else:
            self._stretcher.stretch(self._drift.observe(level))


class CardSpeaker:
    """See `speaker.Speaker`. While the card is gone nothing is heard."""

    def __init__(self, cards: Cards, name: str, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self.volume = 1.0
        self.left_out = 0  # samples
        self._cards = cards
        self._slot: Slot = cards.slot(Way(False, name), tell)
        self._clock = clock
        self._card: OpenCard | None = None
        self._drift = Drift(PLAYED)
        self._stretcher = stretcher()
        self._before = 0
        self._behind = False

    def open(self) -> None:
        self._slot.want(True)
        self._cards.look()

    def write(self, piece: bytes) -> None:
        card = self._slot.card
        if card is None:
            self._card = None
            return
        if card is not self._card:
            card.write(bytes(2 * self._drift.target))
            self._card, self._before = card, 0
            self._drift.restart()
        level = card.queued()
        if level < self._before:
            self._slot.moved = self._clock()
        self._before = self._queue(card, piece, level)

    def close(self) -> None:
        self._card = None
        self._slot.want(False)
        self._cards.look()

    def _queue(self, card: OpenCard, piece: bytes, level: int) -> int:
        """How much is queued now."""
        drift = self._drift
        self._behind = drift.is_far_off(level) or (self._behind and level > drift.target)
        if self._behind:
            self.left_out += SAMPLES
            drift.restart()
            return level
        samples = self._stretcher.convert(piece)
        if level == 0:
            drift.ran_out()
            samples = bytes(2 * drift.target) + samples
        else:
            self._stretcher.stretch(drift.observe(level))
        card.write(samples, self.volume)
        return level + len(samples) // 2
