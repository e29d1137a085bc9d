"""The peer table: who is ready, whom to dial, and what forged records cannot do."""

from __future__ import annotations

import dataclasses
import time

from meshdoor.mesh.announcement import Address
from meshdoor.mesh.dialing import PATIENCE, SECOND_GOES
from meshdoor.mesh.peers import FORGETFUL_AFTER, Busy, Dial, Peer, PeerTable, State
from meshdoor.trust.roster import Roster
from tests.mesh.homes import announcement, key, roster

US, PEER, NEWCOMER, ROGUE = 2, 3, 9, "10.0.0.66"
AT = Address("10.0.0.3", 5062)


def table(*others: int) -> PeerTable:
    made = PeerTable(key(US), random=lambda: 0.0)
    made.own_addresses(["10.0.0.2", "fe80::2%eth0"], 0)
    made.roster_changed(roster([US, *(others or (PEER,))]), 0)
    return made


def only(made: PeerTable) -> Peer:
    (peer,) = made.peers()
    return peer


def linked() -> PeerTable:
    made = table()
    made.saw(announcement(PEER), 0, "10.0.0.3")
    made.link_up(key(PEER), AT, 1, "0.1.0")
    return made


def test_a_member_that_was_never_seen() -> None:
    peer = only(table())
    assert (peer.state, peer.since, peer.address, peer.announced) == (State.UNREACHABLE, None, None, False)


def test_seen_dialed_up_measured_down() -> None:
    made = table()
    made.saw(announcement(PEER), 1, "10.0.0.3")
    assert (only(made).announced, only(made).address, only(made).state) == (True, "10.0.0.3", "unreachable")
    assert made.next_deadline() == 1
    assert made.dials(1) == [Dial(key(PEER), (AT,))]
    made.link_up(key(PEER), AT, 2, "0.1.0")
    assert (only(made).state, only(made).since, only(made).roster_in_step) == (State.READY, 2, False)
    assert made.next_deadline() is None
    made.measured(key(PEER), 0.004, roster([US, PEER]).digest, Busy.RINGING, 3)
    peer = only(made)
    assert (peer.state, peer.since, peer.rtt, peer.version) == (State.RINGING, 3, 0.004, "0.1.0")
    assert peer.roster_in_step
    made.link_down(key(PEER), "three keep-alives missed", 9)
    peer = only(made)
    assert (peer.state, peer.since, peer.rtt) == (State.UNREACHABLE, 9, None)
    assert peer.reason == "three keep-alives missed"
    assert made.dials(9) == [Dial(key(PEER), (AT,))]


def test_busy_states() -> None:
    made = linked()
    for busy, state in [(Busy.IN_CALL, "in_call"), (Busy.FREE, "ready"), (Busy.RINGING, "ringing")]:
        made.measured(key(PEER), None, b"", busy, 2)
        assert only(made).state == state


def test_the_lower_key_dials_first() -> None:
    made = table(1)
    made.saw(announcement(1), 10, "10.0.0.1")
    assert made.next_deadline() == 10 + SECOND_GOES
    assert made.dials(10) == []


def test_a_failed_dial_is_repeated_later() -> None:
    made = table()
    made.saw(announcement(PEER), 0)
    made.dials(0)
    assert made.next_deadline() == PATIENCE
    made.dial_failed(key(PEER), 5)
    assert made.dials(5) == []
    assert made.dials(5.1) == [Dial(key(PEER), (AT,))]


def test_who_is_not_in_the_home_dials_nobody() -> None:
    made = table()
    made.roster_changed(roster([PEER], revoked=[US]), 0)
    made.saw(announcement(PEER), 0)
    assert (made.dials(9), made.next_deadline()) == ([], None)
    assert PeerTable(key(US)).next_deadline() is None


def test_a_newcomer_becomes_a_member_with_its_addresses() -> None:
    made = table()
    made.saw(announcement(NEWCOMER, pair=True), 3, "10.0.0.9")
    assert [newcomer.since for newcomer in made.newcomers()] == [3]
    made.roster_changed(roster([US, PEER, NEWCOMER]), 4)
    assert made.newcomers() == ()
    assert made.dials(4) == [Dial(key(NEWCOMER), (Address("10.0.0.9", 5062),))]


