"""baresip, unmodified: adopted over UDP, TCP and TLS. Version 1.0 decrypts nothing before it has answered; in the clear
it shows the visitor while it rings.

One house serves all tests of this file; each leaves it calm.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.baresip import FREQUENCY, MISSING, Baresip
from tests.lab.guests import TABLET, VISITOR, adopted, heard_at_door, home
from tests.lab.nodes import wait_until
from tests.lab.presses import Family

pytestmark = [pytest.mark.lab, pytest.mark.peers, pytest.mark.skipif(bool(MISSING), reason=MISSING)]


@pytest.fixture(scope="module")
def built() -> Iterator[Family]:
    with home("tablet") as family:
        yield family


@pytest.fixture
def family(built: Family) -> Iterator[Family]:
    built.forget()
    yield built
    built.calm()


@pytest.mark.parametrize(
    ("transport", "media", "account"),
    [
        ("udp", "plain", ""),
        ("tcp", "srtp", "mediaenc=srtp-mand"),
        ("tls", "srtp", "mediaenc=srtp"),
        ("udp", "dtls", "mediaenc=dtls_srtp"),
    ],
)
def test_it_rings_shows_the_visitor_and_talks(family: Family, transport: str, media: str, account: str) -> None:
    with Baresip(family.house["tablet"], account) as baresip, adopted(family, "tablet", transport, media) as told:
        assert told["product"].startswith("baresip")
        assert bool(told["fingerprint"]) is (transport == "tls")
        assert TABLET in family.press().rings
        family.hears("step", "door", step="early", member=TABLET)
        if media == "plain":
            assert baresip.shows() is not None
        baresip.ask("accept")
        family.hears("over", "kitchen", why="answered elsewhere")
        family.hears("sound", "door")
        assert baresip.shows() is not None
        family.ears.hear(1.5)
        wait_until(lambda: heard_at_door(family) == FREQUENCY)
        baresip.ask("hangup")
        family.hears("step", "door", step="ended", member=TABLET)
        wait_until(lambda: baresip.heard() == VISITOR)


def test_it_is_told_that_somebody_else_answered(family: Family) -> None:
    with Baresip(family.house["tablet"]) as baresip, adopted(family, "tablet", "udp", "plain"):
        family.press()
        family.hears("step", "door", step="early", member=TABLET)
        family["kitchen"].ask("answer")
        family.hears("step", "door", step="ended", member=TABLET, detail="answered elsewhere")
        baresip.process.expect("Call completed elsewhere")


@pytest.mark.parametrize(
    ("media", "account"), [("plain", ""), ("srtp", "mediaenc=srtp-mand"), ("dtls", "mediaenc=dtls_srtp")]
)
def test_it_answers_by_itself_and_whoever_asks_for_sound_has_answered(family: Family, media: str, account: str) -> None:
    """As door panels do that show a picture to who passes by: nobody else falls silent for that."""
    baresip = Baresip(family.house["tablet"], account)
    baresip.account = baresip.account.replace("answermode=early", "answermode=auto")
    with baresip, adopted(family, "tablet", "tcp", media, preview=True):
        family.pictures(family.press(), ("hall", "kitchen"))
        family.hears("step", "door", step="early", member=TABLET)
        assert baresip.shows() is not None
        assert not family.told("step", "door", step="answered")
        baresip.ask("hold")
        baresip.ask("resume")
        family.hears("step", "door", step="answered", member=TABLET)
        family.hears("over", "kitchen", why="answered elsewhere")
        wait_until(lambda: heard_at_door(family) == FREQUENCY)
        baresip.ask("hangup")
        family.hears("over", "door", why="answered")
        family.calm()
        family.press()
        family.hears("step", "door", step="early", member=TABLET)
        family["kitchen"].ask("answer")
        family.hears("step", "door", step="ended", member=TABLET, detail="answered elsewhere")
        baresip.process.expect("Call completed elsewhere")


@pytest.mark.parametrize("media", ["srtp", "dtls"])
def test_it_looks_through_the_door_with_keys_by_dtls(family: Family, media: str) -> None:
    """Whatever it is called with."""
    hall, host = family["hall"], family.house["tablet"]
    account = hall.ask("phone sip", name="Tina", media=media)
    baresip = Baresip(host, f"mediaenc=dtls_srtp;auth_user={account['user']};auth_pass={account['secret']}")
    where = f"sip:{account['user']}@{hall.host.ipv4};transport=tcp>;regint=60"
    baresip.account = baresip.account.replace(f"sip:tablet@{host.ipv4}>;regint=0", where)
    try:
        with baresip:
            wait_until(lambda: family.door.sees("Tina"))
            for callee in ("door", "hall"):
                baresip.ask("dial", f"sip:{callee}@{hall.host.ipv4};transport=tcp")
                if callee == "door":
                    family.hears("monitored", "door", by="Tina", on=True)
                    assert baresip.shows() is not None
                else:
                    family.hears("call", "hall", state="alerting")
                    hall.ask("answer")
                    family.hears("sound", "hall")
                baresip.ask("hangup")
                wait_until(lambda: "Active calls (0)" in baresip.ask("listcalls"))
    finally:
        hall.ask("revoke", member="Tina")


def test_it_was_adopted_with_a_secret_and_looks_through_the_door(family: Family) -> None:
    hall = family["hall"].host.ipv4
    with adopted(family, "tablet", "tcp", "srtp", digest=True) as made:
        proof = f"auth_user={made['user']};auth_pass={made['secret']}"
        with Baresip(family.house["tablet"], f"mediaenc=dtls_srtp;{proof}") as baresip:
            wait_until(lambda: family.door.sees(TABLET))
            baresip.ask("dial", f"sip:door@{hall};transport=tcp")
            family.hears("monitored", "door", by=TABLET, on=True)
            assert baresip.shows() is not None
            baresip.ask("hangup")
        with Baresip(family.house["tablet"], "mediaenc=dtls_srtp;auth_user=tablet;auth_pass=guessed") as baresip:
            family.forget()
            baresip.ask("dial", f"sip:door@{hall};transport=tcp")
            baresip.process.expect("session closed: 401 Unauthorized")  # after it has tried its secret
            assert not family.told("monitored")


def test_another_certificate_than_the_one_that_was_adopted_is_not_spoken_to(family: Family) -> None:
    with adopted_and_changed(family):
        assert TABLET not in family.press().rings


def adopted_and_changed(family: Family) -> Changed:
    return Changed(family)


class Changed:
    """A baresip that was adopted over TLS, and comes back with another certificate."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def __enter__(self) -> None:
        host = self._family.house["tablet"]
        with Baresip(host):
            self._adopted = adopted(self._family, "tablet", "tls", "srtp")
            self._adopted.__enter__()
        wait_until(lambda: self._family.door.sees(TABLET, "unreachable"), 60)
        self._baresip = Baresip(host)
        self._baresip.__enter__()
        self._family.ears.hear(7)  # longer than it takes to ask again

    def __exit__(self, *about: object) -> None:
        self._baresip.__exit__(None, None, None)
        self._adopted.__exit__(None, None, None)
