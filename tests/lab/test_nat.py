"""An account beyond a NAT: an unmodified coturn says how a door looks from there, and its media find their way."""

from __future__ import annotations

import re
import shutil
import time

import pytest

from tests.lab import House
from tests.lab.host import Host
from tests.lab.kamailio import Kamailio
from tests.lab.nodes import Node, wait_until
from tests.lab.segments import segments
from tests.lab.test_kamailio import MISSING as NO_SERVER
from tests.lab.test_kamailio import SECRET, settings, sipp

MISSING = NO_SERVER or ("" if shutil.which("turnserver") else "coturn is not installed")
pytestmark = [pytest.mark.lab, pytest.mark.peers, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

PUBLIC = "10.77.0.200"


def test_what_an_account_is_offered_can_be_reached_from_outside() -> None:
    with House("pbx", "door", "hall", "bob") as house:
        pbx, bob, door = house["pbx"], house["bob"], house["door"]
        hide(door, pbx, bob)
        stun(pbx)
        with Kamailio(pbx, SECRET, trusted=bob.ipv4, ways={"bob": [f"{bob.ipv4}:5060"]}) as kamailio:
            more = f'media = "plain"\nstun = "{pbx.ipv4}"\n[routes]\neveryone = ["sip:bob@pbx.example"]\n'
            node = Node(door, "door", options=("--config", settings(door, pbx, "door42", more)))
            hall = Node(house["hall"])
            hall.ask("found", home="Flats")
            hall.pair(node)
            node.process.expect("is registered")
            assert kamailio.said(f"@{PUBLIC}") == 1
            wait_until(lambda: node.status()["node"]["media"] == "ready", 60)
            ringing, messages = sipp(bob, "proxied_screen"), bob.directory / "proxied_screen.messages"
            with bob.capture() as packets:
                node.ask("ring")
                wait_until(lambda: messages.exists() and "ACK sip" in messages.read_text())
                time.sleep(1.0)  # of media
                node.ask("hangup")
                assert ringing.wait() == 0
            offer = messages.read_text()
    assert f"c=IN IP4 {PUBLIC}" in offer
    found = re.search(r"m=audio (\d+)", offer)
    assert found is not None
    sent = {(each.source, each.source_port) for each in segments(packets) if each.destination_port == 40000}
    assert (PUBLIC, int(found[1])) in sent


def hide(host: Host, *others: Host) -> None:
    """To these it looks as if it were somewhere else."""
    host.run(["ip", "address", "add", f"{PUBLIC}/32", "dev", "lo"])
    rules = "add table ip beyond\nadd chain ip beyond out { type nat hook postrouting priority 100; }\n"
    rules += "".join(f"add rule ip beyond out ip daddr {other.ipv4} snat to {PUBLIC}\n" for other in others)
    (host.directory / "nat").write_text(rules)
    host.run(["nft", "-f", str(host.directory / "nat")])


def stun(host: Host) -> None:
    """A STUN server."""
    words = ["turnserver", "--stun-only", "--no-auth", "--no-tls", "--no-dtls", "--no-cli", "-n"]
    words += ["-L", host.ipv4, "--log-file", "stdout", "--pidfile", str(host.directory / "coturn.pid")]
    host.start(words)
    wait_until(lambda: bool(host.run(["ss", "-Hlnu", "sport = :3478"]).stdout.strip()))
