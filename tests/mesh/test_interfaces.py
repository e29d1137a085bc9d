"""The interfaces of this host."""

from __future__ import annotations

import asyncio
import socket
from contextlib import aclosing

import pytest

from meshdoor.mesh import interfaces
from meshdoor.mesh.interfaces import Interface, changes, snapshot

ETH0 = Interface("eth0", 2, ("10.0.0.2",), ("fe80::2%eth0",), ("10.0.0.0/24",))


def test_loopback_is_used_only_where_it_is_allowed() -> None:
    (loopback,) = snapshot(["lo"])
    assert (loopback.name, loopback.ipv4, loopback.is_loopback) == ("lo", ("127.0.0.1",), True)
    assert "127.0.0.0/8" in loopback.networks
    assert "lo" not in [interface.name for interface in snapshot()]


def test_ignored_interfaces() -> None:
    assert snapshot(ignored=["*"]) == ()
    assert snapshot(["no-such-interface"]) == ()


def test_addresses_ipv4_first() -> None:
    assert ETH0.addresses == ("10.0.0.2", "fe80::2%eth0")
    assert not ETH0.is_loopback


def test_an_interface_that_vanishes_while_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netifaces.interfaces", lambda: ["gone0", "lo"])
    assert [interface.name for interface in snapshot(["gone0", "lo"])] == ["lo"]


def test_an_address_that_is_not_settled_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    families = {socket.AF_INET6: [{"addr": "fe80::77%lo", "netmask": "ffff:ffff:ffff:ffff::/64"}]}
    monkeypatch.setattr("netifaces.ifaddresses", lambda name: families)
    assert snapshot(["lo"]) == ()


async def test_without_news_from_the_kernel_it_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> socket.socket:
        raise OSError("no netlink here")

    monkeypatch.setattr("meshdoor.mesh.interfaces.socket.socket", refuse)
    monkeypatch.setattr(interfaces, "POLL_INTERVAL", 0)
    found = iter([(), (), (ETH0,), (ETH0,), ()])
    async with aclosing(changes(lambda: next(found))) as seen:
        assert [await anext(seen) for _ in range(3)] == [(), (ETH0,), ()]


async def test_it_sleeps_while_the_kernel_tells_no_news() -> None:
    taken = 0

    def take() -> tuple[Interface, ...]:
        nonlocal taken
        taken += 1
        return ()

    async with aclosing(changes(take)) as seen:
        await anext(seen)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(seen), 0.1)
    assert taken <= 2
