from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.errors import LocalProtocolError, SipError
from meshdoor.sip import grammar

QUOTABLE = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"))


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("0068", 68), ("4294967295", 2**32 - 1), ("000", 0)])
def test_numbers(text: str, value: int) -> None:
    assert grammar.parse_number(text, "it") == value


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1_0", "٣", "4294967296", "9" * 5000])
def test_bad_numbers(text: str) -> None:
    with pytest.raises(SipError):
        grammar.parse_number(text, "it")


@given(QUOTABLE)
def test_quote_round_trips(text: str) -> None:
    quoted = grammar.quote(text)
    assert grammar.unquote(quoted) == text
    assert grammar.end_of_quoted(quoted, 0) == len(quoted)
    assert grammar.check_safe(quoted, "it") == quoted


def test_nul_may_be_quoted() -> None:
    assert grammar.check_safe('"\\\0"', "it") == '"\\\0"'


@pytest.mark.parametrize("text", ["a\r\nb", "a\rb", "a\nb"])
def test_a_line_break_cannot_be_quoted(text: str) -> None:
    with pytest.raises(LocalProtocolError):
        grammar.quote(text)


@pytest.mark.parametrize("text", ["a\r\nVia: x", "\n", "\0", "\\\\\0", "\\\n"])
def test_unsafe_values(text: str) -> None:
    with pytest.raises(LocalProtocolError):
        grammar.check_safe(text, "it")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("a", ["a"]),
        ("a, b ,c", ["a", "b", "c"]),
        ('"a, \\", b" <sip:x,y@h>;p="1,2", c', ['"a, \\", b" <sip:x,y@h>;p="1,2"', "c"]),
        ("a,,b,", ["a", "", "b", ""]),
    ],
)
def test_lists(text: str, parts: list[str]) -> None:
    assert grammar.split_list(text) == parts


@pytest.mark.parametrize("text", ['a, "b', "a, <b", ",".join("a" * 129), '"\\'])
def test_bad_lists(text: str) -> None:
    with pytest.raises(SipError):
        grammar.split_list(text + ",")


def test_parameters() -> None:
    parameters = grammar.parse_parameters(' ;a; B = 1;c="x;\\"y"'.strip())
    assert parameters == (("a", None), ("B", "1"), ("c", '"x;\\"y"'))
    assert grammar.format_parameters(parameters) == ';a;B=1;c="x;\\"y"'
    assert [grammar.find_parameter(parameters, n) for n in "abcd"] == ["", "1", 'x;"y', None]


@pytest.mark.parametrize("text", ["a", ";", ";a;;b", ";=1", ';a="b"c', ";a=b c", ";a b", ";a" * 65, ';a="b'])
def test_bad_parameters(text: str) -> None:
    with pytest.raises(SipError):
        grammar.parse_parameters(text)


def test_replacing_a_parameter() -> None:
    old = (("a", "1"), ("Tag", "x"), ("b", None), ("tag", "y"))
    assert grammar.replace_parameter(old, "tag", "z w") == (("a", "1"), ("tag", '"z w"'), ("b", None))
    assert grammar.replace_parameter((), "lr", None) == (("lr", None),)
    with pytest.raises(LocalProtocolError):
        grammar.replace_parameter((), "a b", None)


@pytest.mark.parametrize("value", ["a", "[::1]", "::1", "a b", "", 'x"y', "a;b", "ü"])
def test_a_set_parameter_reads_back(value: str) -> None:
    text = grammar.format_parameters(grammar.replace_parameter((), "p", value))
    assert grammar.find_parameter(grammar.parse_parameters(text), "p") == value


@given(st.text(max_size=60))
@settings(max_examples=200)
def test_any_text_splits_or_is_refused(text: str) -> None:
    for split in (grammar.split_list, grammar.parse_parameters):
        try:
            split(text)
        except SipError:
            continue
