"""The peer table under anything in any order: bounded, and nobody takes the place of a linked peer."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from meshdoor.mesh.announcement import Address
from meshdoor.mesh.peers import Busy, PeerTable, State
from tests.mesh.homes import announcement, key, roster

US = 4
nodes = st.integers(1, 9)
hosts = st.integers(1, 20).map("10.0.0.{}".format)
some_nodes = st.sets(nodes, max_size=8)


class PeerTableMachine(RuleBasedStateMachine):
    """Beside the table runs the shortest model: who is a member, and where whose link is."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.table = PeerTable(key(US), random=lambda: 0.5)
        self.members: set[int] = set()
        self.links: dict[int, Address] = {}
        self.dialing: set[bytes] = set()

    @rule(interval=st.floats(0, 40))
    def time_passes(self, interval: float) -> None:
        self.now += interval

    @rule(others=some_nodes, gone=some_nodes, still_in=st.booleans())
    def roster_changes(self, others: set[int], gone: set[int], still_in: bool) -> None:
        self.members = others - gone - {US}
        self.table.roster_changed(roster(self.members | ({US} if still_in else set()), gone - {US}), self.now)
        self.links = {node: at for node, at in self.links.items() if node in self.members}

    @rule(hosts=st.lists(hosts, max_size=3))
    def our_addresses_change(self, hosts: list[str]) -> None:
        self.table.own_addresses(hosts, self.now)

    @rule(node=nodes, host=hosts, source=hosts, pair=st.booleans())
    def saw(self, node: int, host: str, source: str, pair: bool) -> None:
        self.table.saw(announcement(node, host, pair=pair), self.now, source)

    @rule(count=st.integers(1, 200), first=st.integers(1, 10_000), source=hosts)
    def flood(self, count: int, first: int, source: str) -> None:
        for number in range(first, first + count):
            forged = f"10.1.{number % 250}.{number % 240 + 1}"
            self.table.saw(announcement(number % 300 + 1, forged, pair=number % 3 == 0), self.now, source)

    @rule(node=nodes)
    def lost(self, node: int) -> None:
        self.table.lost(announcement(node).instance)

    @rule(node=nodes, host=hosts)
    def link_up(self, node: int, host: str) -> None:
        address = Address(host, 5062)
        self.table.link_up(key(node), address, self.now)
        self.dialing.discard(key(node))
        if node in self.members:
            self.links[node] = address

    @rule(node=nodes)
    def link_down(self, node: int) -> None:
        self.table.link_down(key(node), "lost", self.now)
        self.links.pop(node, None)

    @rule(node=nodes, busy=st.sampled_from(Busy))
    def measured(self, node: int, busy: Busy) -> None:
        self.table.measured(key(node), 0.001, b"", busy, self.now)

    @rule()
    def dial(self) -> None:
        for dial in self.table.dials(self.now):
            assert dial.key not in {key(node) for node in self.links}
            assert 1 <= len(dial.addresses) <= 8
            self.dialing.add(dial.key)

    @rule(node=nodes)
    def dial_failed(self, node: int) -> None:
        self.table.dial_failed(key(node), self.now)

    @rule()
    def restart(self) -> None:
        dumped = self.table.dump()
        assert dumped.keys() <= {key(node).hex() for node in self.members}
        self.table.load(dumped, self.now)
        assert self.table.dump().keys() == dumped.keys()

    @invariant()
    def the_members_are_the_rosters(self) -> None:
        assert {peer.key for peer in self.table.peers()} == {key(node) for node in self.members}

    @invariant()
    def the_links_are_the_links(self) -> None:
        up = {peer.key: peer.address for peer in self.table.peers() if peer.state is not State.UNREACHABLE}
        assert up == {key(node): at.host for node, at in self.links.items()}

    @invariant()
    def all_is_bounded(self) -> None:
        assert len(self.table.newcomers()) <= 64
        assert len(self.table.alarms(self.now)) <= len(self.members) + 1
        assert all(len(addresses) <= 4 for addresses in self.table.dump().values())

    @invariant()
    def newcomers_are_no_members(self) -> None:
        members = {peer.member.device_id for peer in self.table.peers()}
        assert not members & {newcomer.id for newcomer in self.table.newcomers()}


TestPeerTable = PeerTableMachine.TestCase
TestPeerTable.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
