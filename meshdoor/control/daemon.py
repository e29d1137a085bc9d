"""The line protocol of linphone-daemon 5.1, as it was seen on its pipe; scripts that were written for it expect this.

A command is a line, or what one `send` carries: the daemon takes what one read gives, so scripts end no line. Replies:

    Status: Ok                          Status: Error
                                        Reason: No call with such id.
    Id: 1

A body stands between an empty line and another line feed, whatever it ends with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MAX_COMMAND: Final = 4096  # bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command is answered; `reason` is for an error."""

    ok: bool = True
    reason: str = ""
    body: str = ""

    @classmethod
    def error(cls, reason: str) -> Reply:
        return cls(False, _line(reason))

    @classmethod
    def fields(cls, **fields: object) -> Reply:
        """A body of `Name: value` lines; a name's underscores are hyphens."""
        return cls(body=_fields(fields))

    def __bytes__(self) -> bytes:
        reason = f"Reason: {self.reason}\n" if self.reason else ""
        body = f"\n{self.body}\n" if self.body else ""
        return f"Status: {'Ok' if self.ok else 'Error'}\n{reason}{body}".encode(errors="replace")


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened, kept until `pop-event` asks for it."""

    kind: str
    body: str

    @classmethod
    def of(cls, kind: str, **fields: object) -> Notice:
        return cls(kind, _fields(fields))

    def reply(self, left: int) -> Reply:
        """The answer to `pop-event`; `left` wait behind it."""
        return Reply(body=f"Size: {left}\nEvent-type: {self.kind}\n\n{self.body}\n\n")


NO_NOTICE: Final = Reply(body="Size: 0\n")


class Commands:
    """Cuts what a script sends into commands."""

    def __init__(self) -> None:
        self._begun = b""

    @property
    def begun(self) -> bool:
        """Is there something that no line feed has ended yet? When nothing follows it is a command, too: `take` it."""
        return bool(self._begun)

    def receive(self, data: bytes) -> list[str]:
        """The lines that are complete. Raises ValueError when one has no end."""
        *lines, self._begun = (self._begun + data).split(b"\n")
        if any(len(line) > MAX_COMMAND for line in (*lines, self._begun)):
            raise ValueError("a command without end")
        return list(_told(lines))

    def take(self) -> list[str]:
        """What was begun: one command, or none."""
        line, self._begun = self._begun, b""
        return list(_told([line]))


def _told(lines: Iterable[bytes]) -> Iterable[str]:
    for line in lines:
        text = line.decode(errors="replace").strip(" \t\r\0")
        if text:
            yield text


def _fields(fields: dict[str, object]) -> str:
    return "".join(f"{name.replace('_', '-')}: {_line(str(value))}\n" for name, value in fields.items())


def _line(text: str) -> str:
    """No name may begin another line."""
    return "".join(character if character.isprintable() else " " for character in text)
