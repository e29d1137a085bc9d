"""No two clocks are alike: a sound card makes some samples a second more or less than 48000 of ours. What has been
captured and not yet sent, or sent and not yet played, would slowly grow or run out. So it is watched, and the sound is
stretched by as many parts in a million as keep it level.
"""

from __future__ import annotations

from meshdoor.media.sound import INTERVAL, RATE, SAMPLES

# Ours. A card's quartz is off by 100 ppm at most; below 2000 nobody hears the change of pitch (3.5 cents).
LIMIT = 2000.0  # ppm
_SMOOTH = 50  # beats over which a level is averaged: cards take and give in pieces of their own
_SPEED = 0.15  # rad/s of the control loop, critically damped
_STEP = 480  # samples by which a target grows
_MOST = 2880  # and how far; 60 ms
_CALM = 1500  # beats after which it comes back by a step
_FAR = 3 * SAMPLES
_SHARE = RATE / 1e6  # samples a second that one ppm makes
_AT_ONCE = 2 * _SPEED / _SHARE  # ppm for each sample of error
_IN_TIME = _SPEED**2 / _SHARE  # ppm a second for each sample of error


class Drift:
    """Keeps a level at its `target`, both in samples; `observe` is called at each beat.

    The target is `least`; it grows when what is kept in store was not enough, and comes back when it was for long."""

    def __init__(self, least: int) -> None:
        self.target = self._least = least
        self.ppm = 0.0
        self._learnt = 0.0
        self._level = float(least)
        self._calm = 0

    @property
    def level(self) -> float:
        """The mean of the last second."""
        return self._level

    def observe(self, level: int) -> float:
        """By how many ppm to stretch what comes next."""
        self._rest()
        self._level += (level - self._level) / _SMOOTH
        error = self.target - self._level
        self._learnt = _bounded(self._learnt + _IN_TIME * INTERVAL * error)
        self.ppm = _bounded(self._learnt + _AT_ONCE * error)
        return self.ppm

    def restart(self) -> None:
        """The level is at its target again, after sound was left out or put in. What was learnt of the clocks stays."""
        self._level = float(self.target)

    def ran_out(self) -> None:
        """It was not enough."""
        self._calm = 0
        self.target = min(self.target + _STEP, self._least + _MOST)
        self.restart()

    def is_far_off(self, level: int) -> bool:
        """Too late to be mended by stretching."""
        return level > self.target + _FAR

    def _rest(self) -> None:
        self._calm += 1
        if self._calm >= _CALM and self.target > self._least:
            self._calm = 0
            self.target -= _STEP


def _bounded(ppm: float) -> float:
    return max(-LIMIT, min(LIMIT, ppm))
