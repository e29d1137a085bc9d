"""Phones in the virtual house: real nodes, real browsers with the page of the node, paired by the QR code.

One house serves all tests of this file; each leaves it calm. How fast it all is says `python -m tests.lab.measure`.
"""

from __future__ import annotations

import time
import wave
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from math import sin, tau
from pathlib import Path

import pytest

from tests.fakes.scanner import read_png
from tests.lab import House
from tests.lab.browser import MISSING, Browser
from tests.lab.capture import Packet
from tests.lab.guests import last_pitch
from tests.lab.nodes import Node, wait_until
from tests.lab.presses import Family, audio_from, is_sent_sound

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

VISITOR, ALICE = 660, 880  # Hz
MEDIA = 'width = 640\nheight = 352\nspeaker = "file"\nmicrophone = "tone:{}"\nout_dir = "{}"\n'


@dataclass
class Home:
    """A family with a lock in the hall, a second door, and two phones that are attached to the hall."""

    family: Family
    garden: Node
    alice: Browser
    bob: Browser

    @property
    def hall(self) -> Node:
        return self.family["hall"]

    def attached(self) -> bool:
        return all(node.sees("Alice") and node.sees("Bob") for node in (self.hall, self.family.door, self.garden))


@pytest.fixture(scope="module")
def built() -> Iterator[Home]:
    with ExitStack() as stack:
        house = stack.enter_context(House("hall", "kitchen", "door", "garden", "alice", "bob"))
        state = house["hall"].directory / "state"
        state.mkdir(mode=0o700)
        (state / "config.toml").write_text("[lock]\npulse = 0.5\n")
        settings = "[media]\n" + MEDIA.format(VISITOR, house["door"].directory)
        family = stack.enter_context(Family(house, "hall", "kitchen", settings=settings))
        garden = Node(house["garden"], "door")
        family["hall"].pair(garden)
        microphone = tone(house["alice"].directory / "alice.wav", ALICE)
        alice = stack.enter_context(Browser(house["alice"], [f"--use-file-for-fake-audio-capture={microphone}"]))
        bob = stack.enter_context(Browser(house["bob"]))
        home = Home(family, garden, alice, bob)
        join(alice, home.hall, "Alice")
        join(bob, home.hall, "Bob")
        wait_until(home.attached)
        family.rehearse()
        yield home


@pytest.fixture
def home(built: Home) -> Iterator[Home]:
    """Calm before and after."""
    built.family.forget()
    yield built
    built.garden.ask("hangup")
    built.family.calm()
    for browser in (built.alice, built.bob):
        browser.wait("#call > .call", "detached")
    wait_until(built.attached)


def test_a_code_is_good_for_one_phone_and_for_this_home_alone(home: Home) -> None:
    url = invite(home.hall, "Carol")
    page, fragment = url.split("#")
    fields = dict(field.split("=", 1) for field in fragment.split("&"))
    with Browser(home.family.house["bob"], name="stranger") as stranger:
        for field, code in (("pair", "unknown"), ("f", "fingerprint")):
            wrong = fields | {field: fields[field][:-4] + ("AAAA" if not fields[field].endswith("AAAA") else "BBBB")}
            assert refused(stranger, f"{page}#" + "&".join(f"{name}={value}" for name, value in wrong.items())) == code
        stranger.goto("about:blank")
        stranger.goto(url)
        stranger.click(".welcome .primary")
        stranger.wait(".pair-microphone")
    with Browser(home.family.house["bob"], name="late") as late:
        assert refused(late, url) == "used"
    home.hall.ask("revoke", member="Carol")


def test_the_page_shows_the_visitor_while_it_rings(home: Home) -> None:
    press = home.family.press()
    assert {"Alice", "Bob", "hall", "kitchen"} == set(press.rings)
    for name, browser in (("Alice", home.alice), ("Bob", home.bob)):
        wait_until(lambda browser=browser: browser.frame() is not None)  # type: ignore[misc]
        first = browser.frame()
        assert first is not None
        wait_until(lambda browser=browser, first=first: (browser.frame() or 0) > first)  # type: ignore[misc]
        assert browser.microphone == []
        home.family.hears("step", "door", step="first picture", member=name)


def test_the_first_to_answer_talks_with_the_visitor(home: Home) -> None:
    family, alice = home.family, home.alice
    packets: list[Packet]
    with family.house["door"].capture() as packets:
        family.press()
        wait_until(lambda: alice.frame() is not None)
        wait_until(lambda: home.bob.frame() is not None)
        family.ears.hear(0.5)
        before = time.time()
        alice.click('[data-key="answer"]')
        family.hears("sound", "door")
        home.bob.wait("#notices :text('Alice')")  # it does not stay for long
        heard = family.house["door"].directory / "heard.wav"
        wait_until(lambda: abs((last_pitch(heard) or 0) - ALICE) <= 20)
        wait_until(lambda: abs((alice.pitch() or 0) - VISITOR) < 20)
    for loser in ("hall", "kitchen"):
        assert family.hears("over", loser).event["why"] == "answered elsewhere"
    assert len(alice.microphone) == 1
    assert alice.microphone[0] >= before
    sent = audio_from(family.house["alice"], packets)
    assert sent
    assert min(sent) >= before
    assert not audio_from(family.house["bob"], packets)


