from __future__ import annotations

import pytest

from meshdoor.media.cards import DEAD, RETRY, Cards, Slot
from meshdoor.media.sdl_audio import OpenCard, Way
from tests.media.sound_cards import Clock, FakeDriver
from tests.patience import wait_for

USB = Way(True, "usb")


class Bench:
    def __init__(self, *there: str) -> None:
        self.clock = Clock()
        self.driver = FakeDriver(*there)
        self.cards = Cards(self.driver, self.clock)
        self.told: list[tuple[str, str]] = []
        self.slot = Slot(USB, lambda state, text: self.told.append((state, text)))
        self.cards.mind(self.slot)

    def after(self, seconds: float = 0.0) -> list[tuple[str, str]]:
        """What is told then."""
        self.clock.now += seconds
        self.cards.tend()
        told, self.told[:] = list(self.told), []
        return told


def test_a_card_is_opened_when_it_is_wanted_and_closed_after() -> None:
    bench = Bench("usb")
    assert bench.after() == []
    bench.slot.want(True)
    assert bench.after() == [("ok", "usb")]
    assert bench.slot.card is bench.driver.card
    bench.slot.want(False)
    assert bench.after() == []
    assert bench.driver.card.closed
    assert not bench.slot.wanted


def test_a_card_that_is_not_there_is_told_of_once_and_tried_again() -> None:
    bench = Bench()
    bench.slot.want(True)
    assert bench.after() == [("failed", "there is no card 'usb'")]
    assert bench.after(RETRY) == []
    bench.driver.there.append("usb")
    assert bench.after(RETRY / 2) == []
    assert bench.after(RETRY / 2) == [("ok", "usb")]


def test_a_card_that_is_unplugged_comes_back() -> None:
    bench = Bench("usb")
    bench.slot.want(True)
    bench.after()
    first = bench.driver.card
    first.here = False
    bench.driver.there.clear()
    assert bench.after() == [("failed", "usb is gone")]
    assert bench.slot.card is None
    assert first.closed
    assert bench.after() == [("failed", "there is no card 'usb'")]
    bench.driver.there.append("usb")
    assert bench.after(RETRY) == [("ok", "usb")]
    assert bench.driver.card is not first


def test_a_card_in_which_nothing_moves_is_gone_whatever_it_says() -> None:
    bench = Bench("usb")
    bench.slot.want(True)
    bench.after()
    for _ in range(5):
        bench.slot.moved = bench.clock.now
        assert bench.after(DEAD / 2) == []
    assert bench.after(DEAD) == [("failed", "usb is gone")]
    assert bench.after() == [("ok", "usb")]


def test_a_sound_server_that_went_away_is_looked_for_anew() -> None:
    bench = Bench()
    bench.slot.want(True)
    bench.after()
    assert bench.driver.restarts == 1


def test_a_server_that_is_back_with_one_card_before_the_other() -> None:
    """What SDL knows is of the server before: the card that did open is opened once more."""
    bench = Bench("usb", "hdmi")
    other = Slot(Way(False, "hdmi"), lambda state, text: None)
    bench.cards.mind(other)
    for slot in (bench.slot, other):
        slot.want(True)
    bench.after()
    for card in bench.driver.cards:
        card.here = False
    bench.driver.there.remove("usb")
    bench.after()
    bench.after()
    assert bench.driver.restarts == 1
    bench.driver.there.append("usb")
    bench.after(RETRY)
    assert bench.slot.card is not None
    assert other.card is not None
    bench.after(RETRY)
    assert bench.driver.restarts == 1


def test_a_card_that_stays_away_disturbs_the_other_no_more() -> None:
    bench = Bench("usb", "hdmi")
    other = Slot(Way(False, "hdmi"), lambda state, text: None)
    bench.cards.mind(other)
    for slot in (bench.slot, other):
        slot.want(True)
    bench.after()
    for card in bench.driver.cards:
        card.here = False
    bench.driver.there.remove("usb")
    for _ in range(100):
        other.moved = bench.clock.now
        bench.after(RETRY)
    kept = other.card
    for _ in range(100):
        other.moved = bench.clock.now + RETRY
        bench.after(RETRY)
    assert other.card is kept is not None


def test_no_card_that_works_is_disturbed_by_one_that_is_not_there() -> None:
    bench = Bench("usb")
    bench.slot.want(True)
    other = Slot(Way(False, "hdmi"), lambda state, text: None)
    bench.cards.mind(other)
    other.want(True)
    bench.after()
    assert bench.slot.card is not None
    assert bench.driver.restarts == 0


def test_the_thread_ends_and_closes_what_is_open() -> None:
    driver = FakeDriver("usb")
    cards = Cards(driver)
    slot = cards.slot(USB, lambda state, text: None)
    slot.want(True)
    cards.look()
    wait_for(lambda: slot.card is not None)
    cards.close()
    assert driver.card.closed
    assert driver.closed


def test_what_a_driver_does_wrong_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeDriver):
        def open(self, way: Way) -> OpenCard:
            if not self.restarts:
                self.restarts += 1
                raise RuntimeError("a bug")
            return super().open(way)

    cards = Cards(Broken("usb"))
    slot = cards.slot(USB, lambda state, text: None)
    slot.want(True)
    cards.look()
    wait_for(lambda: slot.card is not None)
    cards.close()
    assert "a bug" in caplog.text
