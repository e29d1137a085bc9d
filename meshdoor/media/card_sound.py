"""Microphone and speaker of a real sound card, at the beat of our own clock (`drift`).

What the card gives or takes at its own pace is kept a little in store; the store is kept level by stretching. When too
much has come together, because the card or this process stood still, what is too old is left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from meshdoor.media.cards import Cards, Slot, Tell
from meshdoor.media.drift import MOST, Drift
from meshdoor.media.floor import QUIETEST, peak
from meshdoor.media.sdl_audio import OpenCard, Way
from meshdoor.media.sound import PIECE, SAMPLES, SILENCE
from meshdoor.media.swresample import stretcher

# Ours, in samples: against the pieces of the card and what the loop comes late by.
CAPTURED = 480  # left over after a beat, at least
PLAYED = 720  # queued before one, at least


class CardMicrophone:
    """See `microphone.Microphone`. While the card is gone it gives silence, so that nobody takes the line for dead."""

    def __init__(self, cards: Cards, name: str, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self.left_out = 0  # samples
        self.drift = Drift(CAPTURED)
        self._cards = cards
        self._slot: Slot = cards.slot(Way(True, name), tell)
        self._clock = clock
        self._card: OpenCard | None = None
        self._stretcher = stretcher()
        self._store = b""
        self._flows = self._begun = False

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
        self._card, self._store = card, b""
        self._flows = self._begun = False
        self.drift.restart()

    def _take(self, card: OpenCard) -> None:
        samples = card.read()
        if samples:
            self._slot.moved = self._clock()
            self._store += self._stretcher.convert(samples)

    def _give(self) -> bytes | None:
        level = len(self._store) // 2 - SAMPLES
        if not self._flows and level < self.drift.margin:
            return None
        if level < 0:
            self._flows = False
            self.drift.ran_out()
            return None
        self._flows = True
        if not self._begun:  # what a sound server gives first was captured a while ago
            self._begun = True
            self._shift(level - self.drift.margin)
        self._keep_level(level)
        piece, self._store = self._store[:PIECE], self._store[PIECE:]
        return piece

    def _keep_level(self, level: int) -> None:
        """What is too much is the oldest, so that what is said now is heard now."""
        if level > MOST:
            self._shift(level - self.drift.margin)
        elif self.drift.correction and peak(self._store[:PIECE]) < QUIETEST:
            self._shift(min(self.drift.correction, level))
        else:
            self._stretcher.stretch(self.drift.observe(level))

    def _shift(self, samples: int) -> None:
        """Leave out so many; below zero, put silence in."""
        self.left_out += max(0, samples)
        self.drift.restart()
        self._store = bytes(2 * max(0, -samples)) + self._store[2 * max(0, samples) :]


class CardSpeaker:
    """See `speaker.Speaker`. While the card is gone nothing is heard."""

    def __init__(self, cards: Cards, name: str, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self.volume = 1.0
        self.left_out = 0  # samples
        self.drift = Drift(PLAYED)
        self._cards = cards
        self._slot: Slot = cards.slot(Way(False, name), tell)
        self._clock = clock
        self._card: OpenCard | None = None
        self._stretcher = stretcher()
        self._queued = 0  # as it was after the last piece
        self._runs = False

    def open(self) -> None:
        self._slot.want(True)
        self._cards.look()

    def write(self, piece: bytes) -> None:
        card = self._slot.card
        if card is None:
            self._card = None
            return
        if card is not self._card:
            self._begin(card)
        level = card.queued()
        moves = level < self._queued
        if moves:
            self._slot.moved = self._clock()
        if moves and not self._runs:
            self._runs = True
            self._put(card, bytes(2 * max(0, self.drift.margin - level)))
            level = max(level, self.drift.margin)
        if not self._runs or level > MOST or (not moves and level > self.drift.margin + SAMPLES):
            self.left_out += SAMPLES
            self.drift.restart()
            return
        self._queue(card, piece, level)
        self._queued = card.queued()

    def close(self) -> None:
        self._card = None
        self._slot.want(False)
        self._cards.look()

    def _begin(self, card: OpenCard) -> None:
        """What it takes at once when it begins is not known."""
        self._card, self._runs = card, False
        self._put(card, bytes(2 * (self.drift.margin + SAMPLES)))
        self._queued = card.queued()
        self.drift.restart()

    def _queue(self, card: OpenCard, piece: bytes, level: int) -> None:
        if level == 0:
            self.drift.ran_out()
            self._put(card, bytes(2 * self.drift.margin))
        elif self.drift.correction and peak(piece) < QUIETEST:
            samples = min(self.drift.correction, SAMPLES)
            self.left_out += max(0, samples)
            self.drift.restart()
            piece = bytes(2 * max(0, -samples)) + piece[2 * max(0, samples) :]
        else:
            self._stretcher.stretch(self.drift.observe(level))
        self._put(card, self._stretcher.convert(piece))

    def _put(self, card: OpenCard, samples: bytes) -> None:
        if samples:
            card.write(samples, self.volume)
