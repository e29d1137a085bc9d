"""Two and more nodes on the loopback interface, by real multicast."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import gc
import logging
import socket
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from zeroconf._dns import DNSAddress, DNSPointer, DNSService, DNSText

from meshdoor.mesh.gate import Gate, Rate
from meshdoor.mesh.mdns import Mdns
from meshdoor.mesh.mdns.browser import MAX_UNKNOWN
from meshdoor.mesh.mdns.guard import Guard
from meshdoor.mesh.mdns.records import IN, PTR, SRV, TXT, TYPE, A, host_of, instance_of, service_info
from tests.mesh.mdns.packets import everything, goodbye, packets
from tests.mesh.mdns.sightings import HERE, LOOPBACK, Sightings, said

pytestmark = pytest.mark.multicast

GROUP = ("224.0.0.251", 5353)
FLUSH = 0x8001


@contextmanager
def rogue(host: str = HERE) -> Iterator[socket.socket]:
    """A socket that says to the group whatever it likes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(HERE))
        sender.bind((host, 0))
        yield sender


async def test_announced_is_seen_updated_and_gone() -> None:
    seen = Sightings()
    async with seen.mdns():
        async with Sightings().mdns() as announcing:
            await announcing.announce(said(1))
            await seen.see(said(1))
            await announcing.announce(said(1))
            await announcing.announce(said(1, r="ab" * 16))
            await seen.see(said(1, r="ab" * 16))
            await asyncio.sleep(0.5)
            await seen.see(said(1, r="ab" * 16))
        await seen.until(lambda: not seen.here)
    assert seen.sources == {HERE}


async def test_a_late_browser_sees_who_is_there() -> None:
    seen = Sightings()
    async with Sightings().mdns() as announcing:
        await announcing.announce(said(1))
        await asyncio.sleep(1.1)
        async with seen.mdns():
            await seen.see(said(1))


async def test_two_hundred_services() -> None:
    seen = Sightings()
    sent = []
    async with Sightings().mdns() as loud:
        for number in range(200):
            info = service_info(said(number + 1))
            sent.append(await loud._zeroconf.async_register_service(info, cooperating_responders=True))
        members = [said(number + 1).instance for number in range(200)]
        async with seen.mdns() as browsing:
            browsing.members(members, [])
            await seen.until(lambda: len(seen.here) == 200)
        await asyncio.gather(*sent)


async def test_a_forged_goodbye_is_mended_by_its_victim() -> None:
    seen = Sightings()
    async with seen.mdns(), Sightings().mdns() as victim:
        await victim.announce(said(1))
        await seen.see(said(1))
        with rogue() as sender:
            sender.sendto(goodbye(service_info(said(1)))[0], GROUP)
        await seen.until(lambda: None in seen.told)
        await seen.see(said(1))


async def test_forged_records_of_a_node_are_mended_by_it() -> None:
    seen = Sightings()
    async with seen.mdns(), Sightings().mdns() as victim:
        await victim.announce(said(1))
        await seen.see(said(1))
        forged = said(1, addresses=("127.0.0.66",), tls=6666)
        with rogue() as sender:
            sender.sendto(everything(service_info(forged))[0], GROUP)
        await seen.until(lambda: forged in seen.told)
        await seen.see(said(1))


async def test_a_clone_does_not_make_the_two_quarrel() -> None:
    seen = Sightings()
    other = said(1, addresses=("127.0.0.2",))
    async with seen.mdns(), Sightings().mdns() as first, Sightings().mdns() as second:
        await first.announce(said(1))
        await second.announce(other)
        await seen.until(lambda: other in seen.told)
        await asyncio.sleep(2)
        assert said(1) in seen.told
        assert len(seen.told) <= 16


async def test_who_is_not_heard_for_too_long_is_lost() -> None:
    """A crash without a goodbye: the records expire."""
    seen = Sightings()
    async with seen.mdns() as browsing:
        info = service_info(said(1))
        info.host_ttl = 2
        with rogue() as sender:
            sender.sendto(everything(info)[0], GROUP)
        await seen.see(said(1))
        await asyncio.sleep(2.1)
        browsing._zeroconf.zeroconf.engine._async_cache_cleanup()
        assert not seen.here
        names = browsing._zeroconf.zeroconf.cache.names()
        assert not [name for name in names if name.startswith(said(1).instance)]


