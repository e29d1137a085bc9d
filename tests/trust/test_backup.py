from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

from meshdoor.errors import ConfigError
from meshdoor.trust.backup import Backup, Cost
from meshdoor.trust.identity import Identity
from meshdoor.trust.permissions import Role

CHEAP = Cost(argon2id.OPSLIMIT_MIN, argon2id.MEMLIMIT_MIN)
BACKUP = Backup(Identity.generate(), (b"one", bytes(range(256))), "Küche", Role.SCREEN)
PASSPHRASE = "correct horse é"


def restored(text: str, passphrase: str = PASSPHRASE) -> Backup:
    return Backup.restore(text, passphrase, "home.backup")


def sealed(plain: bytes) -> str:
    """A file with anything in the box."""
    salt = bytes(16)
    key = argon2id.kdf(SecretBox.KEY_SIZE, PASSPHRASE.encode(), salt, CHEAP.passes, CHEAP.memory)
    box = base64.b64encode(SecretBox(key).encrypt(plain)).decode()
    return f"MESHDOOR BACKUP 1\nargon2id {CHEAP.passes} {CHEAP.memory} {salt.hex()}\n{box}\n"


def fields(**changed: Any) -> bytes:
    good = {"identity": BACKUP.identity.to_pem().decode(), "roster": [], "name": "Hall", "role": "door"}
    return json.dumps({**good, **changed}).encode()


def test_round_trip() -> None:
    text = BACKUP.export(PASSPHRASE, CHEAP)
    assert restored(text) == BACKUP
    assert restored(text.replace("\n", "\r\n")) == BACKUP
    assert restored(text, "correct horse e\u0301") == BACKUP
    assert max(map(len, text.splitlines())) <= 76


def test_nothing_shows_without_the_passphrase() -> None:
    text = BACKUP.export(PASSPHRASE, CHEAP)
    with pytest.raises(ConfigError, match="the passphrase is wrong"):
        restored(text, "correct horse e")
    assert base64.b64encode(bytes(BACKUP.identity.signing_key)).decode() not in text


def test_twice_the_same_is_not_the_same_file() -> None:
    assert BACKUP.export(PASSPHRASE, CHEAP) != BACKUP.export(PASSPHRASE, CHEAP)


def test_by_default_a_guess_is_dear() -> None:
    assert Cost() == Cost(argon2id.OPSLIMIT_MODERATE, argon2id.MEMLIMIT_MODERATE)
    text = BACKUP.export(PASSPHRASE)
    assert text.splitlines()[1].startswith("argon2id 3 268435456 ")
    assert restored(text) == BACKUP


def test_a_short_passphrase() -> None:
    with pytest.raises(ConfigError, match="shorter than 8"):
        BACKUP.export("secret", CHEAP)


def test_no_bit_flip_changes_what_is_restored() -> None:
    backup = Backup(BACKUP.identity, (), "Hall", Role.DOOR)
    text = backup.export(PASSPHRASE, CHEAP)
    for position in range(len(text)):
        flipped = text[:position] + chr(ord(text[position]) ^ 1) + text[position + 1 :]
        with suppress(ConfigError):  # the last digit of base64 may have bits to spare
            assert restored(flipped) == backup


@pytest.mark.parametrize(
    "text",
    [
        "",
        "MESHDOOR BACKUP 2\n",
        "MESHDOOR BACKUP 1\nscrypt\n",
        f"MESHDOOR BACKUP 1\nargon2id 3 8192 {'00' * 15}\n",
    ],
)
def test_foreign_files(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a Meshdoor backup"):
        restored(text)


@pytest.mark.parametrize(("passes", "memory"), [(0, 8192), (7, 8192), (1, 8191), (1, (512 << 20) + 1)])
def test_a_file_cannot_ask_for_too_much(passes: int, memory: int) -> None:
    with pytest.raises(ConfigError, match="more memory or time"):
        restored(f"MESHDOOR BACKUP 1\nargon2id {passes} {memory} {'00' * 16}\n")


@pytest.mark.parametrize("body", ["", "!", "QUJD"])
def test_a_box_that_is_none(body: str) -> None:
    with pytest.raises(ConfigError, match="does not open"):
        restored(f"MESHDOOR BACKUP 1\nargon2id 1 8192 {'00' * 16}\n{body}")


@pytest.mark.parametrize(
    "plain",
    [
        b"[]",
        b"{}",
        b"nonsense",
        fields(identity=5),
        fields(identity="x"),
        fields(roster=["!"]),
        fields(roster=5),
        fields(role="owner"),
        fields(name="a\nb"),
    ],
)
def test_a_box_with_something_else_in_it(plain: bytes) -> None:
    with pytest.raises(ConfigError, match="cannot be used"):
        restored(sealed(plain))


def test_the_box_of_these_tests_is_a_good_one() -> None:
    assert restored(sealed(fields())).name == "Hall"


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(argon2id, "kdf", no_memory)
    with pytest.raises(ConfigError, match="no 256 MiB of free memory"):
        BACKUP.export(PASSPHRASE)
