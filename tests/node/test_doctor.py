"""Each rule of the doctor: what it finds, what it says to do, and that it is quiet where all is well."""

from __future__ import annotations

from typing import Any

import pytest

from meshdoor import __version__
from meshdoor.mesh.alarms import Alarm, AlarmKind
from meshdoor.mesh.peer import State
from meshdoor.node.doctor import Facts, examine
from meshdoor.node.status import View
from tests.mesh.homes import key
from tests.node.views import NOW, alone, gone, peer, revoked, view


def found(seen: View, check: str, **facts: Any) -> list[tuple[str, str]]:
    """Level and text of the findings of one check."""
    findings = examine(Facts(seen, **facts))
    assert all(bool(each["hint"]) == (each["level"] != "ok") for each in findings)
    return [(each["level"], each["text"]) for each in findings if each["check"] == check]


def test_a_house_in_order() -> None:
    facts = Facts(view(peer(2, "Kitchen")), 5071, {"Kitchen": 0.2}, ("eth0",))
    findings = examine(facts)
    assert {each["level"] for each in findings} == {"ok"}
    assert [each["check"] for each in findings] == ["home", "network", "port", "multicast", "clock", "roster"]


def test_home() -> None:
    assert found(view(), "home") == [("ok", "this node is in Home")]
    assert found(alone(), "home") == [("warning", "this node is in no home")]
    assert found(revoked(), "home") == [("fault", "this node was revoked")]


def test_of_a_revoked_node_the_network_tells_nothing() -> None:
    assert [each["check"] for each in examine(Facts(revoked(gone(2, "Kitchen"))))] == ["home", "network", "port"]


def test_no_network() -> None:
    assert found(view(), "network", interfaces=("eth0", "wlan0")) == [("ok", "on the network by eth0, wlan0")]
    assert found(alone(), "network") == [("fault", "no network interface is up")]


@pytest.mark.parametrize("wanted", [0, 5071])
def test_the_port_is_as_wanted(wanted: int) -> None:
    assert found(view(), "port", wanted_port=wanted) == [("ok", "listening on port 5071")]


def test_the_port_is_taken() -> None:
    text = "port 5000 is taken by another program; this node uses 5071"
    assert found(view(), "port", wanted_port=5000) == [("warning", text)]


def test_links_without_sightings_are_lost_multicast() -> None:
    seen = view(peer(2, "Kitchen", announced=False), peer(3, "Bath", announced=False), peer(4, "Bed"))
    text = "mDNS does not come through from Bath, Kitchen, though the link to it works"
    assert found(seen, "multicast") == [("warning", text)]


def test_a_link_that_is_new_may_still_be_announced() -> None:
    assert found(view(peer(2, "Kitchen", announced=False, since=NOW - 1)), "multicast") == []


def test_without_links_multicast_is_not_judged() -> None:
    assert found(view(gone(2, "Kitchen")), "multicast") == []


def test_a_sighting_without_a_link_is_client_isolation() -> None:
    text = "Kitchen is seen by mDNS but takes no connection"
    assert found(view(gone(2, "Kitchen", announced=True)), "isolation") == [("fault", text)]
    assert found(view(gone(2, "Kitchen", announced=True, since=None)), "isolation") == [("fault", text)]
    assert found(view(gone(2, "Kitchen", announced=True, since=NOW - 1)), "isolation") == []
    just_gone = view(gone(2, "Kitchen", announced=True, since=NOW - 1))
    assert found(just_gone, "reach") == [("warning", "Kitchen is gone for 1 s")]


def test_a_member_that_is_gone() -> None:
    seen = view(gone(2, "Kitchen", since=NOW - 7200), gone(3, "Bath", since=None))
    assert found(seen, "reach") == [("warning", "Kitchen is gone for 2 h"), ("warning", "Bath was never seen")]


@pytest.mark.parametrize(("skew", "side"), [(3600.0, "behind"), (-3600.0, "ahead of")])
def test_this_clock_is_far_off(skew: float, side: str) -> None:
    clocks = {"Kitchen": skew, "Bath": skew, "Bed": 0.0}
    assert found(view(), "clock", clocks=clocks) == [("warning", f"this clock is 1 h {side} the others")]


def test_another_clock_is_far_off() -> None:
    clocks = {"Kitchen": 0.1, "Bath": 500.0, "Bed": -0.3}
    assert found(view(), "clock", clocks=clocks) == [("warning", "the clock of Bath is far off")]


def test_a_clock_that_was_never_set() -> None:
    assert found(view(now=1000.0), "clock")[0][1].startswith("this clock is years behind")


def test_two_nodes_with_one_key() -> None:
    alarm = Alarm(AlarmKind.TWO_HOSTS, key(2), "Kitchen is announced by two hosts: a and b", ("a", "b"), 0, 0)
    assert found(view(alarms=[alarm]), "identity") == [("fault", alarm.text)]


def test_a_stale_roster() -> None:
    seen = view(peer(2, "Kitchen", roster_in_step=False), peer(3, "Bath"))
    assert found(seen, "roster") == [("warning", "Kitchen holds another roster than this node")]
    assert found(view(gone(2, "Kitchen")), "roster") == []


@pytest.mark.parametrize(
    ("number", "what"), [("0.0.9", "an older"), ("0", "an older"), ("99.1", "a newer"), ("0.x.1", "an older")]
)
def test_another_version(number: str, what: str) -> None:
    seen = view(peer(2, "Kitchen", version=number), peer(3, "Bath", version=__version__))
    assert found(seen, "version") == [("warning", f"Kitchen runs {what} version ({number})")]


def test_of_a_member_without_a_link_no_version_is_known() -> None:
    assert found(view(gone(2, "Kitchen")), "version") == []


def test_a_member_in_a_call_is_linked() -> None:
    seen = view(peer(2, "Kitchen", state=State.IN_CALL))
    assert found(seen, "multicast")[0][0] == "ok"