async def test_what_ends_soon_is_asked_for_again() -> None:
    seen = Sightings()
    async with seen.mdns() as browsing, Sightings().mdns() as announcing:
        await announcing.announce(said(1))
        await seen.see(said(1))
        with rogue() as sender:
            info = service_info(said(1))
            info.host_ttl = 20
            sender.sendto(packets(info.dns_service())[0], GROUP)
        await seen.until(lambda: len(seen.told) >= 2)
        told = len(seen.told)
        browsing._refresh()
        await seen.until(lambda: len(seen.told) > told)


async def test_members_keep_their_place_when_the_roster_changes() -> None:
    seen = Sightings()
    async with seen.mdns() as browsing, Sightings().mdns() as announcing:
        await announcing.announce(said(1))
        await seen.see(said(1))
        for members in ([said(1).instance, said(2).instance], [], [said(1).instance]):
            browsing.members(members, [])
            await announcing.announce(said(1, r=f"{len(seen.told):032x}"))
            told = len(seen.told)
            await seen.until(lambda told=told: len(seen.told) > told)  # type: ignore[misc]
        assert set(seen.here) == {said(1).instance}


async def test_half_an_announcement_is_asked_for() -> None:
    seen = Sightings()
    async with seen.mdns(), Sightings().mdns() as announcing:
        info = service_info(said(1))
        announcing._zeroconf.zeroconf.registry.async_add(info)
        with rogue() as sender:
            sender.sendto(packets(info.dns_pointer())[0], GROUP)
        await seen.see(said(1))


async def test_what_no_node_says_leaves_no_trace() -> None:
    seen = Sightings()
    label = said(1).instance
    strange = [
        DNSPointer(TYPE, PTR, IN, 4500, f"printer.{TYPE}"),
        DNSPointer("_http._tcp.local.", PTR, IN, 4500, f"{label}._http._tcp.local."),
        DNSService(instance_of(label), SRV, FLUSH, 120, 0, 0, 5060, "elsewhere.local."),
        DNSText(f"x.{TYPE}", TXT, FLUSH, 4500, b"\x01a"),
        DNSAddress("printer.local.", A, FLUSH, 120, b"\x7f\0\0\1"),
        DNSAddress(host_of(label), A, FLUSH, 120, b"\x7f\0"),
    ]
    async with seen.mdns() as browsing, Sightings().mdns() as announcing:
        with rogue() as sender:
            for record in strange:
                sender.sendto(packets(record)[0], GROUP)
        await announcing.announce(said(2))
        await seen.see(said(2))
        assert set(seen.here) == {said(2).instance}
        cached = browsing._zeroconf.zeroconf.cache.names()
        assert {name for name in cached if "printer" in name or name.startswith("x.")} == set()


async def test_a_record_that_is_no_announcement_is_dropped() -> None:
    seen = Sightings()
    async with seen.mdns(), Sightings().mdns() as announcing:
        info = service_info(said(1))
        info.text = b"\x04v=no"
        with rogue() as sender:
            sender.sendto(everything(info)[0], GROUP)
        await announcing.announce(said(2))
        await seen.see(said(2))
        assert said(1).instance not in seen.here


def flood(count: int) -> list[bytes]:
    return [data for number in range(count) for data in everything(service_info(said(number + 1000)))]


async def test_a_flood_stays_bounded_and_the_real_nodes_visible(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "meshdoor")
    seen = Sightings()
    datagrams = flood(3_000)  # the virtual house gets more; others may use this interface too
    gate = Gate(Rate(1e6, 1e6), Rate(1e6, 1e6), own=Rate(1e6, 1e6))
    browsing = Mdns(seen.saw, seen.lost, (LOOPBACK,), gate)
    async with browsing, Sightings().mdns() as real:
        browsing.members([said(1).instance], [])
        await real.announce(said(1))
        await seen.see(said(1))
        tracemalloc.start()
        began = time.process_time()
        with rogue() as sender:
            for number, data in enumerate(datagrams):
                sender.sendto(data, GROUP)
                if number % 20 == 0:
                    await asyncio.sleep(0)
        await asyncio.sleep(0.2)
        cost = time.process_time() - began
        gc.collect()
        memory = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        zc = browsing._zeroconf.zeroconf
        assert seen.here[said(1).instance] == said(1)
        assert len(seen.here) <= MAX_UNKNOWN + 1
        assert zc.cache._total_records <= 8 * (MAX_UNKNOWN + 1)
        print(f"flood of {len(datagrams)}: {memory / 1e6:.1f} MB, {cost:.1f} s of CPU for both nodes and the rogue")
        assert memory < 8e6
        await real.announce(said(1, r="cd" * 16))
        await seen.see(said(1, r="cd" * 16))


