"""Messages that several tests share."""

from __future__ import annotations

OPTIONS = b"""OPTIONS sip:user@example.com SIP/2.0
Via: SIP/2.0/UDP host.example.com;branch=z9hG4bKkdjuw
Max-Forwards: 70
From: <sip:caller@example.com>;tag=323
To: <sip:user@example.com>
Call-ID: 1@host
CSeq: 60 OPTIONS

""".replace(b"\n", b"\r\n")


def edited(old: str, new: str, message: bytes = OPTIONS) -> bytes:
    """A message with one text in it exchanged, and its line feeds made CRLF."""
    assert old.encode() in message
    return message.replace(old.encode(), new.replace("\n", "\r\n").encode("utf-8", "surrogateescape"))


def with_header(line: str, message: bytes = OPTIONS) -> bytes:
    """A message with one more header, below the start line."""
    return message.replace(b"\r\n", f"\r\n{line}\r\n".encode("utf-8", "surrogateescape"), 1)
