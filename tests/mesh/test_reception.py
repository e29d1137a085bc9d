from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import AsyncExitStack

import pytest

from meshdoor.errors import ConfigError
from meshdoor.mesh import acceptor, connection, reception
from meshdoor.mesh.acceptor import listen
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.reception import MAX_HALF_OPEN, MAX_PAIRINGS, peer_address
from tests.mesh.houses import house, identities
from tests.mesh.nodes import Node, nodes, turn_until
from tests.patience import PATIENCE

LOW, HIGH = identities(2)
HELLO = b"\x16\x03\x01\x02\x00"  # the head of a ClientHello that does not come

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def knock(stack: AsyncExitStack, node: Node, host: str = "127.0.0.1") -> Streams:
    """A connection from `host` that has said nothing."""
    reader, writer = await asyncio.open_connection(*node.addresses[0], local_addr=(host, 0))
    # The writer itself is kept: one that is collected closes its transport.
    stack.callback(writer.close)
    return reader, writer


async def closed(reader: asyncio.StreamReader) -> bool:
    """Has the other side ended it, in whatever way?"""
    async with asyncio.timeout(PATIENCE):
        try:
            return await reader.read() is not None
        except ConnectionError:
            return True


async def test_a_first_byte_that_is_not_tls_goes_to_pairing_whole() -> None:
    async with nodes(LOW) as (low,), AsyncExitStack() as stack:
        reader, writer = await knock(stack, low)
        writer.write(b"\x00\x05pair")
        await low.told.heard("pairing")
        ours, theirs = low.told.streams[0]
        assert await ours.readexactly(6) == b"\x00\x05pair"
        theirs.write(b"welcome")
        assert await reader.readexactly(7) == b"welcome"
        theirs.close()
        await theirs.wait_closed()
        assert low.told.all("pairing") == [(Address("127.0.0.1", writer.get_extra_info("sockname")[1]),)]
        assert len(low.links._reception.pairings) == 0


async def test_a_node_in_no_home_can_be_paired() -> None:
    alone = Node(LOW)
    async with alone.links, AsyncExitStack() as stack:
        _, writer = await knock(stack, alone)
        writer.write(b"\x00")
        await alone.told.heard("pairing")


async def test_a_pairing_is_cut_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reception, "PAIRING_DEADLINE", 0.05)
    async with nodes(LOW) as (low,), AsyncExitStack() as stack:
        reader, writer = await knock(stack, low)
        writer.write(b"\x00")
        assert await closed(reader)
        await turn_until(lambda: not len(low.links._present))


async def test_pairings_are_bounded_and_who_takes_most_gives_way() -> None:
    async with nodes(LOW) as (low,), AsyncExitStack() as stack:
        greedy = [await knock(stack, low, "127.0.0.2") for _ in range(MAX_PAIRINGS)]
        for _, writer in greedy:
            writer.write(b"\x00")
        await low.told.heard("pairing", MAX_PAIRINGS)
        _, writer = await knock(stack, low)
        writer.write(b"\x00")
        await low.told.heard("pairing", MAX_PAIRINGS + 1)
        assert await closed(greedy[0][0])
        assert len(low.links._reception.pairings) == MAX_PAIRINGS
        await low.told.heard("refused")
        assert low.told.all("refused")[0][1] == "too many pairings at once"


async def test_a_flood_of_half_open_connections_is_bounded_and_shuts_nobody_out() -> None:
    async with nodes(LOW, HIGH) as (low, high), AsyncExitStack() as stack:
        for number in range(60):
            _, writer = await knock(stack, low, "127.0.0.2")
            if number % 2:
                writer.write(HELLO)
        assert len(low.links._reception.half_open) <= MAX_HALF_OPEN
        assert await high.dial(low)
        assert len(low.links._reception.half_open) <= MAX_HALF_OPEN
        assert [entry[1] for entry in low.told.all("refused")] == ["too many half-open connections"]
        assert len(low.links._open) <= MAX_HALF_OPEN + 1


async def test_connections_from_one_address_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reception, "PER_HOST", (0.0, 64.0))
    async with nodes(LOW, HIGH) as (low, high), AsyncExitStack() as stack:
        readers = [(await knock(stack, low, "127.0.0.2"))[0] for _ in range(90)]
        assert await closed(readers[-1])
        await low.told.until(lambda: low.told.all("refused")[-1][1] == "too many connections")
        assert await high.dial(low)


async def test_connections_from_all_addresses_are_limited() -> None:
    async with nodes(LOW) as (low,), AsyncExitStack() as stack:
        spent = asyncio.get_running_loop().time()
        while low.links._reception._from_all.allow(spent + 1):
            pass
        reader, _ = await knock(stack, low)
        assert await closed(reader)