def test_the_lock_opens_when_the_button_is_held(home: Home) -> None:
    home.family.press()
    wait_until(lambda: home.alice.frame() is not None)
    home.alice.hold('[data-key="open"]', 1.2)
    assert home.family.hears("lock", "hall", who="Alice").event["result"] == "opened"
    home.alice.wait("#notices :text('open')")


def test_a_phone_declines_for_itself(home: Home) -> None:
    home.family.press()
    wait_until(lambda: home.alice.frame() is not None)
    home.alice.click('[data-key="decline"]')
    home.family.hears("step", "door", step="ended", member="Alice", detail="declined")
    assert not home.family.told("over", "hall")


def test_a_phone_looks_through_the_door_and_talks(home: Home) -> None:
    home.alice.click(".door .look, .door button")
    wait_until(lambda: home.alice.frame() is not None)
    assert home.family.hears("monitored", "door", by="Alice", on=True)
    home.alice.click('[data-key="speak"]')
    home.family.hears("sound", "door")
    home.alice.click('[data-key="hangup"]')
    home.family.hears("monitored", "door", by="Alice", on=False)


def test_either_door_rings_both_phones(home: Home) -> None:
    home.family.press()
    home.garden.ask("ring")
    for browser in (home.alice, home.bob):
        wait_until(lambda browser=browser: browser.frame() is not None)  # type: ignore[misc]
        browser.wait(".call-other")
    home.family.door.ask("hangup")
    for browser in (home.alice, home.bob):
        browser.wait(".call-other", "detached")


def test_the_screen_that_phones_are_attached_to_dies_and_comes_back(home: Home) -> None:
    home.hall.process.kill()
    for browser in (home.alice, home.bob):
        browser.wait(".head .state.unreachable")
    home.family.start(home.hall)
    wait_until(home.attached)
    for browser in (home.alice, home.bob):
        browser.wait(".head .state.ready")
    home.family.press()
    wait_until(lambda: home.alice.frame() is not None)


def test_a_guest_is_out_when_its_time_is_over(home: Home) -> None:
    with Browser(home.family.house["bob"], name="guest") as guest:
        ends = time.time() + 8
        join(guest, home.hall, "Guest", "--expires", datetime.fromtimestamp(int(ends)).isoformat())
        wait_until(lambda: home.family.door.sees("Guest"))
        assert guest.text(".head .state")
        guest.wait(".alone")
        assert time.time() >= int(ends)
        assert "Guest" not in home.family.press().rings
    wait_until(lambda: not home.hall.sees("Guest"))


def test_a_phone_that_is_revoked_while_it_talks_is_cut_off(home: Home) -> None:
    family, alice = home.family, home.alice
    family.press()
    wait_until(lambda: alice.frame() is not None)
    alice.click('[data-key="answer"]')
    family.hears("sound", "door")
    assert is_sent_sound(family, family.house["alice"])
    home.hall.ask("revoke", member="Alice")
    alice.wait(".alone")
    family.hears("step", "door", step="ended", member="Alice")
    wait_until(lambda: not is_sent_sound(family, family.house["alice"]))
    join(alice, home.hall, "Alice")


def invite(node: Node, name: str, *options: str) -> str:
    """The URL that a phone reads from the picture of the code."""
    picture = node.host.directory / f"{name}-{time.monotonic_ns()}.png"
    command = node.host.python("meshdoor", "phone", "add", name, "--json", "--png", picture, *options)
    node.host.start(command).expect('"url"')
    return read_png(picture.read_bytes())


def join(browser: Browser, node: Node, name: str, *options: str) -> None:
    """What somebody does with the code."""
    browser.goto(invite(node, name, *options))
    browser.click(".welcome .primary")
    browser.click(".pair-microphone .ask .quiet")
    browser.wait(".door")


def refused(browser: Browser, url: str) -> str:
    """Why the page says that this code is of no use."""
    browser.goto("about:blank")
    browser.goto(url)
    browser.click(".welcome .primary")
    browser.wait(".pairing[data-code]")
    assert browser.text(".pairing h1")
    return str(browser.evaluate("() => document.querySelector('.pairing').dataset.code"))


def tone(path: Path, frequency: int, rate: int = 48_000) -> Path:
    """A file with ten seconds of a tone, for a microphone that plays it again and again."""
    samples = array("h", (int(8000 * sin(tau * frequency * at / rate)) for at in range(10 * rate)))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return path
