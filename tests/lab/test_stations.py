"""A door station that somebody owned already, played by baresip, rings the whole house through one of its screens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from meshdoor.media.microphone import tone_of
from meshdoor.node.listening import LOOK_AGAIN
from tests.lab import House
from tests.lab.nodes import Node, home_of, wait_until
from tests.lab.panel import MISSING, Panel
from tests.lab.presses import Ears, Told
from tests.patience import PATIENCE

pytestmark = [pytest.mark.lab, pytest.mark.peers, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

ASKS = LOOK_AGAIN + 1.0  # seconds until the node asks for another certificate
SCREENS = ("hall", "kitchen", "bedroom")


@dataclass
class Home:
    """Three screens, the first of which knows the station."""

    house: House
    nodes: dict[str, Node]
    ears: Ears

    @property
    def everyone(self) -> str:
        return f"sip:everyone@{self.house['hall'].ipv4}"

    def told(self, kind: str, node: str = "", **fields: object) -> list[Told]:
        return [told for told in self.ears.told if node in ("", told.node) and told.matches(kind, fields)]

    def hears(self, kind: str, node: str = "", timeout: float = PATIENCE, **fields: object) -> Told:
        self.ears.until(lambda: bool(self.told(kind, node, **fields)), timeout)
        return self.told(kind, node, **fields)[0]

    def adopt(self, name: str, uri: str = "", **more: object) -> dict[str, str]:
        where = uri or f"sip:panel@{self.house['gate'].ipv4}"
        said = self.nodes["hall"].ask("station adopt", uri=where, name=name, **more)
        assert said["joined"] == name
        for node in self.nodes.values():
            wait_until(lambda node=node: node.sees(name))  # type: ignore[misc]
            wait_until(lambda node=node: node.status()["node"]["media"] == "ready", 60)  # type: ignore[misc]
        return dict(said)

    def calm(self) -> None:
        for node in self.nodes.values():
            node.ask("hangup")
        self.ears.hear(0.5)
        self.ears.told.clear()


@pytest.fixture(scope="module")
def built() -> Iterator[Home]:
    with House("gate", "yard", "lane", "porch", *SCREENS) as house:
        home = Home(house, dict(zip(SCREENS, home_of(house, *SCREENS), strict=True)), Ears())
        home.adopt("Gate", media="plain", code="42#")
        for node in home.nodes.values():
            home.ears.listen(node)
        yield home
        home.ears.close()


@pytest.fixture
def home(built: Home) -> Iterator[Home]:
    built.ears.hear(0.1)
    built.ears.told.clear()
    yield built
    built.calm()


@pytest.fixture(scope="module")
def panel(built: Home) -> Iterator[Panel]:
    with Panel(built.house["gate"]) as panel:
        yield panel


def test_everybody_sees_who_is_there_and_one_talks(home: Home, panel: Panel) -> None:
    panel.press(home.everyone)
    for name in SCREENS:
        assert home.hears("picture", name).event["frame"] is not None
        assert home.hears("visitor", name).event["door"] == "Gate"
        home.hears("sound", name)
    assert not panel.talks
    home.nodes["kitchen"].ask("answer")
    for name in ("hall", "bedroom"):
        assert home.hears("over", name).event["why"] == "answered elsewhere"
    wait_until(lambda: panel.talks)
    home.nodes["kitchen"].ask("dtmf", digits="17")
    wait_until(lambda: panel.digits.endswith("17"))
    home.ears.hear(1.0)
    home.nodes["kitchen"].ask("hangup")
    wait_until(lambda: panel.calls == 0)
    assert panel.heard() == tone_of("kitchen")


def test_a_visitor_who_leaves_was_missed(home: Home, panel: Panel) -> None:
    panel.press(home.everyone)
    for name in SCREENS:
        home.hears("picture", name)
    panel.hang_up()
    for name in SCREENS:
        assert home.hears("over", name).event["why"] in ("missed", "cancelled")


def test_a_house_that_declines_is_told_to_the_station(home: Home, panel: Panel) -> None:
    panel.press(home.everyone)
    for name, node in home.nodes.items():
        home.hears("visitor", name)
        node.ask("decline")
    wait_until(lambda: panel.calls == 0)


def test_a_station_may_ring_one_screen_alone(home: Home, panel: Panel) -> None:
    panel.press(f"sip:bedroom@{home.house['hall'].ipv4}")
    home.hears("picture", "bedroom")
    assert not home.told("visitor", "kitchen")
    panel.hang_up()
    home.hears("over", "bedroom")


def test_a_visitor_talks_until_the_station_hangs_up(home: Home, panel: Panel) -> None:
    panel.press(home.everyone)
    home.hears("picture", "bedroom")
    home.nodes["hall"].ask("answer")
    wait_until(lambda: panel.talks)
    panel.hang_up()
    home.hears("over", "hall", why="answered")


def test_a_screen_looks_through_it_and_talks(home: Home, panel: Panel) -> None:
    kitchen = home.nodes["kitchen"]
    kitchen.ask("monitor", door="Gate")
    assert home.hears("picture", "kitchen").event["frame"] is not None
    home.nodes["bedroom"].ask("monitor", door="Gate")
    home.hears("picture", "bedroom")
    assert panel.calls == 1
    kitchen.ask("talk")
    home.hears("call", "kitchen", state="talking")
    home.ears.hear(1.0)
    kitchen.ask("hangup")
    assert panel.calls == 1
    home.nodes["bedroom"].ask("hangup")
    wait_until(lambda: panel.calls == 0)
    assert panel.heard() == tone_of("kitchen")


def test_the_node_that_knows_it_looks_through_it(home: Home, panel: Panel) -> None:
    home.nodes["hall"].ask("monitor", door="Gate")
    assert home.hears("picture", "hall").event["frame"] is not None
    home.nodes["hall"].ask("hangup")
    wait_until(lambda: panel.calls == 0)


def test_it_is_opened_by_its_code_from_everywhere(home: Home, panel: Panel) -> None:
    said = home.nodes["kitchen"].ask("open", door="Gate")
    assert (said["result"], said["of"]) == ("opened", "Gate")
    wait_until(lambda: panel.digits.endswith("42#"))
    wait_until(lambda: panel.calls == 0)
    panel.press(home.everyone)
    home.hears("picture", "kitchen")
    home.nodes["hall"].ask("station open", door="Gate")
    wait_until(lambda: panel.digits.endswith("42#42#"))
    assert panel.talks
    assert not home.told("over", "kitchen")  # it rings on
    panel.hang_up()
    home.hears("over", "kitchen")


def test_the_media_engine_between_them_dies_while_it_rings(home: Home, panel: Panel) -> None:
    panel.press(home.everyone)
    for name in SCREENS:
        home.hears("picture", name)
    home.ears.told.clear()
    host = home.house["hall"]
    pid = home.nodes["hall"].process.pid
    children = host.run(["cat", f"/proc/{pid}/task/{pid}/children"]).stdout.split()
    host.run(["sh", "-c", f"kill -9 {' '.join(children)}"])
    home.hears("picture", "hall")
    home.nodes["kitchen"].ask("answer")
    wait_until(lambda: panel.talks)
    home.ears.hear(1.5)
    home.nodes["kitchen"].ask("hangup")
    wait_until(lambda: panel.calls == 0)
    assert panel.heard() == tone_of("kitchen")


@pytest.fixture(scope="module")
def back(built: Home) -> Iterator[Panel]:
    """It encrypts, calls over TCP, and proves who it is."""
    where = f"sip:panel@{built.house['yard'].ipv4};transport=tcp"
    said = built.adopt("Back", where, media="srtp", digest=True)
    account = f"mediaenc=srtp-mand;auth_user=panel;auth_pass={said['secret']}"
    with Panel(built.house["yard"], account) as panel:
        yield panel


def test_a_station_may_encrypt_and_prove_who_it_is(home: Home, back: Panel) -> None:
    back.press(f"{home.everyone};transport=tcp")
    for name in SCREENS:
        assert home.hears("visitor", name).event["door"] == "Back"
        assert home.hears("picture", name).event["frame"] is not None
    home.nodes["bedroom"].ask("answer")
    wait_until(lambda: back.talks)
    home.ears.hear(1.0)
    home.nodes["bedroom"].ask("hangup")
    wait_until(lambda: back.calls == 0)
    assert back.heard() == tone_of("bedroom")


def test_both_stations_ring_at_the_same_time(home: Home, panel: Panel, back: Panel) -> None:
    panel.press(home.everyone)
    back.press(f"{home.everyone};transport=tcp")
    for name in SCREENS:
        home.hears("visitor", name, door="Gate")
        home.hears("visitor", name, door="Back")
    panel.hang_up()
    home.hears("over", "kitchen", door="Gate")
    home.ears.hear(0.3)
    assert back.calls == 1
    assert not home.told("over", "kitchen", door="Back")
    back.hang_up()
    home.hears("over", "kitchen", door="Back")


def test_who_does_not_know_the_secret_does_not_ring(home: Home, built: Home) -> None:
    home.adopt("Side", f"sip:side@{built.house['lane'].ipv4}", media="plain", digest=True)
    with Panel(built.house["lane"], "auth_user=side;auth_pass=wrong") as liar:
        liar.press(home.everyone)
        wait_until(lambda: "40" in liar.process.log.read_text(errors="replace") and liar.calls == 0)
        home.ears.hear(0.5)
        assert not home.told("visitor")


def test_a_station_is_known_by_its_certificate(home: Home, built: Home) -> None:
    everyone = f"{home.everyone};transport=tls"
    with Panel(built.house["porch"], "mediaenc=srtp-mand") as panel:
        said = home.adopt("Porch", f"sip:panel@{built.house['porch'].ipv4};transport=tls", media="srtp")
        assert (said["warning"], bool(said["fingerprint"])) == ("", True)
        home.ears.hear(ASKS)
        panel.press(everyone)
        for name in SCREENS:
            assert home.hears("visitor", name).event["door"] == "Porch"
            home.hears("picture", name)
        panel.hang_up()
        home.hears("over", "kitchen")
        home.ears.told.clear()
        panel.press(home.everyone)  # over UDP anybody might say so
        wait_until(lambda: panel.calls == 0)
    with Panel(built.house["porch"], "mediaenc=srtp-mand") as other:
        other.press(everyone)
        home.ears.hear(2.0)
        assert not home.told("visitor")
        assert "183 Session Progress" not in other.process.text


def test_a_station_that_registers_may_be_anywhere(home: Home, built: Home) -> None:
    said = home.adopt("Lane", "sip:lane@10.77.0.250", media="plain", digest=True)
    secret = f"auth_user=lane;auth_pass={said['secret']}"
    with Panel(built.house["lane"], secret, built.house["hall"].ipv4) as panel:
        panel.process.expect("200 OK")
        panel.press(home.everyone)
        for name in SCREENS:
            assert home.hears("visitor", name).event["door"] == "Lane"
            home.hears("picture", name)
        panel.hang_up()
        home.hears("over", "kitchen")
        home.ears.told.clear()
        home.nodes["kitchen"].ask("monitor", door="Lane")
        home.hears("picture", "kitchen")


def test_eight_screens_are_eight_branches() -> None:
    """What it costs is measured by `python -m benchmarks stations`."""
    names = ("hall", *(f"room{number}" for number in range(2, 9)))
    with House("gate", *names) as house:
        home = Home(house, dict(zip(names, home_of(house, *names), strict=True)), Ears())
        home.adopt("Gate", media="plain")
        for node in home.nodes.values():
            home.ears.listen(node)
        with Panel(house["gate"]) as panel:
            panel.press(home.everyone)
            for name in names:
                assert home.hears("picture", name).event["frame"] is not None
            home.nodes["room8"].ask("answer")
            for name in names[:-1]:
                assert home.hears("over", name).event["why"] == "answered elsewhere"
            wait_until(lambda: panel.talks)
            home.ears.until(lambda: len(home.told("step", "hall", step="first picture")) == len(names))
        home.ears.close()
