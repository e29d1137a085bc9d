from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from meshdoor.errors import ConfigError, MeshdoorError, PairingError, Refused, WrongCode
from meshdoor.trust.channel import ADMITTER, NEWCOMER
from meshdoor.trust.exchange import Exchange
from meshdoor.trust.history import History
from meshdoor.trust.identity import Identity
from meshdoor.trust.introduction import Grant, Newcomer
from meshdoor.trust.pairing import (
    BOX,
    CONFIRM,
    HELLO,
    NO_TICKET,
    SHARE,
    Hello,
    Password,
    Reason,
    admitter_side,
    frame,
    newcomer_side,
    refusal,
)
from meshdoor.trust.permissions import Role
from tests.fakes.house import HINTS, Change, Conversation, House, frames_of

CODE = Password.from_code("1234-5678")
OTHER_CODE = Password.from_code("1234-5679")
VECTOR = Path(__file__).parents[1] / "data" / "trust" / "pairing.json"


def nothing(grant: Grant) -> None:
    """A shell that keeps nothing."""


def admitter(house: House, *passwords: Password) -> Exchange[Newcomer]:
    return Exchange(admitter_side(house.screen, passwords or (CODE,), house.admit), 0.0)


def newcomer(
    identity: Identity | None = None,
    password: Password = CODE,
    keep: Callable[[Grant], None] = nothing,
) -> Exchange[Grant]:
    me = identity or Identity.generate()
    return Exchange(newcomer_side(me, password, "Hall", Role.DOOR, keep), 0.0)


def unchanged(sender: str, data: bytes) -> bytes:
    return data


def talk(one: Exchange[Any], other: Exchange[Any], change: Change = unchanged) -> Conversation:
    return Conversation(one, other, change).run()


@pytest.fixture
def house() -> House:
    return House()


def test_pairing(house: House) -> None:
    me, kept = Identity.generate(), list[Grant]()
    talked = talk(admitter(house), newcomer(me, keep=kept.append))
    assert talked.errors == {}
    assert talked.admitter.result == Newcomer(me.key, me.certificate, "Hall", Role.DOOR, NO_TICKET)
    assert talked.newcomer.result == Grant(tuple(house.history.wire()), HINTS, house.screen.key)
    assert kept == [talked.newcomer.result]
    joined = History()
    for statement in kept[0].statements:
        joined.add(statement)
    assert joined.roster == house.history.roster
    assert joined.roster.members[me.key].name == "Hall"


def test_nobody_listening_can_tell_who_joins(house: House) -> None:
    talked = talk(admitter(house), newcomer())
    overheard = b"".join(talked.sent["A"] + talked.sent["N"])
    assert not any(word in overheard for word in (b"Hall", b"Home", b"Kitchen", b"1234", HINTS[0].encode()))


def test_a_roster_of_several_frames(house: House) -> None:
    for number in range(120):
        house.take_in(Identity.generate(), f"Door {number}")
    talked = talk(admitter(house), newcomer())
    assert talked.errors == {}
    assert talked.newcomer.result == Grant(tuple(house.history.wire()), HINTS, house.screen.key)
    assert len(talked.sent["A"]) > 5


def test_wrong_code_shows_on_both_sides_and_tells_nothing(house: House) -> None:
    talked = talk(admitter(house, OTHER_CODE), newcomer())
    assert {name: type(error) for name, error in talked.errors.items()} == {"A": WrongCode, "N": WrongCode}
    assert house.admitted == []
    assert [data[:1] for data in talked.sent["A"]] == [HELLO, SHARE, CONFIRM]
    assert talked.sent["N"][2:] == [refusal(Reason.WRONG_CODE)]


def test_an_enrolment_is_found_by_its_ticket(house: House) -> None:
    tokens = [Password.from_token(bytes([number]) * 16) for number in range(3)]
    talked = talk(admitter(house, *tokens), newcomer(password=tokens[1]))
    assert talked.errors == {}
    assert house.admitted[0].ticket == tokens[1].ticket


def test_an_unknown_enrolment(house: House) -> None:
    talked = talk(admitter(house), newcomer(password=Password.from_token(bytes(16))))
    assert "its enrolment is not known" in str(talked.errors["A"])
    assert str(talked.errors["N"]) == "it broke off"


