from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from meshdoor.errors import ConfigError, PairingError, Refused
from meshdoor.trust.enrolment import MAX_FILE, MAX_OUTSTANDING, Enrolment, Enrolments
from meshdoor.trust.exchange import Exchange
from meshdoor.trust.identity import Identity
from meshdoor.trust.introduction import Grant, Newcomer
from meshdoor.trust.pairing import admitter_side, newcomer_side
from meshdoor.trust.permissions import Role
from tests.fakes.house import Conversation, House

EXPIRES = int(datetime(2026, 11, 30, 12, 0, tzinfo=UTC).timestamp())
BEFORE, AFTER = EXPIRES - 1.0, float(EXPIRES)
ENROLMENT = Enrolment(
    home=bytes(range(32)),
    home_name='Villa "Küche" \\o/',
    issuer=bytes(range(32, 64)),
    role=Role.SCREEN,
    name="Kitchen",
    token=bytes(range(16)),
    addresses=("192.0.2.1:5071", "[fe80::1%eth0]:5071"),
    expires=EXPIRES,
)
TEXT = str(ENROLMENT)
KEY, OTHER_KEY = b"k" * 32, b"o" * 32


def another(token: int, expires: int = EXPIRES) -> Enrolment:
    values: dict[str, Any] = {name: getattr(ENROLMENT, name) for name in Enrolment.__slots__}
    return Enrolment(**{**values, "token": token.to_bytes(16, "big"), "expires": expires})


def test_round_trip() -> None:
    assert Enrolment.parse(TEXT.encode()) == ENROLMENT
    assert str(Enrolment.parse(TEXT.encode())) == TEXT


def test_a_person_can_see_what_it_is() -> None:
    assert TEXT.splitlines()[:2] == [
        '# Meshdoor enrolment: lets ONE new device join the home "Villa \\"Küche\\" \\\\o/"',
        '# as the screen "Kitchen", once, until 2026-11-30 12:00:00 UTC.',
    ]
    assert "expires = 2026-11-30T12:00:00Z\n" in TEXT


def test_what_an_editor_does_to_it_is_harmless() -> None:
    assert Enrolment.parse(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode()) == ENROLMENT


def test_the_token_is_not_printed_by_accident() -> None:
    assert "token" not in repr(ENROLMENT)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"-----BEGIN PRIVATE KEY-----",
        b'format = "meshdoor enrolment 2"',
        b"a = " + b"[" * 5000,
        TEXT.encode() + b"#" * MAX_FILE,
        TEXT.encode()[:-30] + b'\nname = "twice"',
    ],
)
def test_foreign_files(data: bytes) -> None:
    with pytest.raises(ConfigError, match=r"^kitchen.enrol: format is not that of a Meshdoor enrolment") as caught:
        Enrolment.parse(data, "kitchen.enrol")
    assert "meshdoor enrol" in caught.value.hint


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("home", '"00"'),
        ("home", '"xyz"'),
        ("home", "5"),
        ("home_name", '""'),
        ("home_name", '["a"]'),
        ("issuer", '"' + "0" * 63 + '"'),
        ("role", '"owner"'),
        ("role", "[1]"),
        ("name", '"a\\u0007"'),
        ("token", '"AAAA"'),
        ("token", '"!"'),
        ("token", '"é"'),
        ("token", "1"),
        ("addresses", "[]"),
        ("addresses", '"192.0.2.1"'),
        ("addresses", "[1]"),
        ("addresses", str(["a"] * 17)),
        ("expires", '"tomorrow"'),
        ("expires", "2026-11-30T12:00:00"),
        ("expires", "1901-11-30T12:00:00Z"),
    ],
)
def test_bad_fields_are_named(field: str, value: str) -> None:
    text = "".join(
        f"{field} = {value}\n" if line.startswith(f"{field} =") else line for line in TEXT.splitlines(True)
    )
    with pytest.raises(ConfigError, match=f"^kitchen.enrol: {field} is not ") as caught:
        Enrolment.parse(text.encode(), "kitchen.enrol")
    assert caught.value.__suppress_context__


