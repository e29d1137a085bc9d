"""No two clocks are alike: a sound card makes some samples a second more or less than 48000 of ours. What has been
captured and not yet sent, or sent and not yet played, would slowly grow or run out. So its lowest level in the last
seconds is watched: that is what is truly in store, whatever pieces a card takes and however late a busy machine comes.

That level is only known to a card's piece: a beat comes just before it or just after. So nothing is done in a wide
band, and how much must be in store for a card that is faster than we are shows when it runs out. Outside of the band,
where it is quiet, what is too much is left out and what is missing is put in; where it is never quiet the sound is
stretched while there is need. An echo canceller can do with a jump now and then, but not with a pitch that wanders.
"""

from __future__ import annotations

from meshdoor.media.sound import SAMPLES

# Ours. A card's quartz is off by 100 ppm at most, a bad one by 500.
LIMIT = 1000.0  # ppm; 1.7 cents of a semitone
WINDOW = 100  # beats; the lowest level is that of the last one to two of them
CARD = 480  # samples that a card takes at once
BAND = 3 * CARD  # above what there should be at least
MOST = 10 * SAMPLES  # samples that nobody waits for
_TOO_LOW, _TOO_HIGH = 2.0, 0.4  # ppm for each sample, in need
_STEP = 240  # samples more to be kept when it was not enough
_MORE = 2880  # and how many more in all; 60 ms
_CALM = 1500  # beats after which a tenth of a step is taken back


class Drift:
    """Keeps a level, in samples, at `least` or a little more; `observe` is called with it at each beat."""

    def __init__(self, least: int) -> None:
        self.margin = self._least = least
        self._now = self._before = self._beats = self._calm = 0
        self.restart()

    @property
    def lowest(self) -> int | None:
        """None while it was not watched for long."""
        return None if self._before < 0 else min(self._now, self._before)

    @property
    def _too_little(self) -> int:
        return self.margin * 3 // 4

    @property
    def correction(self) -> int:
        """Samples that are to be left out where it is quiet; below zero, those to be put in."""
        lowest = self.lowest
        if lowest is None or self._too_little <= lowest <= self.margin + BAND:
            return 0
        return lowest - self.margin - CARD

    def observe(self, level: int) -> float:
        """By how many ppm to stretch what comes next."""
        self._now = level if self._beats % WINDOW == 0 else min(self._now, level)
        self._beats += 1
        lowest = self.lowest
        if self._beats % WINDOW == 0:
            self._before = self._now
        self._rest()
        return 0.0 if lowest is None else max(-LIMIT, min(LIMIT, self._need(lowest)))

    def restart(self) -> None:
        """The level is another one: sound was left out or put in."""
        self._beats, self._before = 0, -1

    def ran_out(self) -> None:
        """It was not enough."""
        self.margin = min(self.margin + _STEP, self._least + _MORE)
        self._calm = 0
        self.restart()

    def _need(self, lowest: int) -> float:
        low, high = max(0, self._too_little - lowest), max(0, lowest - self.margin - BAND)
        return _TOO_LOW * low - _TOO_HIGH * high

    def _rest(self) -> None:
        """A time in which it was enough."""
        self._calm += 1
        if self._calm % _CALM == 0:
            self.margin = max(self._least, self.margin - _STEP // 10)
