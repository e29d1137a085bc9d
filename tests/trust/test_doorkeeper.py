"""The lock's side: who may open, once, now."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from meshdoor.errors import GrantError
from meshdoor.trust.doorkeeper import NONCES_OF_ONE, Doorkeeper, Verdict
from meshdoor.trust.grants import (
    GRANT_PURPOSE,
    NO_NONCE,
    Ask,
    Challenge,
    Grant,
    Note,
    ReceiptNote,
    Result,
    open_lock,
    parse,
    sign_grant,
    to_note,
)
from meshdoor.trust.roster import Roster, evaluate
from meshdoor.trust.sealed import write
from tests.sip.wire import predictable
from tests.trust.house import AT, BROWSERS, DEVICES, admit, admit_phone, chain, founding, key, revoke

LOCK = DEVICES["Lock"]
STATEMENTS = chain(founding(), *(("Hall", admit(name)) for name in ("Kitchen", "Phone", "Gate", "Lock", "Rogue")))
ROSTER = evaluate(STATEMENTS)
WITHOUT_ROGUE = evaluate(chain(STATEMENTS[-1], ("Hall", revoke("Rogue")))[1:] + STATEMENTS)
assert ROSTER.home is not None
HOME = ROSTER.home


class House:
    """A lock and who wants it open."""

    def __init__(self, roster: Roster = ROSTER) -> None:
        self.roster = roster
        self.now = 1000.0
        self.keeper = Doorkeeper(LOCK, lambda: self.roster, predictable())

    def ask(self, name: str = "Kitchen", source: str | None = None) -> Note | Verdict | None:
        return self.keeper.receive(to_note(Ask(b"a" * 16, key(name))), key(source or name), self.now, AT)

    def nonce(self, name: str = "Kitchen", source: str | None = None) -> bytes:
        answer = self.ask(name, source)
        assert isinstance(answer, dict)
        challenge = parse(answer)
        assert isinstance(challenge, Challenge)
        return challenge.nonce

    def grant(self, nonce: bytes, name: str = "Kitchen", source: str | None = None, **changes: Any) -> Verdict:
        grant = replace(Grant(HOME, LOCK.key, nonce, key(name), name, 5000), **changes)
        verdict = self.keeper.receive(
            to_note(sign_grant(DEVICES[name], b"a" * 16, grant)), key(source or name), self.now, AT
        )
        assert isinstance(verdict, Verdict)
        return verdict


def test_it_opens() -> None:
    house = House()
    verdict = house.grant(house.nonce())
    assert (verdict.refused, verdict.opener, verdict.person) == (None, key("Kitchen"), "Kitchen")


def test_a_whole_run() -> None:
    house = House()
    opener = open_lock(DEVICES["Hall"], HOME, LOCK.key, "Grandmother", lambda size: b"q" * size)
    challenge = house.keeper.receive(next(opener), key("Hall"), house.now, AT)
    assert isinstance(challenge, dict)
    verdict = house.keeper.receive(opener.send(challenge), key("Hall"), house.now, AT)
    assert isinstance(verdict, Verdict)
    with pytest.raises(StopIteration) as done:
        opener.send(house.keeper.receipt(verdict, Result.OPENED, 1.5, simulated=False))
    assert (done.value.value.result, done.value.value.person, done.value.value.at) == (Result.OPENED, "Grandmother", 1)


def test_a_phone_is_relayed_by_the_screen_it_is_attached_to() -> None:
    house = House()
    assert house.grant(house.nonce("Phone", "Hall"), "Phone", "Hall").refused is None


@pytest.mark.parametrize(("until", "refused"), [(AT + 1, None), (AT, Result.GUEST_NO_MORE)])
def test_a_guest_opens_until_its_time_is_over(until: int, refused: Result | None) -> None:
    guest = replace(admit("Phone"), until=AT + 1)
    house = House(evaluate(chain(founding(), ("Hall", guest), ("Hall", admit("Lock")))))
    nonce = house.nonce("Phone", "Hall")
    house.roster = evaluate(chain(founding(), ("Hall", replace(guest, until=until)), ("Hall", admit("Lock"))))
    assert house.grant(nonce, "Phone", "Hall").refused is refused
    answer = house.ask("Phone", "Hall")
    assert isinstance(answer, Verdict) is (refused is not None)


def test_a_phone_with_a_key_of_p_256_opens() -> None:
    house = House(evaluate(chain(founding(), ("Hall", admit_phone("Alice")), ("Hall", admit("Lock")))))
    body = write(Grant(HOME, LOCK.key, house.nonce("Alice", "Hall"), key("Alice"), "Alice", 5000))
    data = json.dumps(body).encode()
    note = {"about": "grant", "step": "grant", "ask": "61" * 16}
    for signature, expected in ((BROWSERS["Alice"].sign(GRANT_PURPOSE + data), None), (bytes(64), "signature")):
        whole = note | {"grant": base64.b64encode(signature + data).decode()}
        if expected:
            with pytest.raises(GrantError, match=expected):
                house.keeper.receive(whole, key("Hall"), house.now, AT)
        else:
            verdict = house.keeper.receive(whole, key("Hall"), house.now, AT)
            assert isinstance(verdict, Verdict)
            assert (verdict.refused, verdict.opener) == (None, key("Alice"))


@pytest.mark.parametrize("name", ["Gate", "Lock", "Attic"])
def test_who_may_not_open_gets_no_nonce(name: str) -> None:
    house = House()
    verdict = house.ask(name)
    assert isinstance(verdict, Verdict)
    assert (verdict.refused, verdict.nonce) == (Result.NOT_PERMITTED, NO_NONCE)


def test_who_was_revoked_gets_no_nonce_and_what_it_got_before_is_void() -> None:
    house = House()
    nonce = house.nonce("Rogue")
    house.roster = WITHOUT_ROGUE
    assert house.grant(nonce, "Rogue").refused is Result.REVOKED
    verdict = house.ask("Rogue")
    assert isinstance(verdict, Verdict)
    assert verdict.refused is Result.REVOKED


def test_a_replay_is_refused() -> None:
    house = House()
    nonce = house.nonce()
    assert house.grant(nonce).refused is None
    assert house.grant(nonce).refused is Result.USED


def test_a_restart_forgets_what_it_asked_for() -> None:
    assert House().grant(House().nonce()).refused is Result.USED


def test_a_nonce_is_for_the_key_that_asked() -> None:
    house = House()
    assert house.grant(house.nonce("Kitchen"), "Hall").refused is Result.USED


@pytest.mark.parametrize(
    ("waited", "within", "refused"),
    [(5.0, 5000, None), (5.01, 5000, Result.EXPIRED), (1.01, 1000, Result.EXPIRED), (-1.0, 5000, Result.EXPIRED)],
)
def test_the_lock_waits_by_its_own_clock(waited: float, within: int, refused: Result | None) -> None:
    house = House()
    nonce = house.nonce()
    house.now += waited
    assert house.grant(nonce, within=within).refused is refused


@pytest.mark.parametrize(
    ("changes", "refused"),
    [({"home": b"x" * 32}, Result.OTHER_HOME), ({"lock": key("Hall")}, Result.OTHER_LOCK)],
)
def test_a_grant_for_another_home_or_lock_is_refused_and_its_nonce_is_gone(
    changes: dict[str, Any], refused: Result
) -> None:
    house = House()
    nonce = house.nonce()
    assert house.grant(nonce, **changes).refused is refused
    assert house.grant(nonce).refused is Result.USED


def test_opening_too_often_is_refused() -> None:
    house = House()
    results = []
    for _ in range(8):
        house.now += 0.3
        results.append(house.grant(house.nonce()).refused)
    assert results[:5] == [None] * 5
    assert Result.TOO_OFTEN in results
    house.now += 60
    assert house.grant(house.nonce()).refused is None


def test_who_sends_too_many_notes_is_not_heard_and_others_are() -> None:
    house = House()
    assert [house.ask() is None for _ in range(30)].count(False) == 20
    assert house.ask("Hall") is not None


def test_asking_a_lot_costs_only_ones_own_nonces() -> None:
    house = House()
    first, other = house.nonce("Kitchen"), house.nonce("Hall")
    for _ in range(NONCES_OF_ONE):
        house.nonce("Kitchen")
    assert house.grant(first).refused is Result.USED
    assert house.grant(other, "Hall").refused is None


def test_nonces_are_bounded_over_all() -> None:
    house = House()
    for number in range(100):
        house.keeper.receive(to_note(Ask(b"a" * 16, key("Hall"))), bytes([number // 5]), house.now, AT)
    assert len(house.keeper._issued) == 64


@pytest.mark.parametrize("make", [dict, lambda: to_note(Challenge(b"a" * 16, b"n" * 16, 1))])
def test_what_is_not_for_a_lock_is_refused(make: Callable[[], Note]) -> None:
    with pytest.raises(GrantError):
        House().keeper.receive(make(), key("Hall"), 0.0, AT)


def test_a_receipt_says_what_was_asked() -> None:
    house = House()
    verdict = house.ask("Gate")
    assert isinstance(verdict, Verdict)
    step = parse(house.keeper.receipt(verdict, Result.NOT_PERMITTED, 7.0, simulated=True))
    assert isinstance(step, ReceiptNote)
    assert (step.receipt.home, step.receipt.lock, step.receipt.opener) == (HOME, LOCK.key, key("Gate"))
    assert (step.receipt.result, step.receipt.simulated) == (Result.NOT_PERMITTED, True)
