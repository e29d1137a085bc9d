"""Linphone, unmodified: adopted as it is, and set up by a code. It rings, shows the visitor before anybody answers, and
talks.

One house serves all tests of this file; each leaves it calm.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.guests import TABLET, VISITOR, adopted, heard_at_door, home, last_pitch
from tests.lab.linphone import FREQUENCY, MISSING, Linphonec, LinphoneDaemon, Settings
from tests.lab.nodes import Node, wait_until
from tests.lab.presses import Family

pytestmark = [pytest.mark.lab, pytest.mark.peers, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

ELSEWHERE = 5  # in Linphone's table of calls
ONLY_VP8: Settings = {
    "video_codec_0": {"mime": "VP8", "rate": 90000, "enabled": 1},
    "video_codec_1": {"mime": "H264", "rate": 90000, "enabled": 0},
}


@pytest.fixture(scope="module")
def built() -> Iterator[Family]:
    with home("tablet", "phone") as family:
        yield family


@pytest.fixture
def family(built: Family) -> Iterator[Family]:
    built.forget()
    yield built
    built.calm()


@pytest.mark.parametrize(
    ("transport", "media", "codecs"),
    [("udp", "srtp", {}), ("tcp", "srtp", ONLY_VP8), ("udp", "dtls", ONLY_VP8), ("tcp", "dtls", {})],
)
def test_it_shows_the_visitor_while_it_rings_and_talks(
    family: Family, transport: str, media: str, codecs: Settings
) -> None:
    demands = {"sip": {"media_encryption": media, "media_encryption_mandatory": 1}}
    with (
        Linphonec(family.house["tablet"], demands, codecs) as linphone,
        adopted(family, "tablet", transport, media) as told,
    ):
        assert bool(told["warning"]) is (media == "srtp")
        assert TABLET in family.press().rings
        wait_until(linphone.decodes)
        first = linphone.snapshot()
        assert first is not None
        wait_until(lambda: (linphone.snapshot() or 0) > first)
        assert not family.told("sound", "door")
        linphone.type("answer")
        family.hears("over", "kitchen", why="answered elsewhere")
        family.hears("sound", "door")
        family.ears.hear(1.5)
        wait_until(lambda: heard_at_door(family) == FREQUENCY)
        linphone.type("terminate")
        family.hears("step", "door", step="ended", member=TABLET)
        assert linphone.logs("MSVp8Dec") is (codecs is ONLY_VP8)
    assert last_pitch(linphone.heard) == VISITOR


def test_it_declines_for_itself(family: Family) -> None:
    with Linphonec(family.house["tablet"]) as linphone, adopted(family, "tablet", "udp", "srtp"):
        family.press()
        wait_until(linphone.decodes)
        linphone.type("terminate")
        family.hears("step", "door", step="ended", member=TABLET, detail="declined")
        assert not family.told("over", "hall")


def test_what_is_switched_off_is_not_rung(family: Family) -> None:
    with Linphonec(family.house["tablet"]) as linphone, adopted(family, "tablet", "udp", "srtp"):
        linphone.process.kill()
        wait_until(lambda: family.door.sees(TABLET, "unreachable"), 60)
        assert TABLET not in family.press().rings


@pytest.fixture(scope="module")
def anna(built: Family) -> Iterator[LinphoneDaemon]:
    """A `linphone-daemon` that has set itself up by the code of the hall."""
    hall, host = built["hall"], built.house["phone"]
    invited = hall.host.start(hall.host.python("meshdoor", "phone", "add", "Anna", "--linphone", "--json"))
    invited.expect('"url"')
    url = json.loads(invited.text.splitlines()[0])["url"]
    hosts = host.directory / "hosts"
    hosts.write_text(hosts.read_text() + f"{hall.host.ipv4} hall.local\n")
    with LinphoneDaemon(host, provisioning=url, trust=str(roots(hall, host.directory))) as linphone:
        wait_until(lambda: built.door.sees("Anna"))
        assert json.loads(invited.text.splitlines()[-1])["joined"] == "Anna"
        yield linphone
    wait_until(lambda: not built.door.sees("Anna"))
    hall.ask("revoke", member="Anna")


def test_the_daemon_that_registered_over_tls_shows_the_visitor_and_talks(family: Family, anna: LinphoneDaemon) -> None:
    assert "Anna" in family.press().rings
    wait_until(lambda: anna.shows("LinphoneCallIncomingEarlyMedia"))
    wait_until(lambda: anna.decoded == 1)
    anna.ask("answer")
    family.hears("over", "kitchen", why="answered elsewhere")
    anna.speak()
    family.hears("sound", "door")
    wait_until(lambda: heard_at_door(family) == FREQUENCY)
    assert "Mime: opus" in anna.ask("call-stats")
    anna.ask("terminate")
    family.hears("step", "door", step="ended", member="Anna")


def test_the_daemon_stores_that_somebody_else_answered(family: Family, anna: LinphoneDaemon) -> None:
    family.press()
    wait_until(lambda: anna.shows("LinphoneCallIncomingEarlyMedia"))
    family["kitchen"].ask("answer")
    family.hears("step", "door", step="ended", member="Anna", detail="answered elsewhere")
    wait_until(lambda: results(anna.directory)[-1:] == [ELSEWHERE])


def test_the_daemon_looks_through_the_door(family: Family, anna: LinphoneDaemon) -> None:
    before = anna.decoded
    anna.ask("call sip:door@hall.local")
    family.hears("monitored", "door", by="Anna", on=True)
    wait_until(lambda: anna.decoded > before)
    anna.ask("terminate")
    family.hears("monitored", "door", by="Anna", on=False)


def roots(node: Node, directory: Path) -> Path:
    """The authorities that a client of this node must trust."""
    wait_until((node.state / "web.pem").exists)
    path = directory / "roots.pem"
    texts = ((node.state / name).read_text() for name in ("web.pem", "sip.pem"))
    path.write_text("".join(text[text.index("-----BEGIN CERT") :] for text in texts))
    return path


def results(directory: Path) -> list[int]:
    """What Linphone remembers of its calls."""
    path = directory / ".local" / "share" / "linphone" / "call-history.db"
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return [row[0] for row in connection.execute("SELECT status FROM call_history ORDER BY id")]
    except sqlite3.OperationalError:  # it is being written
        return []
    finally:
        connection.close()
