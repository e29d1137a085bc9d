"""Accounts at somebody's SIP server, an unmodified kamailio; behind it sipp, ringing with the house."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab import House
from tests.lab.host import Host
from tests.lab.kamailio import MISSING as NO_KAMAILIO
from tests.lab.kamailio import Kamailio
from tests.lab.nodes import Node, wait_until
from tests.lab.presses import Ears, Told
from tests.lab.process import Process
from tests.lab.segments import UDP, segments
from tests.lab.sipp import MISSING as NO_SIPP
from tests.lab.sipp import SCENARIOS

MISSING = NO_KAMAILIO or NO_SIPP
pytestmark = [pytest.mark.lab, pytest.mark.peers, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

SECRET = "a secret of many words"


def sipp(host: Host, scenario: str, *more: str) -> Process:
    """One call of a scenario."""
    words = ["sipp", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", host.ipv4, "-p", "5060", "-m", "1", "-nostdin"]
    words += ["-trace_err", "-error_file", str(host.directory / f"{scenario}.errors")]
    words += ["-trace_msg", "-message_file", str(host.directory / f"{scenario}.messages")]
    process = host.start([*words, *more], {"TERM": "xterm"})
    if not more:
        wait_until(lambda: bool(host.run(["ss", "-Hlnu", "sport = :5060"]).stdout.strip()))
    return process


def settings(host: Host, pbx: Host, user: str, more: str = "", proxy: str = ";transport=udp") -> str:
    """The file of settings of a node with an account there."""
    (host.directory / "secret").write_text(SECRET + "\n")
    path = host.directory / "meshdoor.toml"
    path.write_text(
        f'[[accounts]]\naddress = "sip:{user}@pbx.example"\nproxy = "sip:{pbx.ipv4}{proxy}"\n'
        f'secret_file = "{host.directory}/secret"\n{more}'
    )
    return str(path)


@pytest.mark.parametrize(
    ("algorithm", "transport"), [("SHA-256", "udp"), ("MD5", "udp"), ("SHA-256", "tcp"), ("MD5", "tls")]
)
def test_it_registers_and_does_so_again(algorithm: str, transport: str) -> None:
    with House("pbx", "hall") as house:
        pbx, hall = house["pbx"], house["hall"]
        with Kamailio(pbx, SECRET, algorithm=algorithm, max_expires=4) as kamailio:
            more = f'authorities = "{kamailio.authority}"\n' if transport == "tls" else ""
            node = Node(hall, options=("--config", settings(hall, pbx, "flat42", more, f";transport={transport}")))
            node.process.expect("^account .*sip:flat42@pbx.example is registered")
            wait_until(lambda: kamailio.said("registered flat42") >= 3)
            assert kamailio.said(f"over {transport.upper()}") or kamailio.said(f"over {transport}")


def test_a_server_that_nobody_vouches_for_gets_no_password() -> None:
    with House("pbx", "hall") as house:
        pbx, hall = house["pbx"], house["hall"]
        with Kamailio(pbx, SECRET) as kamailio:
            node = Node(hall, options=("--config", settings(hall, pbx, "flat42", proxy=";transport=tls")))
            node.process.expect("^account .*sip:flat42@pbx.example is not registered: 503")
            assert kamailio.said("registered flat42") == 0


@dataclass
class Flats:
    """A door and a screen with accounts at one kamailio; bob and carl are behind it."""

    house: House
    kamailio: Kamailio
    door: Node
    hall: Node
    ears: Ears

    def told(self, event: str, node: str, /, **fields: object) -> list[Told]:
        return [told for told in self.ears.told if node == told.node and told.matches(event, fields)]

    def hears(self, event: str, node: str, /, **fields: object) -> Told:
        self.ears.until(lambda: bool(self.told(event, node, **fields)), 12.0)
        return self.told(event, node, **fields)[0]

    def calm(self) -> None:
        for node in (self.door, self.hall):
            node.ask("hangup")
        self.ears.hear(0.5)
        self.ears.told.clear()


@pytest.fixture(scope="module")
def built() -> Iterator[Flats]:
    with House("pbx", "door", "hall", "bob", "carl") as house:
        pbx, bob, carl = house["pbx"], house["bob"], house["carl"]
        ways = {"bob": [f"{bob.ipv4}:5060"], "both": [f"{bob.ipv4}:5060", f"{carl.ipv4}:5060"]}
        with Kamailio(pbx, SECRET, trusted=bob.ipv4, ways=ways) as kamailio:
            routes = '[routes]\neveryone = ["sip:bob@pbx.example"]\nboth = ["sip:both@pbx.example"]\n'
            plain = 'media = "plain"\n'
            door = settings(house["door"], pbx, "door42", plain + routes)
            tls = f'authorities = "{kamailio.authority}"\n{plain}'
            hall = settings(house["hall"], pbx, "flat42", tls, ";transport=tls")
            made = Flats(
                house,
                kamailio,
                Node(house["door"], "door", options=("--config", door, "--pipe", str(pipe_of(house)))),
                Node(house["hall"], options=("--config", hall)),
                Ears(),
            )
            made.hall.ask("found", home="Flats")
            made.hall.pair(made.door)
            for node in (made.hall, made.door):
                node.process.expect("is registered")
                wait_until(lambda node=node: node.status()["node"]["media"] == "ready", 60)  # type: ignore[misc]
                made.ears.listen(node)
            yield made
            made.ears.close()


def pipe_of(house: House) -> Path:
    return house["door"].directory / "doorbell"


@pytest.fixture
def flats(built: Flats) -> Iterator[Flats]:
    built.calm()
    yield built
    built.calm()


def test_an_account_rings_with_the_house_and_wins(flats: Flats) -> None:
    bob = sipp(flats.house["bob"], "proxied_screen")
    press = flats.door.ask("ring")
    assert set(press["rings"]) == {"hall", "bob@pbx.example"}
    flats.hears("step", "door", step="early", member="hall")
    flats.hears("step", "door", step="early", member="bob@pbx.example")
    flats.hears("step", "door", step="answered", member="bob@pbx.example")
    assert flats.hears("over", "hall").event["why"] == "answered elsewhere"
    flats.door.ask("hangup")
    assert bob.wait() == 0
    assert flats.kamailio.said("loose BYE door42") == 1
    assert flats.kamailio.said("loose ACK door42") == 1


def test_when_the_house_answers_the_account_falls_silent(flats: Flats) -> None:
    bob = sipp(flats.house["bob"], "proxied_cancelled")
    flats.door.ask("ring")
    flats.hears("step", "door", step="early", member="bob@pbx.example")
    flats.hears("visitor", "hall")
    flats.hall.ask("answer")
    assert flats.hears("step", "door", step="ended", member="bob@pbx.example").event["detail"] == "answered elsewhere"
    assert bob.wait() == 0


def test_a_fork_downstream_makes_two_early_dialogs_and_one_call(flats: Flats) -> None:
    """Whoever of the two is shown first, the one that answers is who hears."""
    bob, carl = sipp(flats.house["bob"], "proxied_screen"), sipp(flats.house["carl"], "proxied_cancelled")
    script = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({str(pipe_of(flats.house))!r}); "
    said = flats.house["door"].run(
        ["python3", "-c", script + "s.send(b'call sip:both@meshdoor'); print(s.recv(99).decode())"]
    )
    assert said.stdout.startswith("Status: Ok\n\nId: ")
    flats.hears("step", "door", step="answered", member="both@pbx.example")
    assert carl.wait() == 0
    assert not flats.told("visitor", "hall")
    with flats.house["door"].capture() as packets:
        flats.ears.hear(1.0)
    heard = {(each.destination, each.destination_port) for each in segments(packets) if each.protocol == UDP}
    assert (flats.house["bob"].ipv4, 40000) in heard, "the voice of the visitor goes to who answered"
    assert (flats.house["carl"].ipv4, 41000) not in heard
    flats.door.ask("hangup")
    assert bob.wait() == 0


def test_who_calls_the_account_rings_the_screen(flats: Flats) -> None:
    pbx = flats.house["pbx"].ipv4
    bob = sipp(flats.house["bob"], "proxied_caller", "-s", "flat42", f"{pbx}:5060")
    flats.hears("call", "hall", state="alerting", kind="room", **{"with": "Bob"})
    flats.hall.ask("answer")
    flats.hears("call", "hall", state="connected")
    flats.hears("call", "hall", state="ended")
    assert bob.wait() == 0
    assert flats.kamailio.said("loose BYE bob") == 1


def test_nobody_else_reaches_the_name_that_the_account_has(flats: Flats) -> None:
    carl = sipp(flats.house["carl"], "proxied_caller", "-s", "flat42", f"{flats.house['hall'].ipv4}:5060")
    assert carl.wait() != 0
    flats.ears.hear(0.5)
    assert not flats.told("call", "hall")


def test_an_entrance_behind_the_server_rings_the_whole_flat(flats: Flats) -> None:
    """A block of flats: what calls through its server is adopted as a door, by the server's address."""
    pbx = flats.house["pbx"].ipv4
    flats.hall.ask("station adopt", uri=f"sip:entrance@{pbx}", name="Entrance", media="plain")
    try:
        bob = sipp(flats.house["bob"], "proxied_caller", "-s", "flat42", f"{pbx}:5060")
        flats.hears("visitor", "hall", door="Entrance")
        flats.hall.ask("answer")
        flats.hears("answered", "hall", door="Entrance")
        flats.hears("over", "hall", door="Entrance")
        assert bob.wait() == 0
    finally:
        flats.hall.ask("revoke", member="Entrance")