def test_a_recorded_pairing_replayed(house: House) -> None:
    me = Identity.generate()
    recorded = talk(admitter(house), newcomer(me)).sent
    for end, frames in ((newcomer(me), recorded["A"]), (admitter(house), recorded["N"])):
        with pytest.raises(WrongCode):
            end.receive(b"".join(frames))
        assert end.result is None
    assert len(house.admitted) == 1


@pytest.mark.parametrize("senders", ["A", "N", "AN"])
def test_a_man_in_the_middle_with_a_key_of_his_own(house: House, senders: str) -> None:
    thief = Identity.generate()

    def put_own_key(sender: str, data: bytes) -> bytes:
        role = ADMITTER if sender == "A" else NEWCOMER
        replaced = data[:1] == HELLO and sender in senders
        return frame(HELLO, bytes(Hello(role, thief.key))) if replaced else data

    talked = talk(admitter(house), newcomer(), put_own_key)
    assert {name: type(error) for name, error in talked.errors.items()} == {"A": WrongCode, "N": WrongCode}
    assert house.admitted == []


class Liar(Identity):
    """Claims a key whose private half it does not have."""

    __slots__ = ()

    @property
    def key(self) -> bytes:
        return VICTIM.key


VICTIM = Identity.generate()


def test_a_claimed_key_must_be_held(house: House) -> None:
    mine = Identity.generate()
    liar = Liar(mine.signing_key, VICTIM.certificate)
    talked = talk(admitter(house), newcomer(liar))
    assert "does not hold the key" in str(talked.errors["A"])
    assert house.admitted == []
    house.screen = Liar(house.screen.signing_key, house.screen.certificate)
    grant = Grant(tuple(house.history.wire()), HINTS)
    talked = talk(Exchange(admitter_side(house.screen, [CODE], lambda _: grant), 0.0), newcomer())
    assert "does not hold the key" in str(talked.errors["N"])


def test_who_grants_must_be_a_member_that_may_admit(house: House) -> None:
    door, me = Identity.generate(), Identity.generate()
    for identity in (door, me):
        house.take_in(identity)
    grant = Grant(tuple(house.history.wire()), ())
    talked = talk(Exchange(admitter_side(door, [CODE], lambda _: grant), 0.0), newcomer(me))
    assert "no member that may admit" in str(talked.errors["N"])
    assert talked.newcomer.result is None


@pytest.mark.parametrize(
    ("statements", "expected"),
    [(lambda wire: wire, "does not hold this device"), (lambda wire: [b"junk"], "its roster cannot be used")],
)
def test_the_granted_roster_must_make_sense(
    house: House, statements: Callable[[list[bytes]], list[bytes]], expected: str
) -> None:
    grant = Grant(tuple(statements(list(house.history.wire()))), ())
    talked = talk(Exchange(admitter_side(house.screen, [CODE], lambda _: grant), 0.0), newcomer())
    assert expected in str(talked.errors["N"])
    assert str(talked.errors["A"]) == "it broke off"


def test_what_the_shells_refuse_breaks_off_the_other_side(house: House) -> None:
    def refuse(_: object) -> Any:
        raise Refused("no room")

    talked = talk(Exchange(admitter_side(house.screen, [CODE], refuse), 0.0), newcomer())
    assert isinstance(talked.errors["A"], Refused)
    assert str(talked.errors["N"]) == "it broke off"
    talked = talk(admitter(house), newcomer(keep=refuse))
    assert isinstance(talked.errors["N"], Refused)
    assert str(talked.errors["A"]) == "it broke off"


def test_two_of_a_kind(house: House) -> None:
    talked = talk(admitter(house), admitter(House()))
    assert {str(error) for error in talked.errors.values()} == {"it is not the other side of a pairing"}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (frame(HELLO, b"\x01A"), "wrong length"),
        (frame(HELLO, b"\x02A" + bytes(48)), "by version 2"),
        (frame(SHARE, b""), "out of turn"),
        (refusal(Reason.BUSY, 24.2), "try again in 25 s"),
        (refusal(Reason.BUSY), "try again in a moment"),
        (refusal(Reason.FAILED, 1e9), "it broke off"),
        (frame(b"R", b""), "it broke off"),
    ],
)
def test_bad_greetings(sent: bytes, expected: str) -> None:
    with pytest.raises(PairingError, match=expected):
        newcomer().receive(sent)


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (b"", "wrong length"),
        (b"B" + bytes(32), "cannot be used"),
        (b"A" + bytes(32), "cannot be used"),
        (b"A" + b"\x01" + bytes(31), "cannot be used"),
        (b"A" + b"\x02" + bytes(31), "cannot be used"),
        (b"A" + b"\xff" * 32, "cannot be used"),
    ],
)
def test_bad_shares(share: bytes, expected: str) -> None:
    """Wrong side, off the curve, of low order."""
    end = newcomer()
    end.receive(frame(HELLO, bytes(Hello(ADMITTER, bytes(32)))))
    with pytest.raises(PairingError, match=expected):
        end.receive(frame(SHARE, share))


