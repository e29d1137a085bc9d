"""The invitations of a node: one use, ten minutes, few wrong tries."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from meshdoor.errors import InvitationError, Refused
from meshdoor.trust.invitation import Invitation, Request
from meshdoor.trust.invitations import (
    ASKS_OF_ONE,
    GUESSES,
    LIFETIME,
    MAX_KEPT,
    MAX_LATE,
    MAX_OPEN,
    REMEMBERED,
    Invitations,
)
from meshdoor.trust.permissions import Permission
from tests.sip.wire import predictable
from tests.trust.house import AT, key

FINGERPRINT = b"f" * 32
MAY = frozenset({Permission.VIEW})


class Node:
    """A node that invites, and the phones that come, each from an address of its own."""

    def __init__(self) -> None:
        self.table = Invitations(predictable())
        self.now = 1000.0
        self.visitors = 0

    def invite(self, name: str = "Alice") -> Invitation:
        return self.table.invite(name, MAY, None, self.now, AT)

    def ask(self, request: Request, address: str = "", fingerprint: bytes = FINGERPRINT) -> Invitation:
        self.visitors += 1
        return self.table.check(request, fingerprint, address or str(self.visitors), self.now)

    def refusal(self, request: Request, address: str = "", fingerprint: bytes = FINGERPRINT) -> str:
        with pytest.raises(InvitationError) as caught:
            self.ask(request, address, fingerprint)
        return caught.value.code


def asks(invitation: Invitation, name: str = "Alice") -> Request:
    return Request.of(invitation.token, key(name), FINGERPRINT)


def test_who_holds_the_token_is_let_in() -> None:
    node = Node()
    made = node.invite()
    assert (made.name, made.permissions, made.expires) == ("Alice", MAY, AT + 600)
    assert node.ask(asks(made)) == made
    assert node.table.waiting(node.now) == (made,)


def test_an_invitation_is_for_one_key() -> None:
    node = Node()
    made = node.invite()
    node.table.use(node.ask(asks(made)), key("Alice"))
    assert node.refusal(asks(made, "Bob")) == "used"
    assert node.ask(asks(made)) == made, "the answer may have been lost"
    assert node.table.waiting(node.now) == ()


def test_it_is_good_for_ten_minutes_and_called_late_for_an_hour() -> None:
    node = Node()
    made = node.invite()
    assert node.table.next_deadline() == 1000.0 + LIFETIME
    node.now += LIFETIME - 1
    assert node.ask(asks(made)) == made
    node.now += 1
    assert node.refusal(asks(made)) == "late"
    assert node.table.next_deadline() is None
    node.now += REMEMBERED
    assert node.refusal(asks(made)) == "unknown"


def test_another_token_is_unknown() -> None:
    node = Node()
    node.invite()
    assert node.refusal(Request.of(b"x" * 16, key("Alice"), FINGERPRINT)) == "unknown"


def test_another_fingerprint_is_told_and_not_let_in() -> None:
    node = Node()
    made = node.invite()
    assert node.refusal(asks(made), fingerprint=bytes(32)) == "fingerprint"
    assert node.refusal(replace(asks(made), key=key("Bob"))) == "fingerprint"
    assert node.ask(asks(made)) == made


def test_five_wrong_proofs_make_it_void() -> None:
    node = Node()
    made = node.invite()
    for _ in range(GUESSES):
        assert node.refusal(replace(asks(made), proof=bytes(32))) == "fingerprint"
    assert node.refusal(asks(made)) == "wrong"
    assert node.table.waiting(node.now) == ()


def test_one_that_is_withdrawn_is_late() -> None:
    node = Node()
    made, used = node.invite(), node.invite("Bob")
    node.table.use(node.ask(asks(used, "Bob")), key("Bob"))
    for each in (made, made, used):
        node.table.withdraw(each, node.now)
    assert node.refusal(asks(made)) == "late"
    node.table.withdraw(made, node.now)
    assert node.refusal(asks(used)) == "used"


def test_an_address_that_asks_too_often_waits() -> None:
    node = Node()
    made = node.invite()
    for _ in range(int(ASKS_OF_ONE[1])):
        assert node.ask(asks(made), "10.0.0.9") == made
    assert node.refusal(asks(made), "10.0.0.9") == "closed"
    assert node.ask(asks(made), "10.0.0.8") == made
    node.now += 1 / ASKS_OF_ONE[0]
    assert node.ask(asks(made), "10.0.0.9") == made


def test_few_wait_at_once() -> None:
    node = Node()
    for _ in range(MAX_OPEN):
        last = node.invite()
    with pytest.raises(Refused, match="too many invitations wait"):
        node.invite()
    node.table.use(last, key("Alice"))
    node.invite()


def test_what_is_remembered_is_bounded() -> None:
    node = Node()
    for _ in range(MAX_KEPT):
        node.table.use(node.invite(), key("Alice"))
    with pytest.raises(Refused):
        node.invite()
    first = None
    for _ in range(MAX_LATE // MAX_KEPT + 1):
        node.now += LIFETIME
        for _ in range(MAX_KEPT):
            made = node.invite()
            first = first or made
            node.table.use(made, key("Alice"))
    node.now += LIFETIME
    assert first is not None
    assert node.refusal(asks(first)) == "unknown"
    assert node.refusal(asks(made)) == "late"


class Machine(RuleBasedStateMachine):
    """Whatever happens, a token lets in one key, and only in its time."""

    @initialize()
    def start(self) -> None:
        self.node = Node()
        self.made: list[tuple[Invitation, float]] = []
        self.let_in: dict[bytes, set[bytes]] = {}

    @rule()
    def invite(self) -> None:
        if len(self.node.table.waiting(self.node.now)) < MAX_OPEN:
            self.made.append((self.node.invite(), self.node.now))

    @rule(seconds=st.sampled_from([1.0, 60.0, 599.0, 4000.0]))
    def wait(self, seconds: float) -> None:
        self.node.now += seconds

    @rule(data=st.data(), name=st.sampled_from(["Alice", "Bob"]), right=st.booleans())
    def ask(self, data: st.DataObject, name: str, right: bool) -> None:
        if not self.made:
            return
        invitation, at = data.draw(st.sampled_from(self.made))
        try:
            self.node.ask(asks(invitation, name), fingerprint=FINGERPRINT if right else bytes(32))
        except InvitationError:
            return
        assert right
        assert self.node.now < at + LIFETIME
        self.node.table.use(invitation, key(name))
        self.let_in.setdefault(invitation.token, set()).add(key(name))

    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        if self.made:
            self.node.table.withdraw(data.draw(st.sampled_from(self.made))[0], self.node.now)

    @invariant()
    def one_key_each(self) -> None:
        assert all(len(keys) == 1 for keys in self.let_in.values())


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
