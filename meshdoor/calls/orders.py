"""What a call, or a visitor at a screen, asks of its owner, in the order in which it is to be done.

A `Call` is one call: its orders carry no number. Those of `Visitors` name the visit.
"""

from __future__ import annotations

from dataclasses import dataclass

from meshdoor.calls.commands import Ending


@dataclass(frozen=True, slots=True)
class Gates:
    """What may pass: our microphone out, their sound to our speaker, the picture (ours out, theirs in)."""

    microphone: bool = False
    speaker: bool = False
    picture: bool = False


@dataclass(frozen=True, slots=True)
class Invite:
    """Send the INVITE. Until `AskTalk` the offer holds only what the kind of call lets pass."""


@dataclass(frozen=True, slots=True)
class Ring:
    """On: send 180 and ring for a person to come. Off: be silent."""

    on: bool


@dataclass(frozen=True, slots=True)
class AnnounceMonitor:
    """Somebody sees or hears through this node though no person answered here: tone, and light while it is on."""

    peer: bytes
    on: bool


@dataclass(frozen=True, slots=True)
class Accept:
    """Send the 200 with the answer."""

    visit: int = 0


@dataclass(frozen=True, slots=True)
class Reject:
    """Send this final response: nobody answered here."""

    status: int
    visit: int = 0


@dataclass(frozen=True, slots=True)
class Media:
    """This may pass from now on."""

    gates: Gates
    visit: int = 0


@dataclass(frozen=True, slots=True)
class AskTalk:
    """Send the re-INVITE that makes the sound two-way; its result comes back as `agreed` or `refused`."""


@dataclass(frozen=True, slots=True)
class CloseMedia:
    """Nothing passes any more."""

    visit: int = 0


@dataclass(frozen=True, slots=True)
class Cancel:
    """CANCEL the INVITE."""


@dataclass(frozen=True, slots=True)
class Bye:
    """End the dialog; after a 2xx that came too late, ACK it first."""

    visit: int = 0


@dataclass(frozen=True, slots=True)
class Over:
    """The person's last word of this call: how it ended. The SIP session may have to settle yet."""

    ending: Ending
    visit: int = 0


@dataclass(frozen=True, slots=True)
class Early:
    """Send 183 with the answer to the door's offer, so that pictures come while it rings."""

    visit: int


@dataclass(frozen=True, slots=True)
class Bell:
    """Ring aloud, or be silent; one bell for all visitors."""

    on: bool


@dataclass(frozen=True, slots=True)
class Knock:
    """One soft tone and a sign on the screen: a visitor waits while somebody talks."""

    visit: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Keep the picture that this visit shows now, in case nobody answers."""

    visit: int


@dataclass(frozen=True, slots=True)
class LeaveCall:
    """Hang up the room-to-room call: the person goes to the door."""


Order = (
    Invite
    | Ring
    | AnnounceMonitor
    | Accept
    | Reject
    | Media
    | AskTalk
    | CloseMedia
    | Cancel
    | Bye
    | Over
    | Early
    | Bell
    | Knock
    | Snapshot
    | LeaveCall
)
