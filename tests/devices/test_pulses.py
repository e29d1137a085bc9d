"""Relays that are on for a while."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from meshdoor.devices.pulses import Pulses

NAMES = ("lock", "bell")


def test_a_pulse_ends_when_it_is_due() -> None:
    pulses = Pulses(NAMES)
    assert pulses.next_deadline() is None
    assert pulses.on("lock", 3.0, 1.0)
    assert pulses.next_deadline() == 4.0
    assert pulses.due(3.999) == []
    assert pulses.due(4.0) == ["lock"]
    assert pulses.due(4.0) == []


def test_a_pulse_can_be_cut_short() -> None:
    pulses = Pulses(NAMES)
    pulses.on("lock", 3.0, 1.0)
    assert pulses.off("lock")
    assert not pulses.off("lock")
    assert pulses.due(9.0) == []


def test_a_longer_pulse_goes_on_and_a_shorter_one_shortens_nothing() -> None:
    pulses = Pulses(NAMES)
    pulses.on("bell", 3.0, 0.0)
    assert not pulses.on("bell", 1.0, 1.0)
    assert pulses.next_deadline() == 3.0
    assert not pulses.on("bell", 5.0, 1.0)
    assert pulses.next_deadline() == 6.0


class Relays(RuleBasedStateMachine):
    """No relay is ever on after its time, whatever is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.pulses = Pulses(NAMES)
        self.until = dict.fromkeys(NAMES, 0.0)

    @rule(name=st.sampled_from(NAMES), seconds=st.floats(0.1, 10))
    def on(self, name: str, seconds: float) -> None:
        fresh = self.pulses.on(name, seconds, self.now)
        assert fresh is (self.until[name] <= self.now)
        self.until[name] = max(self.until[name], self.now + seconds)

    @rule(name=st.sampled_from(NAMES))
    def off(self, name: str) -> None:
        self.pulses.off(name)
        self.until[name] = 0.0

    @rule(seconds=st.floats(0.1, 10))
    def wait(self, seconds: float) -> None:
        before, self.now = self.now, self.now + seconds
        over = {name for name, until in self.until.items() if before < until <= self.now}
        assert set(self.pulses.due(self.now)) == over

    @invariant()
    def the_next_is_known(self) -> None:
        left = [until for until in self.until.values() if until > self.now]
        assert self.pulses.next_deadline() == min(left, default=None)


TestRelays = Relays.TestCase
