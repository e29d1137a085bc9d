"""Byte for byte what linphone-daemon 5.1.65 says."""

from __future__ import annotations

import pytest

from meshdoor.control.daemon import MAX_COMMAND, NO_NOTICE, Commands, Notice, Reply


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(), b"Status: Ok\n"),
        (Reply.error("No call with such id."), b"Status: Error\nReason: No call with such id.\n"),
        (Reply.fields(Id=1), b"Status: Ok\n\nId: 1\n\n"),
        (Reply(body="Version: 5.1.65"), b"Status: Ok\n\nVersion: 5.1.65\n"),
        (
            Reply.fields(State="LinphoneCallOutgoingProgress", From="sip:nobody@127.0.0.1:5999"),
            b"Status: Ok\n\nState: LinphoneCallOutgoingProgress\nFrom: sip:nobody@127.0.0.1:5999\n\n",
        ),
        (NO_NOTICE, b"Status: Ok\n\nSize: 0\n\n"),
        (
            Notice.of("receiving-tone", Tone=5, From="sip:linphone@127.0.0.1", Id=1).reply(0),
            b"Status: Ok\n\nSize: 0\nEvent-type: receiving-tone\n\n"
            b"Tone: 5\nFrom: sip:linphone@127.0.0.1\nId: 1\n\n\n\n",
        ),
    ],
)
def test_replies(reply: Reply, said: bytes) -> None:
    assert bytes(reply) == said


def test_no_name_makes_a_line() -> None:
    assert bytes(Reply.fields(From="a\nStatus: Ok\r")) == b"Status: Ok\n\nFrom: a Status: Ok \n\n"
    assert bytes(Reply.error("x\ny")) == b"Status: Error\nReason: x y\n"
    assert Notice.of("k", two_words="\ud800").body.startswith("two-words: ")


def test_a_command_is_a_line_or_what_was_sent_at_once() -> None:
    commands = Commands()
    assert commands.receive(b"call sip:homescreen@myhouse") == []
    assert [commands.begun, commands.take(), commands.begun] == [True, ["call sip:homescreen@myhouse"], False]
    assert commands.receive(b"version\r\n\n \nquit\nterm") == ["version", "quit"]
    assert commands.receive(b"inate 1\n") == ["terminate 1"]
    assert commands.take() == []
    assert commands.receive(b"\xff\n") == ["\ufffd"]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_command_has_an_end(end: bytes) -> None:
    with pytest.raises(ValueError, match="without end"):
        Commands().receive(b"x" * (MAX_COMMAND + 1) + end)