def test_missing_and_unknown_fields_are_named() -> None:
    without = "".join(line for line in TEXT.splitlines(True) if not line.startswith("token"))
    with pytest.raises(ConfigError, match=r"^the enrolment file: token is missing"):
        Enrolment.parse(without.encode())
    with pytest.raises(ConfigError, match="color is not a field"):
        Enrolment.parse(TEXT.encode() + b"color = 1\n")


def test_when_and_where_it_is_good() -> None:
    ENROLMENT.check(None, BEFORE)
    ENROLMENT.check(ENROLMENT.home, 0.0)
    with pytest.raises(ConfigError, match=r"^a.enrol: expires was at 2026-11-30 12:00:00 UTC"):
        ENROLMENT.check(None, AFTER, "a.enrol")
    with pytest.raises(ConfigError, match=r"^a.enrol: home is .* this device belongs to another home") as caught:
        ENROLMENT.check(bytes(32), BEFORE, "a.enrol")
    assert caught.value.hint


def test_only_the_issuer_may_answer() -> None:
    ENROLMENT.check_grant(Grant((), (), ENROLMENT.issuer))
    with pytest.raises(PairingError, match="not the one that wrote"):
        ENROLMENT.check_grant(Grant((), (), OTHER_KEY))


def test_one_use_and_the_same_device_may_try_again() -> None:
    table = Enrolments()
    table.add(ENROLMENT, BEFORE)
    ticket = ENROLMENT.password.ticket
    for _ in range(2):
        assert table.redeem(ticket, KEY, BEFORE) == ENROLMENT
        with pytest.raises(PairingError, match="used or has expired"):
            table.redeem(ticket, OTHER_KEY, BEFORE)


def test_nothing_after_it_has_expired() -> None:
    table = Enrolments()
    table.add(ENROLMENT, BEFORE)
    assert table.passwords(BEFORE) == [ENROLMENT.password]
    assert table.passwords(AFTER) == []
    with pytest.raises(PairingError):
        table.redeem(ENROLMENT.password.ticket, KEY, AFTER)


def test_tokens_are_random_and_few_are_outstanding() -> None:
    table = Enrolments()
    assert table.new_token() != table.new_token()
    for number in range(MAX_OUTSTANDING):
        table.add(another(number), BEFORE)
    with pytest.raises(Refused, match="waiting to be used"):
        table.add(another(99), BEFORE)
    table.add(another(99, EXPIRES + 10), AFTER)
    assert len(table.passwords(AFTER)) == 1


def test_the_table_survives_a_restart() -> None:
    table, again = Enrolments(), Enrolments()
    table.add(ENROLMENT, BEFORE)
    table.add(another(1), BEFORE)
    table.redeem(ENROLMENT.password.ticket, KEY, BEFORE)
    again.load(table.dump())
    assert again.dump() == table.dump()
    assert len(again.passwords(BEFORE)) == 2
    with pytest.raises(PairingError):
        again.redeem(ENROLMENT.password.ticket, OTHER_KEY, BEFORE)


@pytest.mark.parametrize("entry", [5, {}, {"file": 1, "used_by": ""}, {"file": TEXT, "used_by": "x"}])
def test_a_damaged_table_is_said(entry: object) -> None:
    with pytest.raises(ConfigError, match="table of enrolments is damaged"):
        Enrolments().load({"00": entry})


def test_a_device_joins_by_itself_once() -> None:
    house, table = House(), Enrolments()
    made = another(7)
    enrolment = Enrolment.parse(str(made).encode().replace(made.issuer.hex().encode(), house.screen.key.hex().encode()))
    table.add(enrolment, BEFORE)

    def admit(newcomer: Newcomer) -> Grant:
        written = table.redeem(newcomer.ticket, newcomer.key, BEFORE)
        return house.admit(replace(newcomer, name=written.name, role=written.role))

    def join(keep: Callable[[Grant], None]) -> Conversation:
        return Conversation(
            Exchange(admitter_side(house.screen, table.passwords(BEFORE), admit), 0.0),
            Exchange(
                newcomer_side(Identity.generate(), enrolment.password, "Boss", Role.PHONE, keep), 0.0
            ),
        ).run()

    assert join(enrolment.check_grant).errors == {}
    assert (house.admitted[0].name, house.admitted[0].role) == ("Kitchen", Role.SCREEN)
    assert "has been used" in str(join(enrolment.check_grant).errors["A"])
    assert len(house.admitted) == 1
