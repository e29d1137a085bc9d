from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import LocalProtocolError, SipError
from meshdoor.sip.fields import Field, Headers, parse_field


def headers() -> Headers:
    return Headers([("Via", "a, b"), ("X-Mine", "1, 2"), ("v", "c"), ("To", "x")])


def test_names_are_found_in_any_form() -> None:
    given_headers = headers()
    assert given_headers.get("VIA") == given_headers.get("v") == given_headers.get("via") == "a, b"
    assert given_headers.get("t") == "x"
    assert given_headers.get("From") is None
    assert "t" in given_headers
    assert "f" not in given_headers
    assert 1 not in given_headers


def test_only_lists_are_split() -> None:
    assert headers().get_all("Via") == ["a", "b", "c"]
    assert headers().get_all("x-mine") == ["1, 2"]
    assert headers().get_lines("via") == ["a, b", "c"]
    assert Headers([("Supported", "")]).get_all("Supported") == []


def test_changes() -> None:
    changed = headers()
    changed.set("Via", "new")
    assert list(changed) == [("Via", "new"), ("X-Mine", "1, 2"), ("To", "x")]
    changed.prepend("X-mine", "0")
    changed.prepend("Route", "r")
    changed.set("Call-ID", "c")
    changed.remove("t")
    assert list(changed) == [
        ("Route", "r"), ("Via", "new"), ("X-mine", "0"), ("X-Mine", "1, 2"), ("Call-ID", "c"),
    ]  # fmt: skip
    assert changed.keys() == ["route", "via", "x-mine", "x-mine", "call-id"]
    assert len(changed) == 5


@pytest.mark.parametrize("change", ["add", "set", "prepend", "remove", "copy"])
def test_a_change_forgets_what_was_read(change: str) -> None:
    changed = headers()
    changed.typed["via"] = "old"
    match change:
        case "remove":
            changed.remove("Via")
        case "copy":
            changed.copy_from(headers(), "via")
        case _:
            getattr(changed, change)("Via", "x")
    assert changed.typed == {}


def test_a_copy_is_independent() -> None:
    first = headers()
    second = first.copy()
    assert second == first
    second.add("X", "y")
    assert second != first
    assert "X-Mine" in repr(first)


def test_copying_keeps_the_bytes() -> None:
    source = Headers.of([parse_field("t :\r\n  <sip:x>\t "), parse_field("Via: a")])
    target = Headers()
    target.copy_from(source, "Via", "To", "From")
    assert [field.line for field in target.fields()] == ["Via: a", "t :\r\n  <sip:x>\t "]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("Subject: a", Field("subject", "a", "Subject: a")),
        ("S :a\r\n\t b \r\n c ", Field("subject", "a b c", "S :a\r\n\t b \r\n c ")),
        ("l:0", Field("content-length", "0", "l:0")),
        ("X~'y:\xa0é", Field("x~'y", "\xa0é", "X~'y:\xa0é")),
    ],
)
def test_lines(line: str, field: Field) -> None:
    assert parse_field(line) == field


@pytest.mark.parametrize("line", ["", "a", ": x", "a b: c", "é: x", "\u212aelvin: x", "X: " + "a" * 8192])
def test_bad_lines(line: str) -> None:
    with pytest.raises(SipError):
        parse_field(line)


@given(st.text(), st.text())
def test_no_value_ends_its_line(name: str, value: str) -> None:
    target = Headers()
    try:
        target.add(name, value)
    except LocalProtocolError:
        return
    (field,) = target.fields()
    assert "\r" not in field.line
    assert "\n" not in field.line


@pytest.mark.parametrize(
    ("name", "value"), [("A", "b\r\nVia: c"), ("A\r\nB", "c"), ("A", "\0"), ("", "c"), ("A:", "b")]
)
def test_injection(name: str, value: str) -> None:
    for change in (Headers().add, Headers().set, Headers().prepend):
        with pytest.raises(LocalProtocolError):
            change(name, value)
    with pytest.raises(LocalProtocolError):
        Headers([(name, value)])
