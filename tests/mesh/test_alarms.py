"""One identity on two hosts."""

from __future__ import annotations

from meshdoor.mesh.alarms import OUTLIVED, QUIET, WINDOW, AlarmKind, Alarms, Whereabouts

A, B = ("10.0.0.1", "fe80::1%eth0"), ("10.0.0.2",)


def test_a_device_that_moves_once_is_one() -> None:
    places = Whereabouts()
    assert not any(places.announced(hosts, now) for now, hosts in enumerate([A, A, B, B, B]))


def test_a_device_that_moves_back_and_forth_is_two() -> None:
    places = Whereabouts()
    assert [places.announced(hosts, now) for now, hosts in enumerate([A, B, A, B])] == [False, False, False, True]
    assert places.hosts == ("10.0.0.1", "10.0.0.2")


def test_slow_moves_back_and_forth_are_one_device() -> None:
    places = Whereabouts()
    assert not any(places.announced(hosts, now * WINDOW) for now, hosts in enumerate([A, B, A, B, A]))


def test_a_host_that_shares_an_address_is_the_same() -> None:
    places = Whereabouts()
    both = (*A, *B)
    assert not any(places.announced(hosts, 0) for hosts in [A, both, B, both, A, ("fe80::1%wlan0",), A])


def test_a_link_that_lives_where_the_device_left_tells_of_two() -> None:
    places = Whereabouts()
    places.announced(A, 0)
    assert not places.alive("10.0.0.1", OUTLIVED)
    places.announced(B, 10)
    assert not places.alive("10.0.0.1", 10 + OUTLIVED - 1)
    assert places.alive("fe80::1%wlan0", 10 + OUTLIVED)
    assert not places.alive("10.0.0.2", 10 + OUTLIVED)
    assert not places.alive("10.0.0.1", 10 + WINDOW)


def test_an_alarm_keeps_its_beginning_and_ends_by_silence() -> None:
    alarms = Alarms()
    alarms.two_hosts(b"k", "Kitchen", ("a", "b"), 1)
    alarms.two_hosts(b"k", "Kitchen", ("a", "c"), 2)
    (alarm,) = alarms.on(3)
    assert (alarm.kind, alarm.since, alarm.last) == (AlarmKind.TWO_HOSTS, 1, 2)
    assert alarm.text == "Kitchen is announced by two hosts: a and c"
    assert alarms.on(2 + QUIET) == ()


def test_a_later_alarm_begins_anew() -> None:
    alarms = Alarms()
    alarms.own_identity(b"k", ("a",), 0)
    alarms.own_identity(b"k", ("a",), QUIET)
    assert [alarm.since for alarm in alarms.on(QUIET)] == [QUIET]
    alarms.forget(b"k")
    assert alarms.on(QUIET) == ()
