"""The announcement: what it accepts, what it refuses, and that it survives its own wire form."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import AnnouncementError
from meshdoor.mesh.announcement import Address, Announcement, instance_name, instance_of, usable_host
from meshdoor.trust.identity import device_id
from meshdoor.trust.permissions import Role

ID = device_id(b"k" * 32)
TXT: dict[bytes, bytes | None] = {b"v": b"1", b"id": ID.encode(), b"role": b"door", b"tls": b"5062"}

ports = st.integers(1, 65535)
digests = st.just("") | st.binary(min_size=16, max_size=16).map(bytes.hex)
hosts = st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6, network="fd00::/8").map(str)
names = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=40)
announcements = st.builds(
    Announcement,
    id=st.binary(min_size=32, max_size=32).map(device_id),
    role=st.sampled_from(Role),
    tls=ports,
    sip=ports,
    addresses=st.lists(hosts, min_size=1, max_size=8, unique=True).map(tuple),
    home=digests,
    r=digests,
    web=st.none() | ports,
)


def parse(**changes: bytes | None) -> Announcement:
    txt = TXT | {key.encode(): value for key, value in changes.items()}
    return Announcement.parse(instance_of(ID), 5060, txt, ["10.0.0.2"])


@given(announcements, st.booleans(), names)
def test_round_trip(announcement: Announcement, pair: bool, name: str) -> None:
    usable = tuple(host for host in announcement.addresses if usable_host(host)) or ("10.0.0.2",)
    said = dataclasses.replace(announcement, addresses=usable, pair=pair, name=name if pair else "")
    txt: dict[bytes, bytes | None] = dict(said.to_txt())
    assert all(len(key) + len(value or b"") < 255 for key, value in txt.items())
    assert Announcement.parse(said.instance, said.sip, txt, said.addresses) == said


@given(
    st.text(max_size=60),
    st.integers(-1, 70000),
    st.dictionaries(
        st.sampled_from([b"v", b"id", b"role", b"home", b"r", b"tls", b"web", b"pair", b"name"]),
        st.none() | st.binary(max_size=255) | st.sampled_from([b"1", b"5062", b"door", ID.encode()]),
    ),
    st.lists(st.text(max_size=40) | hosts, max_size=20),
)
def test_anything_else_is_refused_with_our_error(
    instance: str, port: int, txt: dict[bytes, bytes | None], addresses: list[str]
) -> None:
    with pytest.raises(AnnouncementError):
        Announcement.parse(instance + "x", port, txt, addresses)
    with contextlib.suppress(AnnouncementError):
        Announcement.parse(instance_of(ID), port, TXT | txt, addresses)


def test_minimal() -> None:
    announcement = parse()
    assert announcement.instance == instance_name(b"k" * 32)
    assert announcement.links == (Address("10.0.0.2", 5062),)
    assert (announcement.home, announcement.web, announcement.pair) == ("", None, False)


def test_name_counts_only_while_it_can_be_paired() -> None:
    assert parse(name=b"\x00").name == ""
    assert parse(pair=b"1", name="Küche".encode()).name == "Küche"


def test_a_higher_version_keeps_the_meaning() -> None:
    assert parse(v=b"2", more=b"x").version == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"v": b"0"},
        {"id": b"abcd"},
        {"id": b"\xff"},
        {"role": b"toaster"},
        {"tls": b"0"},
        {"tls": b"65536"},
        {"tls": "٣".encode()},
        {"home": b"AB" * 16},
        {"r": None},
        {"web": b""},
        {"pair": b"1", "name": b"a\nb"},
        {"pair": b"1", "name": b"a" * 65},
        {"pair": b"1", "name": "🚪".encode() * 51},
    ],
)
def test_a_broken_value_drops_the_record(changes: dict[str, bytes | None]) -> None:
    with pytest.raises(AnnouncementError):
        parse(**changes)


def test_the_instance_derives_from_the_id() -> None:
    with pytest.raises(AnnouncementError, match="is not the instance of"):
        Announcement.parse("meshdoor-aaaaaaaa", 5060, TXT, ["10.0.0.2"])


def test_a_long_name_is_cut_at_a_character() -> None:
    long = dataclasses.replace(parse(), pair=True, name="🚪" * 64)
    assert long.to_txt()[b"name"].decode() == "🚪" * 50


def test_addresses_are_normal_usable_and_few() -> None:
    raw = ["0.0.0.0", "fe80::1", "FE80::2%eth0", "224.0.0.1", "x", "10.0.0.2", "10.0.0.2", "fd00:0::1"]
    announcement = Announcement.parse(instance_of(ID), 5060, TXT, raw)
    assert announcement.addresses == ("fe80::2%eth0", "10.0.0.2", "fd00::1")
    many = Announcement.parse(instance_of(ID), 5060, TXT, [f"10.0.0.{n}" for n in range(1, 99)])
    assert len(many.addresses) == 8


ADDRESSES = ["10.0.0.1:5062", "[fe80::1%eth0]:1", "[fd00::1]:65535", "127.0.0.1:9", "[::1]:9"]
BROKEN = ["", "10.0.0.1", "10.0.0.1:0", "x:1", "10.0.0.1:65536", "10.0.0.1%eth0:5", "[fe80::1]:5"]


@pytest.mark.parametrize("text", ADDRESSES)
def test_address_round_trip(text: str) -> None:
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize("text", BROKEN)
def test_not_an_address(text: str) -> None:
    with pytest.raises(AnnouncementError):
        Address.parse(text)