async def test_who_says_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reception, "FIRST_BYTE_DEADLINE", 0.05)
    async with nodes(LOW) as (low,), AsyncExitStack() as stack:
        reader, _ = await knock(stack, low)
        assert await closed(reader)
        assert low.told.all("refused")[0][1] == "it says nothing"
        await turn_until(lambda: not len(low.links._present))


async def test_a_handshake_that_drips_is_cut_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HANDSHAKE_DEADLINE", 0.2)
    async with nodes(LOW) as (low,), AsyncExitStack() as stack:
        reader, writer = await knock(stack, low)
        for byte in HELLO + bytes(200):
            writer.write(bytes((byte,)))
            await asyncio.sleep(0.02)
            if low.told.all("refused"):
                break
        else:
            raise AssertionError("it may say as much as it likes")
        assert await closed(reader)
        await turn_until(lambda: not low.links._open)
        assert len(low.links._reception.half_open) == 0


@pytest.mark.parametrize("garbage", [b"\x16" * 50, HELLO + bytes(600)])
async def test_garbage_is_refused(garbage: bytes) -> None:
    async with nodes(LOW) as (low,), AsyncExitStack() as stack:
        reader, writer = await knock(stack, low)
        writer.write(garbage)
        assert await closed(reader)
        assert len(low.told.all("refused")) == 1
        await turn_until(lambda: not len(low.links._present))


async def test_a_port_scan_is_not_worth_a_line() -> None:
    async with nodes(LOW) as (low,), AsyncExitStack() as stack:
        _, writer = await knock(stack, low)
        await turn_until(lambda: len(low.links._present))
        writer.close()
        await turn_until(lambda: not len(low.links._present))
        assert low.told.log == []


async def test_closing_turns_everybody_out() -> None:
    async with nodes(LOW) as (low,), AsyncExitStack() as stack:
        silent, pairing, shaking = [await knock(stack, low) for _ in range(3)]
        pairing[1].write(b"\x00")
        shaking[1].write(HELLO)
        await low.told.heard("pairing")
        await low.links.aclose()
        for reader, _ in (silent, pairing, shaking):
            assert await closed(reader)


def test_an_ipv6_peer_is_named_with_its_scope() -> None:
    class FakeTransport(asyncio.Transport):
        pass

    link_local = FakeTransport({"peername": ("fe80::1", 5, 0, socket.if_nametoindex("lo"))})
    assert peer_address(link_local) == Address("fe80::1%lo", 5)
    assert peer_address(FakeTransport({"peername": ("2001:db8::1", 5, 0, 0)})) == Address("2001:db8::1", 5)
    assert peer_address(FakeTransport({"peername": None})) == Address("", 0)


def test_both_families_listen_on_one_port() -> None:
    sockets = listen(0)
    assert len({sock.getsockname()[1] for sock in sockets}) == 1
    assert {sock.family for sock in sockets} <= {socket.AF_INET, socket.AF_INET6}
    for sock in sockets:
        sock.close()


def test_a_port_that_is_taken_is_an_error_with_a_hint() -> None:
    taken = listen(0, ["127.0.0.1"])[0]
    with pytest.raises(ConfigError, match="cannot listen on port") as caught:
        listen(taken.getsockname()[1], ["127.0.0.2", "127.0.0.1"])
    assert caught.value.hint
    taken.close()


def test_an_address_family_that_is_missing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    original = acceptor._listen

    def without_ipv6(host: str, port: int) -> socket.socket:
        if ":" in host:
            raise OSError(errno.EAFNOSUPPORT, "not here")
        return original(host, port)

    monkeypatch.setattr(acceptor, "_listen", without_ipv6)
    sockets = listen(0, ["::1", "127.0.0.1"])
    assert [sock.family for sock in sockets] == [socket.AF_INET]
    sockets[0].close()


class Exhausted(socket.socket):
    """A listening socket of a process that may open no more files."""

    refusals = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.refusals += 1
        raise OSError(errno.EMFILE, "too many open files")


async def test_a_node_out_of_sockets_waits_instead_of_spinning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "PAUSE", 0.05)
    monkeypatch.setattr(socket, "socket", Exhausted)
    sockets = listen(0, ["127.0.0.1"])
    monkeypatch.undo()
    low = Node(LOW)
    low.links._sockets[0].close()
    low.links._sockets = sockets
    assert isinstance(sockets[0], Exhausted)
    async with low.links, AsyncExitStack() as stack:
        low.links.roster_changed(house(LOW, HIGH))
        await knock(stack, low)
        await asyncio.sleep(0.12)
        assert 1 <= sockets[0].refusals <= 4
