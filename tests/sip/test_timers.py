"""The agenda and its named timers."""

from __future__ import annotations

from meshdoor.sip.timers import Agenda, Timed


class Clock(Timed):
    def __init__(self, agenda: Agenda) -> None:
        super().__init__(agenda)
        self.fired: list[tuple[str, float]] = []

    def timer_a(self, now: float) -> None:
        self.fired.append(("A", now))

    def timer_b(self, now: float) -> None:
        self.fired.append(("B", now))
        self.arm("A", now + 1.0)


def test_timers_fire_in_order() -> None:
    agenda = Agenda()
    clock = Clock(agenda)
    clock.arm("B", 2.0)
    clock.arm("A", 1.0)
    assert agenda.next_deadline() == 1.0
    agenda.handle_timer(2.5)
    assert clock.fired == [("A", 2.5), ("B", 2.5)]
    assert agenda.next_deadline() == 3.5


def test_nothing_fires_early() -> None:
    agenda = Agenda()
    clock = Clock(agenda)
    clock.arm("A", 1.0)
    agenda.handle_timer(0.9)
    assert clock.fired == []


def test_a_stopped_timer_leaves_no_deadline() -> None:
    agenda = Agenda()
    clock = Clock(agenda)
    clock.arm("A", 1.0)
    clock.disarm("A", "B")
    assert agenda.next_deadline() is None


def test_a_timer_set_anew_replaces_the_old_one() -> None:
    agenda = Agenda()
    clock = Clock(agenda)
    clock.arm("A", 1.0)
    clock.arm("A", 5.0)
    assert agenda.next_deadline() == 5.0
    clock.arm("A", 2.0)
    agenda.handle_timer(10.0)
    assert clock.fired == [("A", 10.0)]
    assert agenda.next_deadline() is None


def test_the_heap_forgets_objects_that_wait_for_nothing() -> None:
    agenda = Agenda()
    for _ in range(1000):
        clock = Clock(agenda)
        clock.arm("A", 3600.0)
        clock.disarm("A")
    assert len(agenda) <= 65


def test_the_heap_keeps_whoever_waits() -> None:
    agenda = Agenda()
    clocks = [Clock(agenda) for _ in range(200)]
    for clock in clocks:
        clock.arm("A", 5.0)
        clock.arm("A", 4.0)
    agenda.handle_timer(4.0)
    assert all(clock.fired == [("A", 4.0)] for clock in clocks)
    assert agenda.next_deadline() is None


def test_who_waited_for_nothing_while_the_heap_was_swept_may_wait_again() -> None:
    agenda = Agenda()
    clock = Clock(agenda)
    clock.arm("A", 1.0)
    clock.disarm("A")
    for _ in range(200):
        Clock(agenda).arm("A", 9.0)
    clock.arm("A", 5.0)
    assert agenda.next_deadline() == 5.0
    agenda.handle_timer(5.0)
    assert clock.fired == [("A", 5.0)]
