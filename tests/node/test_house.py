"""The house with fakes for links and mDNS: what changes reaches everybody who must know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from meshdoor.config import Config
from meshdoor.mesh.announcement import Address, Announcement
from meshdoor.mesh.frames import State
from meshdoor.mesh.interfaces import Interface
from meshdoor.mesh.link import Links
from meshdoor.mesh.mdns import Mdns
from meshdoor.mesh.outsiders import Outsider
from meshdoor.mesh.peers import PeerTable
from meshdoor.mesh.sip_service import SipService
from meshdoor.node import house as module
from meshdoor.node.house import MAX_KNOCKS, House
from meshdoor.node.membership import Membership
from meshdoor.node.pairing import PairingDesk
from meshdoor.sip.uri import SipUri
from meshdoor.trust.enrolment import Enrolments
from meshdoor.trust.identity import Identity, device_id
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Roster
from tests.node.homes import NOW, Kept, admitted, founded
from tests.patience import PATIENCE, until

ETH = Interface("eth0", 2, ("10.0.0.2",), ("fe80::2%eth0", "2001:db8::2"), ("10.0.0.0/24",))
AT = Address("10.0.0.3", 5071)


@dataclass
class Link:
    key: bytes
    address: Address = AT
    version: str = "0.1.0"


@dataclass
class FakeLinks:
    """Records what it is told to do."""

    port: int = 5071
    up: list[Link] = field(default_factory=list)
    did: list[tuple[Any, ...]] = field(default_factory=list)
    reaches: bool = True
    dialed: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def links(self) -> list[Link]:
        return self.up

    def roster_changed(self, roster: Roster) -> None:
        self.did.append(("roster", roster.digest))

    async def dial(self, key: bytes, addresses: Sequence[Address]) -> bool:
        self.did.append(("dial", key))
        self.dialed.release()
        return self.reaches

    def want(self, key: bytes, heads: Sequence[bytes]) -> None:
        self.did.append(("want", key))

    def send_statements(self, key: bytes, statements: Sequence[bytes]) -> None:
        self.did.append(("statements", key, len(statements)))

    def send_note(self, key: bytes, note: dict[str, Any]) -> bool:
        self.did.append(("note", key, note["about"]))
        return True

    def set_state(self, state: State) -> None:
        self.did.append(("state", state))

    def all(self, what: str) -> list[tuple[Any, ...]]:
        return [entry[1:] for entry in self.did if entry[0] == what]


@dataclass
class FakeMdns:
    """Records what is announced."""

    said: list[Announcement] = field(default_factory=list)
    protected: set[str] = field(default_factory=set)
    service: SipService | None = None

    def members(self, instances: Sequence[str], hosts: Sequence[str]) -> None:
        self.protected = set(instances) | set(hosts)

    async def announce(self, announcement: Announcement) -> None:
        self.said.append(announcement)

    def advertise(self, service: SipService | None, hosts: Sequence[str]) -> None:
        self.service = service

    def outsiders(self) -> tuple[Outsider, ...]:
        return (Outsider("sip:a@10.0.0.9", "Alice", "udp", asyncio.get_running_loop().time() - 2),)


@dataclass
class Scene:
    house: House
    links: FakeLinks
    mdns: FakeMdns


def scene(membership: Membership) -> Scene:
    """A house on eth0, which does not run yet."""
    desk = PairingDesk(membership, Enrolments(), lambda: (), lambda _: None)
    desk.name, desk.role = "Hall", Role.SCREEN
    house = House(Config(), membership, PeerTable(membership.identity.key), desk)
    links, mdns = FakeLinks(), FakeMdns()
    house.links, house.mdns = cast(Links, links), cast(Mdns, mdns)
    house.interfaces_changed((ETH,))
    return Scene(house, links, mdns)


@asynccontextmanager
async def living(made: Scene) -> AsyncIterator[None]:
    """It runs until the block ends."""
    task = asyncio.create_task(made.house.run())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def announcement(identity: Identity, **changes: Any) -> Announcement:
    return replace(Announcement(device_id(identity.key), Role.SCREEN, 5071, 5060, ("10.0.0.3",)), **changes)


async def test_a_newcomer_announces_that_it_can_be_paired() -> None:
    said = scene(Kept().membership).house.announcement()
    assert (said.pair, said.name, said.home, said.role) == (True, "Hall", "", Role.SCREEN)
    assert said.addresses == ("10.0.0.2", "fe80::2%eth0", "2001:db8::2")


async def test_a_member_announces_its_home() -> None:
    membership = founded()
    said = scene(membership).house.announcement()
    assert membership.roster.home is not None
    assert (said.pair, said.home, said.name) == (False, membership.roster.home.hex()[:32], "")
    assert said.r == membership.roster.digest.hex()


async def test_hints_leave_out_what_only_this_link_knows() -> None:
    assert scene(founded()).house.hints() == ("10.0.0.2:5071", "[2001:db8::2]:5071")


async def test_name_and_role_are_those_of_the_roster() -> None:
    door = scene(admitted(founded(), "Street", Role.DOOR)).house
    assert (door.name, door.role) == ("Street", Role.DOOR)
    unpaired = scene(Kept().membership).house
    assert (unpaired.name, unpaired.role) == ("Hall", Role.SCREEN)


async def test_what_changes_is_announced_again() -> None:
    made = scene(Kept().membership)
    async with living(made):
        await turns()
        made.house.membership.found("Home", "Hall", Role.SCREEN, NOW)
        await turns()
        made.house.interfaces_changed((replace(ETH, ipv4=("10.0.0.9",)),))
        await turns()
    assert [said.pair for said in made.mdns.said] == [True, False, False]
    assert made.mdns.said[2].addresses[0] == "10.0.0.9"
    assert made.mdns.protected


async def test_sip_clients_are_told_of_a_member_with_an_address_they_can_reach() -> None:
    made = scene(Kept().membership)
    assert made.house.sip_service() is None
    made = scene(founded())
    async with living(made):
        await turns()
    itself = made.house.membership.itself
    assert itself is not None
    assert made.mdns.service == SipService(itself.device_id, "screen", "Hall", "10.0.0.2", 5060)
    made.house.interfaces_changed((replace(ETH, ipv4=()),))
    service = made.house.sip_service()
    assert service is not None
    assert str(service.uri("tcp")) == "sip:screen@[2001:db8::2];transport=tcp"
    made.house.interfaces_changed((replace(ETH, ipv4=(), ipv6=("fe80::2%eth0",)),))
    assert made.house.sip_service() is None


async def test_devices_that_were_adopted_are_no_newcomers() -> None:
    house = scene(founded()).house
    assert [found.name for found in house.outsiders()] == ["Alice"]
    house.adopted.append(lambda: [SipUri.parse("sip:b@10.0.0.9;transport=tcp")])
    assert house.outsiders() == []


async def test_without_an_address_nothing_is_announced() -> None:
    made = scene(founded())
    made.house.interfaces_changed(())
    async with living(made):
        await turns()
        assert made.mdns.said == []
        made.house.interfaces_changed((ETH,))
        await turns()
    assert len(made.mdns.said) == 1


async def test_another_digest_is_announced_at_leisure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DIGEST_DELAY", (0.05, 0.05))
    made = scene(founded())
    async with living(made):
        await turns()
        admitted(made.house.membership, "Kitchen")
        await turns()
        assert len(made.mdns.said) == 1
        await until(lambda: len(made.mdns.said) > 1)
    assert len(made.mdns.said) == 2
    assert made.mdns.said[0].r != made.mdns.said[1].r


async def test_a_member_that_is_seen_is_dialed_and_again_when_that_fails() -> None:
    made = scene(founded())
    kitchen = admitted(made.house.membership, "Kitchen")
    made.links.reaches = False
    async with living(made):
        made.house.saw(announcement(kitchen.identity))
        async with asyncio.timeout(PATIENCE):
            for _ in range(2):
                await made.links.dialed.acquire()
    assert set(made.links.all("dial")) == {(kitchen.identity.key,)}


async def test_a_node_alone_is_settled_at_once() -> None:
    made = scene(founded())
    async with living(made):
        await turns()
        assert made.house.settled


async def test_until_its_peers_have_spoken_a_call_waits() -> None:
    made = scene(founded())
    kitchen = admitted(made.house.membership, "Kitchen")
    key, digest = kitchen.identity.key, made.house.membership.roster.digest
    calls: list[bytes] = []
    made.house.on_sip = lambda _, message: calls.append(message)
    async with living(made):
        await turns()
        made.house.sip(key, b"early")
        assert calls == []
        made.house.link_up(key, AT)
        made.house.measured(key, 0.001, digest, "0.1.0", State.FREE)
        await turns()
        assert made.house.settled
        made.house.sip(key, b"INVITE")
    assert calls == [b"early", b"INVITE"]


async def test_silent_peers_are_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLE_DEADLINE", 0.05)
    made = scene(founded())
    admitted(made.house.membership, "Kitchen")
    async with living(made):
        assert not made.house.settled
        await until(lambda: made.house.settled)


async def test_links_come_and_go(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "meshdoor")
    made = scene(founded())
    kitchen = admitted(made.house.membership, "Kitchen")
    key = kitchen.identity.key
    told: list[tuple[bytes, bool]] = []
    made.house.on_link.append(lambda *link: told.append(link))
    made.house.peers.roster_changed(made.house.membership.roster, 0)
    made.links.up = [Link(key)]
    made.house.link_up(key, AT)
    assert made.links.all("note") == [(key, "clock")]
    (peer,) = made.house.reachable()
    assert peer.version == "0.1.0"
    made.house.link_down(key, "closed by the other side")
    assert made.house.reachable() == []
    assert told == [(key, True), (key, False)]
    assert "Kitchen is linked at 10.0.0.3" in caplog.text
    assert "Kitchen is gone: closed by the other side" in caplog.text


async def test_a_peer_with_another_roster_is_asked_for_it() -> None:
    made = scene(founded())
    key = admitted(made.house.membership, "Kitchen").identity.key
    made.house.peers.roster_changed(made.house.membership.roster, 0)
    made.house.link_up(key, AT)
    made.house.measured(key, None, b"x" * 16, "0.1.0", State.RINGING)
    assert made.links.all("want") == [(key,)]
    made.house.want(key, ())
    assert made.links.all("statements")[-1] == (key, 2)


async def test_statements_of_a_peer_are_passed_on() -> None:
    made = scene(founded())
    kitchen = admitted(made.house.membership, "Kitchen")
    made.links.up = [Link(kitchen.identity.key)]
    made.links.did.clear()
    bath = admitted(kitchen, "Bath")
    made.house.statements(kitchen.identity.key, kitchen.history.wire())
    assert bath.identity.key in made.house.membership.roster.members
    assert made.links.all("statements") == [(kitchen.identity.key, 1)]
    assert made.links.all("roster") == [(made.house.membership.roster.digest,)]


async def test_statements_that_do_not_count_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    made = scene(founded())
    made.house.statements(b"k" * 32, [b"forged"])
    assert "sent statements that do not count" in caplog.text


async def test_the_clocks_of_peers() -> None:
    made = scene(founded())
    key = admitted(made.house.membership, "Kitchen").identity.key
    made.house.note(key, {"about": "clock", "unix": time.time() + 100})
    assert made.house.clocks[key] == pytest.approx(100, abs=5)
    made.house.link_down(key, "gone")
    assert made.house.clocks == {}


@pytest.mark.parametrize("unix", ["now", None, -1, 1e30])
async def test_a_clock_that_shows_no_time(unix: object, caplog: pytest.LogCaptureFixture) -> None:
    made = scene(founded())
    made.house.note(b"k" * 32, {"about": "clock", "unix": unix})
    assert made.house.clocks == {}
    assert "a clock that shows no time" in caplog.text


async def test_newcomers_are_told_of_once_and_not_by_the_thousand(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "meshdoor")
    made = scene(founded())
    for _ in range(60):
        made.house.saw(announcement(Identity.generate(), pair=True, name="New"))
    assert 1 <= caplog.text.count("New (screen) can be paired") <= 25
    made.house.lost(made.house.newcomers()[0].id)


async def test_a_newcomer_does_not_care_for_others(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "meshdoor")
    scene(Kept().membership).house.saw(announcement(Identity.generate(), pair=True, name="New"))
    assert "can be paired" not in caplog.text


async def test_a_revoked_member_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    made = scene(founded())
    kitchen = admitted(made.house.membership, "Kitchen")
    made.house.membership.revoke("Kitchen", NOW)
    assert "Kitchen was revoked" in caplog.text
    there = scene(kitchen)
    there.house.membership.merge(made.house.membership.history.wire())
    assert "this node was revoked" in caplog.text
    made.house.link_down(kitchen.identity.key, "no longer a member")
    made.house.link_down(b"k" * 32, "unknown")


async def test_a_refused_connection_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    scene(founded()).house.refused(Address("10.0.0.66", 1), "not a member")
    assert "a connection of 10.0.0.66 was refused: not a member" in caplog.text


async def test_being_busy_is_told_once() -> None:
    made = scene(founded())
    for _ in range(2):
        made.house.set_busy(State.RINGING)
    assert made.links.all("state") == [(State.RINGING,)]


async def test_so_many_knock_at_once_and_no_more() -> None:
    made = scene(founded())
    answered: list[str] = []
    release = asyncio.Event()

    async def answer(reader: object, writer: object, host: str) -> None:
        answered.append(host)
        await release.wait()

    made.house.desk.answer = answer  # type: ignore[method-assign, assignment]
    closed: list[bool] = []

    class Writer:
        def close(self) -> None:
            closed.append(True)

    writer = cast(asyncio.StreamWriter, Writer())
    reader = cast(asyncio.StreamReader, None)
    made.house.pairing(reader, writer, AT)
    assert closed == [True]  # it does not run yet
    async with living(made):
        for _ in range(MAX_KNOCKS + 2):
            made.house.pairing(reader, writer, AT)
        await turns()
        assert len(answered) == MAX_KNOCKS
        assert len(closed) == 3
        release.set()
        await turns()
        made.house.pairing(reader, writer, AT)
        await turns()
        assert len(answered) == MAX_KNOCKS + 1
