"""The candidate addresses of one member."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshdoor.mesh.addresses import MAX_CANDIDATES, MAX_PROVEN, AddressBook
from meshdoor.mesh.announcement import Address


def at(number: int) -> Address:
    return Address(f"10.0.0.{number}", 5062)


def test_proven_and_announced_take_turns_the_latest_first() -> None:
    book = AddressBook()
    book.heard([at(9)], "elsewhere", 4)
    book.proved(at(1), 1)
    book.proved(at(2), 2)
    book.heard([at(3)], "10.0.0.3", 3)
    assert book.to_dial() == (at(2), at(3), at(1), at(9))
    assert book.proven() == (at(1), at(2))


def test_a_record_that_came_from_elsewhere_is_tried_last_and_leaves_first() -> None:
    book = AddressBook()
    assert book.heard([at(1)], "10.0.0.1", 0)
    for number in range(2, 200):
        book.heard([at(number)], "10.0.0.66", number)
    assert at(1) in book.to_dial()
    assert book.to_dial()[0] == at(66)
    assert len(book) == MAX_CANDIDATES


def test_no_record_evicts_a_proven_address() -> None:
    book = AddressBook()
    for number in range(6):
        book.proved(at(number), number)
    assert book.proven() == tuple(at(number) for number in range(2, 6))
    for number in range(10, 100):
        book.heard([at(number)], at(number).host, number)
    assert book.proven() == tuple(at(number) for number in range(2, 6))
    assert len(book) == MAX_CANDIDATES


def test_hearing_again_is_not_new_and_proof_stays() -> None:
    book = AddressBook()
    book.proved(at(1), 0)
    assert not book.heard([at(1)], "10.0.0.1", 5)
    assert book.proven() == (at(1),)


def test_hearsay_finds_no_room_among_the_better() -> None:
    book = AddressBook()
    for number in range(MAX_CANDIDATES):
        book.heard([at(number)], at(number).host, 0)
    assert not book.heard([at(99)], "elsewhere", 1)


numbers = st.integers(1, 30)


@given(st.lists(st.tuples(st.booleans(), numbers, numbers)))
def test_bounded_whatever_comes(steps: list[tuple[bool, int, int]]) -> None:
    book, proofs = AddressBook(), set()
    for now, (proof, number, source) in enumerate(steps):
        before = set(book.proven())
        if proof:
            book.proved(at(number), now)
            proofs.add(at(number))
            assert at(number) in book.proven()
        else:
            book.heard([at(number)], at(source).host, now)
            assert set(book.proven()) == before
        assert len(book) <= MAX_CANDIDATES
        assert len(book.proven()) <= MAX_PROVEN
        assert set(book.proven()) <= proofs
        assert len(book.to_dial()) == len(set(book.to_dial())) == len(book)