def test_a_newcomer_says_goodbye() -> None:
    made = table()
    made.saw(announcement(NEWCOMER, pair=True), 0)
    made.lost(announcement(NEWCOMER).instance)
    assert made.newcomers() == ()


def test_revoked_is_forgotten_and_no_newcomer() -> None:
    made = linked()
    made.saw(announcement(NEWCOMER, pair=True), 0)
    made.roster_changed(roster([US], revoked=[PEER, NEWCOMER]), 5)
    made.saw(announcement(PEER, pair=True), 6)
    assert (made.peers(), made.newcomers(), made.dump()) == ((), (), {})


def test_events_of_a_key_that_is_no_member_say_nothing() -> None:
    made = table()
    made.link_up(key(7), AT, 0)
    made.measured(key(7), None, b"", Busy.FREE, 0)
    made.measured(key(PEER), None, b"", Busy.FREE, 0)
    made.link_down(key(7), "", 0)
    made.link_down(key(PEER), "", 0)
    made.dial_failed(key(7), 0)
    assert only(made).since is None


def test_a_change_of_name_reaches_the_peer() -> None:
    made = linked()
    renamed = {key(PEER): dataclasses.replace(only(made).member, name="Kitchen")}
    made.roster_changed(Roster(b"h", "", {key(US): renamed[key(PEER)]} | renamed), 5)
    assert (only(made).member.name, only(made).state) == ("Kitchen", "ready")


def test_a_forged_goodbye_changes_nothing_of_a_linked_peer() -> None:
    made = linked()
    made.lost(announcement(PEER).instance)
    assert only(made) == dataclasses.replace(only(linked()), announced=False)


def test_forged_records_move_nobody_whose_link_is_up() -> None:
    made = linked()
    for number in range(1000):
        made.saw(announcement(PEER, f"10.9.{number // 250}.{number % 250}"), 2 + number / 1000, ROGUE)
    assert only(made).address == "10.0.0.3"
    made.link_down(key(PEER), "lost", 9)
    (dial,) = made.dials(9)
    assert dial.addresses[0] == AT
    assert len(dial.addresses) <= 8


def test_another_id_under_a_members_instance_is_dropped() -> None:
    made = table()
    forged = dataclasses.replace(announcement(PEER), id=announcement(PEER).id[:-1] + "2")
    assert forged.instance == announcement(PEER).instance
    made.saw(forged, 0)
    assert not only(made).announced


def test_an_address_change_is_tried_at_once_when_the_link_dies() -> None:
    made = linked()
    made.saw(announcement(PEER, "10.0.0.33"), 50, "10.0.0.33")
    assert only(made).address == "10.0.0.3"
    made.link_down(key(PEER), "lost", 52)
    (dial,) = made.dials(52)
    assert dial.addresses == (AT, Address("10.0.0.33", 5062))
    assert made.alarms(52) == ()


def test_one_key_on_two_hosts_is_an_alarm() -> None:
    made = table()
    for now, host in enumerate(["10.0.0.3", "10.0.0.4"] * 2):
        made.saw(announcement(PEER, host), now, host)
    (alarm,) = made.alarms(5)
    assert alarm.text == "node 3 is announced by two hosts: 10.0.0.3 and 10.0.0.4"
    made.roster_changed(roster([US]), 6)
    assert made.alarms(6) == ()


def test_a_link_that_outlives_a_forged_move_is_an_alarm() -> None:
    made = linked()
    made.saw(announcement(PEER, ROGUE), 10, ROGUE)
    for now in (12, 16):
        made.measured(key(PEER), 0.001, b"", Busy.FREE, now)
    (alarm,) = made.alarms(16)
    assert alarm.hosts == ("10.0.0.3", ROGUE)


def test_our_own_identity_on_another_host_is_an_alarm() -> None:
    made = table()
    made.saw(announcement(US, "10.0.0.2", "172.17.0.1"), 1, "10.0.0.2")
    made.saw(announcement(US, "fe80::2%wlan0"), 1, "fe80::2%wlan0")
    assert made.alarms(1) == ()
    made.saw(announcement(US, "10.0.0.77"), 2, "10.0.0.77")
    (alarm,) = made.alarms(2)
    assert alarm.text == "another host announces this node's identity: 10.0.0.77"
    assert made.newcomers() == ()


