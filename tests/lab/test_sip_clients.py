"""JsSIP and SIP.js, unmodified, in a browser: what cards of home automation are made of.

One house serves all tests of this file; each leaves it calm.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from meshdoor.control import Json
from meshdoor.media.analysis import pitch, read_wav, sound
from tests.lab import House
from tests.lab.browser import MISSING, Browser
from tests.lab.clients import Client, missing
from tests.lab.guests import LOCK
from tests.lab.nodes import wait_until
from tests.lab.presses import Family, is_sent_sound
from tests.lab.test_phones import MEDIA, VISITOR, tone

pytestmark = [
    pytest.mark.lab,
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING or missing()), reason=MISSING or missing()),
]

VOICES = {"jssip": 880, "sipjs": 990}  # Hz
CODE = "4711"
SHUT = 0.5  # seconds until the lock is shut again
OPENS = """([url, protocol]) => new Promise((told) => {
  const socket = new WebSocket(url, protocol);
  socket.onopen = () => { socket.close(); told(true); };
  socket.onerror = () => told(false);
})"""
REGISTERED = """() => heard.some((text) => text.startsWith("SIP/2.0 200") && /^CSeq: \\d+ REGISTER/m.test(text))"""


@dataclass
class Home:
    """A door, a screen, and a client of each library that is attached to the screen."""

    family: Family
    clients: dict[str, Client]
    accounts: dict[str, Json]

    def account(self, library: str) -> Json:
        """A new one."""
        host = self.family["hall"].host
        said = host.run(host.python("meshdoor", "phone", "add", library, "--sip", "--json")).stdout
        self.accounts[library] = json.loads(said)
        return self.accounts[library]

    def registered(self) -> bool:
        nodes = (self.family["hall"], self.family.door)
        return all(node.sees(name) for node in nodes for name in self.clients)


@pytest.fixture(scope="module")
def built() -> Iterator[Home]:
    with ExitStack() as stack:
        house = stack.enter_context(House("hall", "door", *VOICES))
        state = house["hall"].directory / "state"
        state.mkdir(mode=0o700)
        (state / "config.toml").write_text(LOCK)
        settings = "[media]\n" + MEDIA.format(VISITOR, house["door"].directory)
        family = stack.enter_context(Family(house, "hall", settings=settings))
        clients = {}
        for library, voice in VOICES.items():
            microphone = tone(house[library].directory / "voice.wav", voice)
            flags = [f"--use-file-for-fake-audio-capture={microphone}"]
            clients[library] = Client(stack.enter_context(Browser(house[library], flags)), library)
        home = Home(family, clients, {})
        for library, client in clients.items():
            client.open()
            client.start(home.account(library))
            client.until("line", "registered")
        wait_until(home.registered)
        family.rehearse()
        yield home


@pytest.fixture
def home(built: Home) -> Iterator[Home]:
    """Calm before and after."""
    built.family.forget()
    yield built
    built.family.calm()
    wait_until(built.registered)


@pytest.fixture(scope="module")
def stranger(built: Home) -> Iterator[Browser]:
    with Browser(built.family.house["sipjs"], name="stranger") as browser:
        yield browser


@pytest.fixture(params=VOICES)
def client(home: Home, request: pytest.FixtureRequest) -> Client:
    return home.clients[request.param]


def rung(home: Home, client: Client) -> None:
    press = home.family.press()
    assert set(VOICES) <= set(press.rings)
    client.until("call", "ringing")


def sees(client: Client) -> None:
    """The picture moves."""
    wait_until(lambda: client.browser.frame() is not None)
    first = client.browser.frame()
    assert first is not None
    wait_until(lambda: (client.browser.frame() or 0) > first)


def stands_still(home: Home, client: Client) -> bool:
    before = client.browser.frame()
    home.family.ears.hear(0.3)
    return client.browser.frame() == before


def said(home: Home) -> int | None:
    rate, samples = read_wav(home.family.house["door"].directory / "heard.wav")
    return pitch(sound(samples, rate)[-rate:], rate)


def test_a_client_is_rung_answers_hears_sees_and_hangs_up(home: Home, client: Client) -> None:
    rung(home, client)
    assert client.browser.frame() is None
    client.do("answer")
    client.until("call", "talking")
    sees(client)
    home.family.hears("sound", "door")
    wait_until(lambda: abs((client.browser.pitch() or 0) - VISITOR) < 20)
    wait_until(lambda: abs((said(home) or 0) - VOICES[client.library]) <= 20)
    other = next(other for other in home.clients.values() if other is not client)
    other.until("call", "over")
    assert "SIP;cause=200" in other.get("reason")
    client.do("hangup")
    home.family.hears("step", "door", step="ended", member=client.library)
    client.until("call", "over")


def test_a_library_that_sends_183_shows_the_visitor_before_the_answer(home: Home) -> None:
    client = home.clients["sipjs"]
    microphone = len(client.browser.microphone)
    rung(home, client)
    client.do("early")
    sees(client)
    assert len(client.browser.microphone) == microphone
    client.do("answer")
    client.until("call", "talking")
    home.family.hears("sound", "door")
    wait_until(lambda: abs((said(home) or 0) - VOICES["sipjs"]) <= 20)
    sees(client)
    home.family.door.ask("hangup")
    client.until("call", "over")


def test_a_client_stops_ringing_when_nobody_waits_any_more(home: Home, client: Client) -> None:
    rung(home, client)
    home.family["hall"].ask("answer")
    client.until("call", "over")
    assert "SIP;cause=200" in client.get("reason")
    home.family.door.ask("hangup")
    home.family.calm()
    rung(home, client)
    home.family.door.ask("hangup")
    client.until("call", "over")
    assert client.get("reason") == ""


def test_a_client_declines_for_itself(home: Home, client: Client) -> None:
    rung(home, client)
    client.do("decline")
    home.family.hears("step", "door", step="ended", member=client.library, detail="declined")
    assert not home.family.told("over", "hall")


def test_a_talk_is_held_and_goes_on(home: Home, client: Client) -> None:
    rung(home, client)
    client.do("answer")
    client.until("call", "talking")
    sees(client)
    home.family.hears("sound", "door")
    client.do("hold")
    wait_until(lambda: client.browser.pitch() is None)
    wait_until(lambda: stands_still(home, client))
    client.do("unhold")
    sees(client)
    wait_until(lambda: abs((client.browser.pitch() or 0) - VISITOR) < 20)
    assert client.get("call") == "talking"


def test_a_client_opens_by_a_code_in_a_talk(home: Home, client: Client) -> None:
    """JsSIP sends it as INFO, SIP.js with the sound."""
    assert home.family["hall"].ask("pin", member=client.library, code=CODE)["by_code"]
    rung(home, client)
    client.do("answer")
    client.until("call", "talking")
    home.family.hears("sound", "door")
    home.family.ears.hear(SHUT)
    client.do("type", f"{CODE}#")
    assert home.family.hears("lock", "hall", result="opened").event["who"] == f"{client.library}, by code"


def test_a_client_opens_by_a_message(home: Home, client: Client) -> None:
    home.family.ears.hear(SHUT)
    client.do("write", "sip:door@home.arpa", "open")
    assert home.family.hears("lock", "hall", result="opened").event["who"] == f"{client.library}, by message"
    client.until("wrote", "hall: opened.")
    client.do("write", "sip:hall@home.arpa", "hello")
    client.until("wrote", "Write")


def test_a_client_looks_through_the_door_by_itself(home: Home, client: Client) -> None:
    client.do("look", "sip:door@home.arpa")
    client.until("call", "talking")
    sees(client)
    assert home.family.hears("monitored", "door", by=client.library, on=True)
    client.do("hangup")
    home.family.hears("monitored", "door", by=client.library, on=False)


def test_a_registration_is_refreshed(home: Home, client: Client) -> None:
    client.browser.evaluate("() => { heard.length = 0 }")
    began = time.time()
    client.do("register")
    wait_until(lambda: client.browser.evaluate(REGISTERED))
    assert home.family["hall"].row(client.library)["since"] < began  # it is there since it came, as before
    rung(home, client)


def test_who_has_no_account_is_refused(home: Home, client: Client, stranger: Browser) -> None:
    account = home.accounts[client.library]
    other = Client(stranger, client.library)
    other.open()
    other.start(account | {"secret": "guessed"})
    other.until("line", "refused 401")
    other.open()
    other.start(account | {"user": "nobody"})
    other.until("line", "refused 401")
    other.open()
    other.start(account | {"secret": "guessed"}, False)
    other.until("line", "connected")
    other.do("look", "sip:door@home.arpa")
    other.until("call", "over")
    assert "401" in other.get("why")
    assert home.registered()


def test_only_the_socket_of_clients_is_open_to_pages_of_others(home: Home, client: Client) -> None:
    for path, protocol, opens in (("sip", "sip", True), ("phone", "sip", False), ("home", "meshdoor", False)):
        url = home.accounts[client.library]["server"].replace("/sip", f"/{path}")
        assert client.browser.evaluate(OPENS, [url, protocol]) is opens


def test_clients_come_back_when_their_node_does(home: Home) -> None:
    hall = home.family["hall"]
    hall.process.kill()
    for client in home.clients.values():
        client.until("line", "off")
    home.family.start(hall)
    for client in home.clients.values():
        client.until("line", "registered")
    wait_until(home.registered)
    home.family.rehearse()
    for client in home.clients.values():
        rung(home, client)
        home.family.calm()


def test_a_client_that_is_revoked_while_it_talks_is_cut_off(home: Home, client: Client) -> None:
    rung(home, client)
    client.do("answer")
    sees(client)
    home.family.hears("sound", "door")
    assert is_sent_sound(home.family, client.host)
    home.family["hall"].ask("revoke", member=client.library)
    wait_until(lambda: client.get("line") != "registered")
    home.family.hears("step", "door", step="ended", member=client.library)
    wait_until(lambda: not is_sent_sound(home.family, client.host))
    client.until("line", "refused 401")
    assert client.library not in home.family.press().rings
    client.open()
    client.start(home.account(client.library))
    client.until("line", "registered")
