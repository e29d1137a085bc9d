"""What a fork asks of its owner, in the order in which it is to be done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Ending(StrEnum):
    """Why a branch ended, as the ring ledger has it."""

    ANSWERED = "answered"  # it won, and the call is over
    ELSEWHERE = "answered elsewhere"
    MISSED = "missed"  # nobody answered in time
    CANCELLED = "cancelled"  # the visitor gave up
    DECLINED = "declined"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    LOST = "lost"  # it was there, and vanished
    HANDED_OVER = "handed over"  # it talked, and another room took over
    FAILED = "failed"  # it answered with something that is of no use

    @classmethod
    def of(cls, status: int) -> Ending:
        """What a device meant by its final response (RFC 3261 §21)."""
        if status in (486, 600):
            return cls.BUSY
        if status in (480, 603, 607):
            return cls.DECLINED
        return cls.UNREACHABLE if status in (408, 503) else cls.FAILED


@dataclass(frozen=True, slots=True)
class Invite:
    """Send this branch's INVITE, with its own Call-ID, offer and keys."""

    branch: int
    peer: bytes


@dataclass(frozen=True, slots=True)
class StartEarly:
    """Send pictures to this branch from now on; what it sends is dropped until it has won."""

    branch: int


@dataclass(frozen=True, slots=True)
class OpenTalk:
    """This branch has won: sound both ways."""

    branch: int


@dataclass(frozen=True, slots=True)
class CloseMedia:
    """Nothing more goes to this branch or is taken from it."""

    branch: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """CANCEL the INVITE; `elsewhere` puts `Call completed elsewhere` into its Reason (RFC 3326)."""

    branch: int
    elsewhere: bool


@dataclass(frozen=True, slots=True)
class Bye:
    """End the dialog. After a 2xx that lost: ACK first, then BYE (RFC 3261 §15); `elsewhere` as in Cancel."""

    branch: int
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Knock:
    """Tell the device that talks that somebody pressed again."""

    branch: int


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What became of handing over to `peer`: the device of `branch` wants to know. ANSWERED: `peer` talks now."""

    branch: int
    peer: bytes
    ending: Ending


class Step(StrEnum):
    """What can be written down of a branch; the values are the ledger's."""

    ASKED = "asked"
    PROVISIONAL = "provisional"
    EARLY = "early"
    PACKET = "first packet"
    PICTURE = "first picture"
    ANSWERED = "answered"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Record:
    """One line for the ring ledger. `at` is on the caller's clock; `detail` says more for a person."""

    peer: bytes
    step: Step
    at: float
    detail: str = ""


Command = Invite | StartEarly | OpenTalk | CloseMedia | Cancel | Bye | Knock | HandedOver | Record
