"""What is said in the INVITE of a branch, and to whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest

from meshdoor.calls.clients import Client, Keying
from meshdoor.node.calling import Desk
from meshdoor.node.line import Line
from meshdoor.sip.compose import Fields
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.uri import SipUri

GIVER = bytes(range(32))
THERE = Target(SipUri.parse("sip:bob@192.0.2.1"), Flow("UDP", ("192.0.2.2", 5060), ("192.0.2.1", 5060)))
PRESS, PACE = ("Meshdoor-Press", "p1"), ("Meshdoor-Pace", "0.500")


@dataclass
class Sending:
    """An endpoint that keeps what is sent with an INVITE; the desk that has it, too."""

    sent: list[tuple[str, str]] = field(default_factory=list)

    @property
    def endpoint(self) -> Sending:
        return self

    def invite(self, target: Target, body: bytes, headers: Fields = ()) -> None:
        self.sent += headers


def said(line: Line) -> list[tuple[str, str]]:
    desk = Sending()
    line.invite(cast(Desk, desk), THERE, "p1")
    return desk.sent


def test_a_screen_is_told_of_the_press_and_of_who_hands_over() -> None:
    assert said(Line("p1-1")) == [PRESS, PACE]
    assert said(Line("p1-1", giver=GIVER)) == [PRESS, PACE, ("Meshdoor-Handover", GIVER.hex())]


def test_a_page_is_told_no_key_of_a_member() -> None:
    assert said(Line("p1-1", giver=GIVER, browser=True)) == [PRESS]


@pytest.mark.parametrize("keying", list(Keying))
def test_a_client_is_told_nothing_of_the_mesh(keying: Keying) -> None:
    assert said(Line("p1-1", giver=GIVER, client=Client(keying, "192.0.2.1"))) == []
