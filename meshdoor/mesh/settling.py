"""Which of two connections between the same two nodes becomes their link (pure)."""

from __future__ import annotations

from enum import Enum, auto

from meshdoor.mesh.frames import Hello


class Verdict(Enum):
    """What to do with a member's connection to us, once it has said HELLO."""

    TAKE = auto()  # answer it; it replaces whatever else there is
    WAIT = auto()  # until it is known what becomes of the connection we dialed
    DROP = auto()


def settle(own: bytes, peer: bytes, hello: Hello, current: Hello | None, asking: bool) -> Verdict:
    """Judge a connection dialed by `peer` that said `hello`.

    `current` is what the peer said on the link that is up; `asking`: we have dialed, and greeted it meanwhile.
    Nobody says HELLO on a connection that he dialed while he has a link. So a HELLO that was said after the one of
    the link that we believe in means that the peer has lost that link; one said before it crossed our own.
    When both have dialed, the connection dialed by the lower key stays. A connection that does not stay never
    carries anything but its HELLO, so nothing can be lost with it.
    """
    if current is not None:
        return Verdict.TAKE if hello.is_after(current) else Verdict.DROP
    return Verdict.WAIT if asking and own < peer else Verdict.TAKE
