from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshdoor.store.rosterfile import StoredRoster, dump

STATEMENTS = (b"one", b"two" * 40, bytes(range(256)))
WHOLE = dump(STATEMENTS)


@given(st.lists(st.binary(min_size=1, max_size=80), max_size=8))
def test_round_trip(statements: list[bytes]) -> None:
    stored = StoredRoster.parse(dump(statements))
    assert stored == StoredRoster(tuple(statements))
    assert bytes(stored) == dump(statements)


def test_the_file_is_lines_of_text() -> None:
    assert dump([b"one"]).decode() == (
        "meshdoor roster 1\n"
        "b25l 7692c3ad\n"
        "sha256 c3db8d80ee1d6fb4d088a08c32538f3bf35dac77e77cdf594c2a6e504d2ba56e\n"
    )


def test_any_truncation_keeps_a_prefix_and_says_so() -> None:
    for size in range(len(WHOLE)):
        stored = StoredRoster.parse(WHOLE[:size])
        assert stored.statements == STATEMENTS[: len(stored.statements)]
        assert stored.damage
    assert stored.statements == STATEMENTS


def test_any_bit_flip_keeps_a_prefix_and_says_so() -> None:
    for position in range(len(WHOLE)):
        for bit in range(8):
            damaged = bytearray(WHOLE)
            damaged[position] ^= 1 << bit
            stored = StoredRoster.parse(bytes(damaged))
            assert stored.statements == STATEMENTS[: len(stored.statements)]
            assert stored.damage


def test_damage_says_how_much_was_kept() -> None:
    lines = WHOLE.split(b"\n")
    lines[2] = b"!" + lines[2]
    stored = StoredRoster.parse(b"\n".join(lines))
    assert stored.statements == STATEMENTS[:1]
    assert "after statement 1" in stored.damage


def test_a_foreign_file_is_no_roster() -> None:
    assert StoredRoster.parse(b"") == StoredRoster((), "the roster file is not readable")


def test_more_after_the_trailer_is_damage() -> None:
    assert StoredRoster.parse(WHOLE + b"more\n").damage
