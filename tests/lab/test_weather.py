"""The ruleset of the bridge."""

from __future__ import annotations

from tests.lab.weather import Weather


def test_fair() -> None:
    assert "drop" not in Weather().ruleset()


def test_loss_is_drawn_for_each_way() -> None:
    rules = Weather(loss={"port3": 12.5}).ruleset()
    assert "iifname port3 numgen random mod 10000 < 1250 drop" in rules
    assert "oifname port3 numgen random mod 10000 < 1250 drop" in rules


def test_isolated_ports_reach_the_others() -> None:
    assert "iifname { port1, port2 } oifname { port1, port2 } drop" in Weather(isolated={"port2", "port1"}).ruleset()
