from __future__ import annotations

import itertools

import pytest

from meshdoor.sip.nonce import MAX_USED, Nonces


def make() -> Nonces:
    numbers = itertools.count()
    return Nonces(300.0, lambda size: next(numbers).to_bytes(size, "big"))


def test_fresh_for_its_lifetime() -> None:
    nonces = make()
    nonce = nonces.issue(1000.0)
    assert nonces.is_fresh(nonce, 1000.0)
    assert nonces.is_fresh(nonce, 1300.0)
    assert not nonces.is_fresh(nonce, 1300.1)
    assert not nonces.is_fresh(nonce, 900.0)


@pytest.mark.parametrize("nonce", ["", "x", "é", "AAAA", "A" * 44, "A" * 43 + "!"])
def test_foreign_nonces(nonce: str) -> None:
    assert not make().is_fresh(nonce, 0.0)


def test_another_secret() -> None:
    other = Nonces(300.0, lambda size: b"\xff" * size)
    assert not make().is_fresh(other.issue(0.0), 0.0)


def test_each_count_once() -> None:
    nonces = make()
    nonce = nonces.issue(0.0)
    assert nonces.use(nonce, 1)
    assert not nonces.use(nonce, 1)
    assert nonces.use(nonce, 3)
    assert not nonces.use(nonce, 2)


def test_what_is_forgotten_is_no_longer_fresh() -> None:
    nonces = make()
    issued = [nonces.issue(float(i) / 100) for i in range(MAX_USED + 1)]
    for nonce in issued:
        assert nonces.use(nonce, 1)
    assert not nonces.is_fresh(issued[0], 20.0)
    assert nonces.is_fresh(issued[1], 20.0)
    assert not nonces.use(issued[1], 1)
