"""One press rings all kinds of devices at the same time: two screens, a Linphone, a baresip, a browser, and an account
at somebody's server with sipp behind it. Each of them answers once.

One house serves all tests of this file; each leaves it calm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.lab import House, baresip, browser, kamailio, linphone, sipp
from tests.lab.baresip import Baresip
from tests.lab.browser import Browser
from tests.lab.guests import MEDIA, VISITOR
from tests.lab.kamailio import Kamailio
from tests.lab.linphone import DECODED, Linphonec
from tests.lab.nodes import wait_until
from tests.lab.presses import Family
from tests.lab.process import Process
from tests.lab.test_linphone import ELSEWHERE, results
from tests.lab.test_phones import join

MISSING = next(filter(None, (each.MISSING for each in (linphone, baresip, browser, kamailio, sipp))), "")
pytestmark = [pytest.mark.lab, pytest.mark.peers, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

SECRET = "a secret of many words"
SCREENS = ("hall", "kitchen")
LINPHONE, BARESIP, PAGE, ACCOUNT = "Linphone", "baresip", "Alice", "bob@pbx.example"
ALL = (*SCREENS, LINPHONE, BARESIP, PAGE, ACCOUNT)
RINGS = 4000  # ms that the account rings before it answers: the others ring by then
SAID = "Call completed elsewhere"
OURS = "Meshdoor-"  # what the headers begin with that are for nodes of a home alone


@dataclass
class Home:
    """A family with one guest of each kind."""

    family: Family
    linphone: Linphonec
    baresip: Baresip
    page: Browser
    before: dict[str, int] = field(default_factory=dict)
    decoded: int = 0

    def there(self) -> bool:
        """Can the door ring all of them?"""
        return all(self.family.door.sees(name) for name in ALL if name != ACCOUNT)

    def account(self, *, answers: bool) -> Process:
        """The sipp behind the account, for one call."""
        host = self.family.house["bob"]
        scenario = "proxied_screen" if answers else "proxied_cancelled"
        text = (sipp.SCENARIOS / f"{scenario}.xml").read_text().replace('"800"', f'"{RINGS}"')
        path = host.directory / f"{scenario}.xml"
        path.write_text(text)
        words = ["sipp", "-sf", str(path), "-i", host.ipv4, "-p", "5060", "-m", "1", "-nostdin"]
        words += ["-trace_msg", "-message_file", str(self.heard_by_account)]
        process = host.start(words, {"TERM": "xterm"})
        wait_until(lambda: bool(host.run(["ss", "-Hlnu", "sport = :5060"]).stdout.strip()))
        return process

    @property
    def heard_by_account(self) -> Path:
        return self.family.house["bob"].directory / "messages"

    def told(self) -> dict[str, int]:
        """How many calls each guest that says so remembers as answered elsewhere."""
        return {
            LINPHONE: results(self.family.house["phone"].directory).count(ELSEWHERE),
            BARESIP: self.baresip.process.text.count(SAID),
        }

    def answers(self, name: str) -> Callable[[], object]:
        """What somebody does there."""
        ways: dict[str, Callable[[], object]] = {
            LINPHONE: lambda: self.linphone.type("answer"),
            BARESIP: lambda: self.baresip.ask("accept"),
            PAGE: lambda: self.page.click('[data-key="answer"]'),
            ACCOUNT: lambda: None,  # after a while, by itself
        }
        return ways.get(name, lambda: self.family[name].ask("answer"))


@pytest.fixture(scope="module")
def built() -> Iterator[Home]:
    with ExitStack() as stack:
        house = stack.enter_context(House("hall", "kitchen", "door", "phone", "pad", "page", "pbx", "bob"))
        bob, pbx, door = house["bob"], house["pbx"], house["door"]
        stack.enter_context(Kamailio(pbx, SECRET, trusted=bob.ipv4, ways={"bob": [f"{bob.ipv4}:5060"]}))
        secret = door.directory / "secret"
        secret.write_text(SECRET + "\n")
        account = (
            f'[[accounts]]\naddress = "sip:door@pbx.example"\nproxy = "sip:{pbx.ipv4};transport=udp"\n'
            f'secret_file = "{secret}"\nmedia = "plain"\n[routes]\neveryone = ["sip:bob@pbx.example"]\n'
        )
        settings = "[media]\n" + MEDIA.format(VISITOR, door.directory) + account
        family = stack.enter_context(Family(house, *SCREENS, settings=settings))
        family.door.process.expect("is registered")
        demands = {"sip": {"media_encryption": "srtp", "media_encryption_mandatory": 1}}
        home = Home(
            family,
            stack.enter_context(Linphonec(house["phone"], demands)),
            stack.enter_context(Baresip(house["pad"])),
            stack.enter_context(Browser(house["page"])),
        )
        hall = family["hall"]
        hall.ask("adopt", uri=f"sip:tablet@{house['phone'].ipv4}", name=LINPHONE, transport="tcp", media="srtp")
        hall.ask("adopt", uri=f"sip:tablet@{house['pad'].ipv4}", name=BARESIP, transport="udp", media="plain")
        join(home.page, hall, PAGE)
        wait_until(home.there)
        family.rehearse()
        yield home


@pytest.fixture
def home(built: Home) -> Iterator[Home]:
    """Calm before and after."""
    built.family.forget()
    built.before, built.decoded = built.told(), built.linphone.log.read_text(errors="replace").count(DECODED)
    yield built
    built.family.calm()
    built.page.wait("#call > .call", "detached")
    wait_until(built.there)


@pytest.mark.parametrize("winner", ALL)
def test_one_press_rings_all_kinds_and_one_of_them_talks(home: Home, winner: str) -> None:
    account = home.account(answers=winner == ACCOUNT)
    rings(home)
    home.answers(winner)()
    home.family.hears("step", "door", step="answered", member=winner)
    falls_silent(home, winner)
    if winner != ACCOUNT:
        home.family.hears("sound", "door")
    home.family.door.ask("hangup")
    assert home.family.hears("over", "door").event["why"] == "answered"  # told when no branch is left
    assert account.wait() == 0
    wait_until(lambda: "Active calls (0)" in home.baresip.ask("listcalls"))
    for log in (home.linphone.log, home.baresip.process.log, home.heard_by_account):
        assert OURS not in log.read_text(errors="replace")


def rings(home: Home) -> None:
    """All of them, and who can show a picture does."""
    assert set(home.family.press().rings) == set(ALL)
    for name in ALL:
        home.family.hears("step", "door", step="early", member=name)
    for name in SCREENS:
        home.family.hears("picture", name)
    wait_until(lambda: home.linphone.log.read_text(errors="replace").count(DECODED) > home.decoded)
    wait_until(lambda: home.baresip.pictures() > 0)
    wait_until(lambda: home.page.frame() is not None)


def falls_silent(home: Home, winner: str) -> None:
    """Everybody else, who is told why."""
    family = home.family
    for name in ALL:
        if name != winner:
            family.hears("step", "door", step="ended", member=name, detail="answered elsewhere")
    for name in SCREENS:
        if name != winner:
            assert family.hears("over", name).event["why"] == "answered elsewhere"
    for name in (LINPHONE, BARESIP):
        wait_until(lambda name=name: home.told()[name] == home.before[name] + (name != winner))  # type: ignore[misc]
    if winner != PAGE:
        home.page.wait("#call > .call", "detached")
    if winner != ACCOUNT:
        wait_until(lambda: SAID in home.heard_by_account.read_text(errors="replace"))