class Recorded:
    """One pairing under fixed randomness: either side can be run again against what the other one sent."""

    def __init__(self) -> None:
        house, self.me = House(), Identity.generate()
        self.screen = house.screen
        self.grant = house.admit(Newcomer(self.me.key, self.me.certificate, "Hall", Role.DOOR, NO_TICKET))
        talked = talk(self.admitter(), self.newcomer())
        assert talked.errors == {}
        self.sent = talked.sent

    def newcomer(self) -> Exchange[Any]:
        return Exchange(newcomer_side(self.me, CODE, "Hall", Role.DOOR, nothing, random_bytes=twos), 0.0)

    def admitter(self) -> Exchange[Any]:
        return Exchange(admitter_side(self.screen, [CODE], lambda _: self.grant, random_bytes=ones), 0.0)


def ones(size: int) -> bytes:
    return b"\x01" * size


def twos(size: int) -> bytes:
    return b"\x02" * size


def flips(stream: bytes) -> Iterator[bytes]:
    """The stream with one bit changed: every byte of the small frames and of each header once, and of the
    boxes every 29th; test_channel has each bit of a box."""
    start = 0
    for data in frames_of(stream):
        step = 29 if data[:1] == BOX else 1
        for offset in {0, 1, 2, 3, *range(4, len(data), step), len(data) - 1}:
            flipped = bytearray(stream)
            flipped[start + offset] ^= 1 << (start + offset) % 8
            yield bytes(flipped)
        start += len(data)


@pytest.mark.parametrize("sender", ["A", "N"])
def test_a_flipped_bit_in_any_frame_is_refused(sender: str) -> None:
    recorded = Recorded()
    run = recorded.newcomer if sender == "A" else recorded.admitter
    stream = b"".join(recorded.sent[sender])
    untouched = run()
    untouched.receive(stream)
    assert untouched.result is not None
    for flipped in flips(stream):
        end = run()
        assert isinstance(refused(end, flipped), PairingError)
        assert end.result is None


def refused(end: Exchange[Any], stream: bytes) -> MeshdoorError | None:
    try:
        end.receive(stream)
        end.receive(b"")
    except MeshdoorError as error:
        return error
    return None


@pytest.mark.parametrize("code", ["1234-5678", "12345678", " 1234 5678\n"])
def test_codes(code: str) -> None:
    assert Password.from_code(code) == CODE


@pytest.mark.parametrize("code", ["", "1234-567", "1234-56789", "12-345678", "１２３４-5678", "abcd-efgh"])
def test_what_is_no_code(code: str) -> None:
    with pytest.raises(ConfigError, match="is not a pairing code"):
        Password.from_code(code)


def test_a_password_does_not_print_itself() -> None:
    assert "1234" not in repr(CODE)
    token = Password.from_token(b"\xaa" * 16)
    assert token.ticket != NO_TICKET
    assert "aaaa" not in repr(token)


def test_vector() -> None:
    """The wire format as it is, so that another implementation can be checked against it."""
    vector = json.loads(VECTOR.read_text())
    statements = tuple(bytes.fromhex(each) for each in vector["statements"])
    screen, me = (Identity.generate(bytes.fromhex(seed).ljust) for seed in vector["seeds"])
    grant = Grant(statements, tuple(vector["hints"]))
    password = Password.from_code(vector["code"])
    talked = talk(
        Exchange(admitter_side(screen, [password], lambda _: grant, random_bytes=ones), 0.0),
        Exchange(newcomer_side(me, password, "Hall", Role.DOOR, nothing, random_bytes=twos), 0.0),
    )
    assert talked.errors == {}
    assert {name: [data.hex() for data in sent] for name, sent in talked.sent.items()} == vector["frames"]
