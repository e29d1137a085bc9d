"""No two clocks are alike: a sound card makes some samples a second more or less than 48000 of ours. What has been
captured and not yet sent, or sent and not yet played, would slowly grow or run out. So its lowest level in the last
seconds is watched: that is what is truly in store, whatever pieces a card takes and however late a busy machine comes.

While it is neither too low nor too high, nothing is done. Else the sound is stretched by a few parts in a million; and
what is far too much may be left out where it is quiet.
"""

from __future__ import annotations

from meshdoor.media.sound import SAMPLES

# Ours. A card's quartz is off by 100 ppm at most, a bad one by 500.
LIMIT = 1000.0  # ppm; 1.7 cents of a semitone
WINDOW = 100  # beats; the lowest level is that of the last one to two of them
BAND = 240  # samples between too low and too high
MOST = 10 * SAMPLES  # samples that nobody waits for
_GAIN = 2.0  # ppm for each sample above or below
_STEP = 240  # samples more to be kept when it was not enough
_MORE = 2880  # and how many more in all; 60 ms
_CALM = 150  # beats after which a tenth of a step is taken back


class Drift:
    """Keeps a level, in samples, at `least` or a little more; `observe` is called with it at each beat."""

    def __init__(self, least: int) -> None:
        self.ppm = 0.0
        self.margin = self._least = least
        self._now = self._before = self._beats = self._calm = 0
        self.restart()

    @property
    def lowest(self) -> int | None:
        """None while it was not watched for long."""
        return None if self._before < 0 else min(self._now, self._before)

    @property
    def surplus(self) -> int:
        """Samples that are of no use but to be late."""
        lowest = self.lowest
        return 0 if lowest is None or lowest <= self.margin + 2 * BAND else lowest - self.margin - BAND // 2

    def observe(self, level: int) -> float:
        """By how many ppm to stretch what comes next."""
        self._now = level if self._beats % WINDOW == 0 else min(self._now, level)
        self._beats += 1
        lowest = self.lowest
        if lowest is not None:
            self.ppm = _GAIN * (min(0, self.margin + BAND - lowest) + max(0, self.margin - lowest))
            self.ppm = max(-LIMIT, min(LIMIT, self.ppm))
        if self._beats % WINDOW == 0:
            self._before = self._now
        self._rest()
        return self.ppm

    def restart(self) -> None:
        """Sound was left out or put in. What is known of the clocks stays."""
        self._beats, self._before = 0, -1

    def ran_out(self) -> None:
        """It was not enough."""
        self.margin = min(self.margin + _STEP, self._least + _MORE)
        self._calm = 0
        self.restart()

    def _rest(self) -> None:
        """A time in which it was enough."""
        self._calm += 1
        if self._calm % _CALM == 0:
            self.margin = max(self._least, self.margin - _STEP // 10)