async def test_the_gate_stops_a_flood_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    seen = Sightings()
    gate = Gate(Rate(10, 100), Rate(1000, 1000), own=Rate(1000, 1000))
    browsing = Mdns(seen.saw, seen.lost, (LOOPBACK,), gate)
    async with browsing, Sightings().mdns() as real:
        with rogue("127.0.0.9") as sender:
            for data in flood(500):
                sender.sendto(data, GROUP)
        await real.announce(said(1))
        await seen.see(said(1))
        assert browsing.refused > 100
    assert [record.message for record in caplog.records if record.name.startswith("meshdoor")] == [
        "mDNS: 127.0.0.9 sends more than the network needs; ignoring the rest"
    ]


async def test_noise_does_no_harm() -> None:
    seen = Sightings()
    async with seen.mdns(), Sightings().mdns() as real:
        with rogue() as sender:
            whole = everything(service_info(said(1)))[0]
            for cut in range(0, len(whole), 3):
                sender.sendto(whole[:cut], GROUP)
                sender.sendto(whole[:cut] + bytes([0xFF]) * 9 + whole[cut + 9 :], GROUP)
        await real.announce(said(2))
        await seen.see(said(2))


async def test_interfaces_come_and_go() -> None:
    seen = Sightings()
    async with Sightings().mdns() as announcing:
        browsing = Mdns(seen.saw, seen.lost)
        async with browsing:
            await announcing.announce(said(1))
            await asyncio.sleep(0.5)
            assert not seen.here
            await browsing.interfaces_changed([LOOPBACK])
            await seen.see(said(1))
            await browsing.interfaces_changed([])
            await browsing.interfaces_changed([LOOPBACK])


async def test_an_interface_that_is_not_ready_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshdoor.mesh.mdns.service.RETRY", (0.01, 0.02))
    not_yet = dataclasses.replace(LOOPBACK, name="lo2", ipv4=("127.0.0.300",))
    seen = Sightings()
    async with seen.mdns() as browsing, Sightings().mdns() as announcing:
        await announcing.announce(said(1))
        attempts = []

        async def update() -> bool:
            attempts.append(1)
            return len(attempts) == 3

        monkeypatch.setattr(browsing, "_update_interfaces", update)
        await browsing.interfaces_changed([not_yet])
        await seen.until(lambda: len(attempts) == 3 or bool(seen.here))
        await asyncio.sleep(0.1)
        assert len(attempts) == 3


@pytest.mark.parametrize(("code", "hint"), [(errno.EINVAL, True), (errno.ENETUNREACH, False)])
async def test_what_cannot_be_sent_is_one_line_without_a_trace(
    caplog: pytest.LogCaptureFixture, code: int, hint: bool
) -> None:
    async with Sightings().mdns() as mdns:
        for reader in mdns._zc.engine.readers:
            protocol = reader.transport.get_protocol()
            assert isinstance(protocol, Guard)
            for _ in range(3):
                protocol.error_received(OSError(code, "no"))
    assert [record.exc_info for record in caplog.records] == [None]
    assert ("gc_thresh3" in caplog.text) == hint


async def test_nothing_is_asked_when_the_answer_has_come(caplog: pytest.LogCaptureFixture) -> None:
    async with Sightings().mdns() as mdns:
        mdns._browser.wanted[said(1).instance] = None
        mdns._ask_soon()
        mdns._browser.wanted.clear()
        await asyncio.sleep(0.2)
    assert caplog.records == []
