"""What tests with SIP clients of others share: a home with speakers that write files, and the adoption of a client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meshdoor.control import Json
from meshdoor.media.analysis import pitch, read_wav, sound
from tests.lab import House
from tests.lab.nodes import Node, wait_until
from tests.lab.presses import Family

VISITOR = 660  # Hz
MEDIA = 'width = 640\nheight = 352\nspeaker = "file"\nmicrophone = "tone:{}"\nout_dir = "{}"\n'
LOCK = '[lock]\nof = "door"\npulse = 0.2\n'
TABLET = "Old tablet"


@contextmanager
def home(*clients: str) -> Iterator[Family]:
    """A hall with the lock of the door, a kitchen and the door, and hosts for clients."""
    with House("hall", "kitchen", "door", *clients) as house:
        state = house["hall"].directory / "state"
        state.mkdir(mode=0o700)
        (state / "config.toml").write_text(LOCK)
        settings = "[media]\n" + MEDIA.format(VISITOR, house["door"].directory)
        with Family(house, "hall", "kitchen", settings=settings) as family:
            family.rehearse()
            yield family


@contextmanager
def adopted(
    family: Family, host: str, transport: str, media: str, *permissions: str, **more: bool
) -> Iterator[Json]:
    """A client that is a member, and is one no more at the end; `more` is said of it. With a secret (`digest`) it is
    started after it has got it."""
    hall, uri = family["hall"], f"sip:tablet@{family.house[host].ipv4}"
    may = list(permissions) or None
    how: dict[str, Json] = {"transport": transport, "media": media, "permissions": may}
    answer = hall.ask("adopt", uri=uri, name=TABLET, **how, **more)
    try:
        wait_until(lambda: more.get("digest", False) or family.door.sees(TABLET))
        yield answer
    finally:
        family.calm()
        hall.ask("revoke", member=answer["id"])
        wait_until(lambda: gone(family.door, answer["id"]))


def gone(node: Node, member: str) -> bool:
    """Does this node know that a member was revoked?"""
    return all(row["state"] == "revoked" for row in node.status()["members"] if row["id"] == member)


def heard_at_door(family: Family) -> int | None:
    """The pitch of what came to the door last."""
    return last_pitch(family.house["door"].directory / "heard.wav")


def last_pitch(path: Path) -> int | None:
    """The pitch of the last second of sound in a file: what is before it may be of another call, or a bell."""
    rate, samples = read_wav(path)
    return pitch(sound(samples, rate)[-rate:], rate)
