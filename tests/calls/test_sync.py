"""The messages of the history between screens."""

from __future__ import annotations

import json
from typing import Any

import pytest

from meshdoor.calls.sync import (
    MAX_IDS,
    MAX_PICTURE,
    PAGE,
    Ask,
    Entries,
    Item,
    Message,
    News,
    Opening,
    Picture,
    Seen,
    Since,
    Stored,
    Summary,
    Want,
    is_picture,
    parse,
)
from meshdoor.errors import RemoteProtocolError
from tests.calls.ledgers import opening, press

EPOCH, ID = "e" * 16, "0" * 16
JPEG = b"\xff\xd8\xff" + bytes(100)
EXAMPLES: list[Message] = [
    Since(EPOCH, 7),
    Summary(EPOCH, 9, True, (Item(ID, 2, False), Item("1" * 32, 0, True))),
    Want((ID,)),
    Entries((Stored(press(), True), Stored(opening(), False)), (ID,)),
    News(),
    Seen((ID, "1" * 32)),
    Opening(opening()),
    Ask(ID),
    Picture(ID, JPEG),
    Picture(ID, b""),
]


@pytest.mark.parametrize("message", EXAMPLES)
def test_a_message_survives_the_way(message: Message) -> None:
    assert parse(json.loads(json.dumps(message.to_json()))) == message


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"do": 1},
        {"do": "eat"},
        {"do": "since", "epoch": "?", "after": 1},
        {"do": "since", "epoch": EPOCH, "after": -1},
        {"do": "since", "epoch": EPOCH, "after": True},
        {"do": "since", "epoch": EPOCH, "after": 2**53},
        {"do": "summary", "epoch": EPOCH, "last": 1, "items": None},
        {"do": "summary", "epoch": EPOCH, "last": 1, "items": [[ID, 1]]},
        {"do": "summary", "epoch": EPOCH, "last": 1, "items": [[ID, 1, 1]]},
        {"do": "summary", "epoch": EPOCH, "last": 1, "items": [[ID, 1, True]] * (PAGE + 1)},
        {"do": "want", "ids": [ID] * (PAGE + 1)},
        {"do": "want"},
        {"do": "entries", "entries": [{"kind": "song"}], "gone": []},
        {"do": "entries", "entries": [{"kind": "press", "entry": {}, "seen": False}], "gone": []},
        {"do": "entries", "entries": [{"kind": "opening", "entry": {}, "seen": False}], "gone": []},
        {"do": "entries", "entries": []},
        {"do": "seen", "ids": [ID] * (MAX_IDS + 1)},
        {"do": "opening"},
        {"do": "ask"},
        {"do": "picture", "id": ID},
        {"do": "picture", "id": ID, "data": "e30="},
        {"do": "picture", "id": ID, "data": "*"},
    ],
)
def test_what_is_no_message(document: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        parse(document)


def test_what_is_a_picture() -> None:
    assert is_picture(JPEG)
    assert is_picture(b"\x89PNG\r\n\x1a\n")
    assert not is_picture(b"GIF89a")
    assert not is_picture(JPEG + bytes(MAX_PICTURE))
