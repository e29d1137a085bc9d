from __future__ import annotations

import pytest

from meshdoor.mesh.frames import Hello
from meshdoor.mesh.settling import Verdict, settle

LOW, HIGH = b"a" * 32, b"b" * 32


def hello(serial: int, epoch: bytes = b"e" * 8) -> Hello:
    return Hello("1", b"d" * 16, serial=serial, epoch=epoch)


@pytest.mark.parametrize(
    ("own", "peer", "asking", "verdict"),
    [
        (LOW, HIGH, False, Verdict.TAKE),
        (HIGH, LOW, False, Verdict.TAKE),
        (LOW, HIGH, True, Verdict.WAIT),
        (HIGH, LOW, True, Verdict.TAKE),
    ],
)
def test_when_both_dial_the_lower_keys_connection_stays(
    own: bytes, peer: bytes, asking: bool, verdict: Verdict
) -> None:
    assert settle(own, peer, hello(1), None, asking) is verdict


@pytest.mark.parametrize(("own", "peer"), [(LOW, HIGH), (HIGH, LOW)])
def test_a_hello_said_after_that_of_the_link_replaces_it(own: bytes, peer: bytes) -> None:
    assert settle(own, peer, hello(2), hello(1), False) is Verdict.TAKE
    assert settle(own, peer, hello(1, b"restart!"), hello(9), False) is Verdict.TAKE


@pytest.mark.parametrize(("own", "peer"), [(LOW, HIGH), (HIGH, LOW)])
def test_a_hello_that_crossed_the_link_is_dropped(own: bytes, peer: bytes) -> None:
    assert settle(own, peer, hello(1), hello(2), False) is Verdict.DROP
