"""Messages that order something."""

from __future__ import annotations

import pytest

from meshdoor.calls.texts import MAX_BODY, MAX_NAME, TEXT, OpenOrder, order_of
from meshdoor.errors import SipError


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("open", ""),
        ("Open", ""),
        (" OPEN!\r\n", ""),
        ("open.", ""),
        ("open Front door", "Front door"),
        ("open: Gate", "Gate"),
        ("Open  Türe 2 !", "Türe 2"),
        ("open " + "x" * MAX_NAME, "x" * MAX_NAME),
    ],
)
def test_orders(text: str, name: str) -> None:
    assert order_of(TEXT, text.encode()) == OpenOrder(name)


@pytest.mark.parametrize("text", ["", "hello", "reopen", "opened", "do open", "open a\x07b", "open " + "x" * 65])
def test_small_talk(text: str) -> None:
    assert order_of(TEXT, text.encode()) is None


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/sdp", b"open", 415),
        ("", b"open", 415),
        (TEXT, b"open" + b" " * MAX_BODY, 413),
        (TEXT, b"open \xff", 400),
    ],
)
def test_what_is_no_message(kind: str, body: bytes, status: int) -> None:
    with pytest.raises(SipError) as caught:
        order_of(kind, body)
    assert caught.value.status == status