def test_an_address_that_we_just_lost_is_still_ours() -> None:
    made = table()
    made.own_addresses(["10.0.0.22"], 100)
    made.saw(announcement(US), 399, "10.0.0.2")
    assert made.alarms(399) == ()
    made.saw(announcement(US), 401, "10.0.0.2")
    assert len(made.alarms(401)) == 1
    made.own_addresses(["10.0.0.22"], 402)
    assert len(PeerTable(key(US)).alarms(402)) == 0


def test_before_we_know_our_addresses_nothing_is_foreign() -> None:
    made = PeerTable(key(US))
    made.saw(announcement(US), 0)
    assert made.alarms(0) == ()


def test_last_known_addresses_survive() -> None:
    dumped = linked().dump()
    assert dumped == {key(PEER).hex(): ["10.0.0.3:5062"]}
    later = table()
    later.load(dumped, 0)
    assert later.dials(0) == [Dial(key(PEER), (AT,))]
    assert later.dump() == dumped


def test_a_damaged_dump_is_used_as_far_as_it_goes() -> None:
    made = table(3, 4, 5)
    many = [f"10.0.1.{number}:1" for number in range(1, 99)]
    made.load({key(3).hex(): ["x", 5, "10.0.0.3:5062"], key(4).hex(): "?", key(5).hex(): many, "": []}, 0)
    assert {len(dial.addresses) for dial in made.dials(0)} == {1, 4}


def test_ten_thousand_records_cost_little_and_displace_nobody() -> None:
    made = linked()
    records = [announcement(number, ROGUE, pair=number % 2 == 0) for number in range(100, 10_100)]
    began = time.perf_counter()
    for number, record in enumerate(records):
        made.saw(record, 2 + number / 5000, ROGUE)
    cost = time.perf_counter() - began
    assert len(made.newcomers()) <= 64
    assert only(made) == only(linked())
    assert cost < 2


def test_other_homes_on_the_network() -> None:
    made = table()
    made.saw(announcement(NEWCOMER, pair=True), 0)
    made.saw(dataclasses.replace(announcement(8), home="ab" * 16), 0)
    made.saw(announcement(7), 0)
    assert made.homes() == {"ab" * 16}


def test_a_member_that_goes_on_asking_to_be_paired_has_forgotten() -> None:
    made = table()
    made.saw(announcement(NEWCOMER, pair=True), 0, "10.0.0.9")
    made.roster_changed(roster([US, PEER, NEWCOMER]), 1)
    assert made.forgetful(2) == ()
    made.saw(announcement(NEWCOMER, pair=True), 3, "10.0.0.9")
    (forgetful,) = made.forgetful(1.1 + FORGETFUL_AFTER)
    assert (forgetful.name, forgetful.since) == ("new 9", 1)
    assert forgetful.links == (Address("10.0.0.9", 5062),)
    assert made.newcomers() == ()
    made.saw(announcement(NEWCOMER), 9, "10.0.0.9")
    assert made.forgetful(99) == ()


def test_a_linked_member_has_not_forgotten_whatever_is_said() -> None:
    made = table()
    made.saw(announcement(PEER, pair=True), 0, "10.0.0.3")
    made.link_up(key(PEER), AT, 1, "0.1.0")
    assert made.forgetful(99) == ()
    made.link_down(key(PEER), "gone", 100)
    assert made.forgetful(199) == ()


def test_where_a_member_of_another_home_is() -> None:
    made = table()
    made.saw(announcement(NEWCOMER), 0, "10.0.0.9")
    assert made.whereabouts(announcement(NEWCOMER).instance) == (Address("10.0.0.9", 5062),)
    assert made.whereabouts(announcement(PEER).instance) == ()


def test_one_state_is_asked_for_at_a_time() -> None:
    table = PeerTable(b"\x00" * 32)
    assert table.state(b"\x01" * 32) is None
