from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from meshdoor.mesh import connection
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.connection import MAX_BUFFER, Link
from meshdoor.mesh.frames import State
from meshdoor.mesh.link import Links
from meshdoor.mesh.reaching import connect
from tests.mesh.houses import house, identities
from tests.mesh.nodes import Node, Recorder, linked, nodes, turn_until

LOW, MIDDLE, HIGH, STRANGER = identities(4)


def raw(node: Node, other: Node) -> Link:
    """The connection behind a link."""
    return node.links._up[other.key]


def transport(node: Node, other: Node) -> asyncio.Transport:
    """What a test stops reading from, to be a peer that has stalled."""
    found = raw(node, other)._transport
    assert found is not None
    return found


def deaf(make: Callable[..., Any]) -> Callable[..., Any]:
    """Connections that never hear a HELLO, as if it was lost on the way."""

    def make_deaf(*args: Any) -> Any:
        link = make(*args)
        link._happened = lambda event: None
        return link

    return make_deaf


def count_to_five(links: Links, key: bytes) -> None:
    for number in range(5):
        links.send_sip(key, bytes((number,)))


async def test_a_link_comes_up_at_both_ends() -> None:
    async with nodes(LOW, HIGH) as (low, high):
        assert await low.dial(high)
        await high.told.heard("up")
        assert low.told.all("up") == [(HIGH.key, high.addresses[0])]
        assert high.told.all("up") == [(LOW.key, low.addresses[0])]
        assert [info.dialed for node in (low, high) for info in node.links.links()] == [True, False]


async def test_a_dial_of_a_linked_member_says_so_at_once() -> None:
    async with linked(LOW, HIGH) as (low, high):
        assert await low.dial(high)
        assert await high.dial(low)
        assert len(low.told.all("up")) == 1


async def test_links_work_over_ipv6() -> None:
    async with nodes(LOW, roster=house(LOW, HIGH)) as (low,):
        high = Node(HIGH, ("::1",))
        async with high.links:
            high.links.roster_changed(house(LOW, HIGH))
            assert await low.dial(high)
            assert low.told.all("up") == [(HIGH.key, Address("::1", high.links.port))]


async def test_everything_is_carried_both_ways() -> None:
    async with linked(LOW, HIGH) as ends:
        for sender, receiver in (ends, ends[::-1]):
            links, told = sender.links, receiver.told
            assert links.send_sip(receiver.key, b"INVITE")
            assert links.send_note(receiver.key, {"a": [1]})
            assert links.want(receiver.key, [b"h" * 32])
            assert links.send_statements(receiver.key, [b"one", b"two"])
            await told.heard("statements")
            assert told.all("sip") == [(sender.key, b"INVITE")]
            assert told.all("note") == [(sender.key, {"a": [1]})]
            assert told.all("want") == [(sender.key, (b"h" * 32,))]
            assert told.all("statements") == [(sender.key, (b"one", b"two"))]


async def test_without_a_link_nothing_is_sent() -> None:
    async with nodes(LOW, HIGH) as (low, _):
        assert not low.links.send_sip(HIGH.key, b"")
        assert not low.links.hurry(HIGH.key, 1.0)
        low.links.cut(HIGH.key, "nothing to cut")


async def test_both_ends_learn_the_round_trip_time_and_the_digest() -> None:
    async with linked(LOW, HIGH) as ends:
        for node in ends:
            await node.told.heard("measured", 2)
            _, rtt, digest, version, state = node.told.all("measured")[-1]
            assert 0 < rtt < 1
            assert (digest, state) == (b"d" * 16, State.FREE)
            assert version


async def test_a_new_roster_and_a_new_state_are_told_at_once() -> None:
    async with linked(LOW, HIGH) as (low, high):
        low.links.roster_changed(house(LOW, HIGH, digest=b"n" * 16))
        low.links.set_state(State.RINGING)
        await high.told.until(lambda: high.told.all("measured")[-1][2::2] == (b"n" * 16, State.RINGING))


async def test_a_roster_that_changes_while_dialing_is_told_when_the_link_is_up() -> None:
    async with nodes(LOW, HIGH) as (low, high):
        dial = asyncio.create_task(low.dial(high))
        await turn_until(lambda: low.links._asking)
        low.links.roster_changed(house(LOW, HIGH, digest=b"n" * 16))
        assert await dial
        await high.told.until(lambda: high.told.all("measured")[-1][2] == b"n" * 16)


async def test_three_nodes_make_three_links() -> None:
    async with linked(LOW, MIDDLE, HIGH) as three:
        assert [len(node.linked()) for node in three] == [2, 2, 2]


@pytest.mark.parametrize("turns", range(12))
async def test_when_both_dial_one_link_stays_and_carries_all(turns: int) -> None:
    """One dials `turns` of the loop after the other, so that the greetings cross in many ways."""
    async with nodes(LOW, HIGH) as (low, high):
        for node in (low, high):
            node.told.on_link_up = partial(count_to_five, node.links)
        late = asyncio.create_task(high.dial(low))
        for _ in range(turns):
            await asyncio.sleep(0)
        assert await low.dial(high)
        assert await late
        for node, other in ((low, high), (high, low)):
            await node.told.heard("sip", 5)
            assert node.told.all("sip") == [(other.key, bytes((number,))) for number in range(5)]
            assert [len(node.told.all(name)) for name in ("up", "down", "refused")] == [1, 0, 0]
        assert raw(low, high).dialed is not raw(high, low).dialed
        await turn_until(lambda: len(low.links._open) + len(high.links._open) == 2)


async def test_when_greetings_cross_the_lower_key_wins() -> None:
    async with nodes(LOW, HIGH) as (low, high):
        dials = [asyncio.create_task(high.dial(low)), asyncio.create_task(low.dial(high))]
        assert await asyncio.gather(*dials) == [True, True]
        await high.told.heard("up")
        assert raw(low, high).dialed
        assert not raw(high, low).dialed


async def test_the_connection_that_waited_is_taken_when_ours_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async with nodes(LOW, HIGH) as (low, high):
        monkeypatch.setattr(high.links._reception, "link", deaf(high.links._reception.link))
        asking = asyncio.create_task(low.dial(high))
        await turn_until(lambda: low.links._asking)
        answer = asyncio.create_task(high.dial(low))
        await turn_until(lambda: low.links._waiting)
        low.links._asking[HIGH.key].abort("lost")
        assert await answer
        assert await asking
        assert raw(high, low).dialed
        assert not low.links._waiting


async def test_a_peer_that_lost_the_link_replaces_it() -> None:
    async with linked(LOW, HIGH) as (low, high):
        transport(high, low).pause_reading()
        del high.links._up[LOW.key]
        assert await high.dial(low)
        assert low.told.all("down") == [(HIGH.key, "replaced by a newer connection")]
        assert low.links.send_sip(HIGH.key, b"again")
        await high.told.heard("sip")


async def test_a_greeting_that_crossed_the_link_is_dropped() -> None:
    async with linked(LOW, HIGH) as (low, high):
        kept = raw(low, high)
        assert kept.hello is not None
        kept.hello = replace(kept.hello, serial=99)
        del high.links._up[LOW.key]
        assert not await high.dial(low)
        assert raw(low, high) is kept
        assert low.told.all("down") == low.told.all("refused") == []


async def test_a_connection_that_waited_may_end_before_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    async with nodes(LOW, HIGH) as (low, high):
        monkeypatch.setattr(high.links._reception, "link", deaf(high.links._reception.link))
        asking = asyncio.create_task(low.dial(high))
        await turn_until(lambda: low.links._asking)
        answer = asyncio.create_task(high.dial(low))
        await turn_until(lambda: low.links._waiting)
        low.links._waiting[HIGH.key].abort("lost")
        assert not low.links._waiting
        assert not await answer
        low.links._asking[HIGH.key].abort("lost")
        assert not await asking


async def test_a_connection_given_up_before_it_is_made_is_closed() -> None:
    async with nodes(LOW, HIGH) as (low, high):
        link = low.links._make(low.links._pins.client(), high.addresses[0], HIGH.key)
        link.abort("too early")
        await connect(high.addresses[0], lambda: link)
        await turn_until(lambda: not low.links._open)


async def test_a_restarted_peer_replaces_its_link() -> None:
    async with linked(LOW, HIGH) as (low, _):
        again = Node(HIGH)
        async with again.links:
            again.links.roster_changed(house(LOW, HIGH))
            assert await again.dial(low)
            assert low.told.all("down") == [(HIGH.key, "replaced by a newer connection")]


async def test_a_stranger_is_refused_at_both_ends() -> None:
    async with nodes(LOW, HIGH) as (low, _):
        rogue = Node(STRANGER)
        async with rogue.links:
            rogue.links.roster_changed(house(LOW, HIGH, STRANGER))
            assert not await rogue.dial(low)
            assert not await low.links.dial(HIGH.key, rogue.addresses)
        assert low.told.all("refused")[0][1] == "its certificate is not one of this home"
        assert rogue.told.all("refused")
        assert low.told.all("up") == rogue.told.all("up") == []


async def test_another_member_is_not_the_one_that_was_dialed() -> None:
    async with nodes(LOW, MIDDLE, HIGH) as (low, middle, _):
        assert not await low.links.dial(HIGH.key, middle.addresses)
        assert [entry[1] for entry in low.told.all("refused")] == ["another member answers there"]
        assert middle.told.all("up") == []


async def test_a_copy_of_this_node_is_refused_and_named() -> None:
    async with nodes(LOW, LOW) as (one, other):
        assert not await other.dial(one)
        await one.told.heard("refused")
        assert one.told.all("refused")[0][1] == "it has the very key of this node"


async def test_a_node_in_no_home_has_no_links() -> None:
    async with nodes(LOW, roster=house(LOW, HIGH)) as (low,):
        alone = Node(HIGH)
        async with alone.links:
            assert not await low.dial(alone)
            assert not await alone.dial(low)
            await alone.told.heard("refused")
            assert alone.told.all("refused")[0][1] == "this node is in no home"


async def test_refusals_are_said_once_and_then_counted() -> None:
    async with nodes(LOW, MIDDLE, HIGH) as (low, middle, _):
        for _ in range(4):
            assert not await low.links.dial(HIGH.key, middle.addresses)
        assert len(low.told.all("refused")) == 1
        for line in low.links._log._lines.values():
            line.logged -= 60
        assert not await low.links.dial(HIGH.key, middle.addresses)
        assert low.told.all("refused")[-1][1] == "another member answers there (and 3 more)"


async def test_a_revoked_member_is_cut_in_the_middle_of_anything() -> None:
    async with linked(LOW, MIDDLE, HIGH) as (low, _, high):
        for _ in range(30):
            low.links.send_sip(HIGH.key, bytes(60000))
            high.links.send_sip(LOW.key, bytes(60000))
        low.links.send_statements(HIGH.key, [bytes((n,)) * 4000 for n in range(200)])
        low.links.roster_changed(house(LOW, MIDDLE))
        assert low.told.all("down") == [(HIGH.key, "no longer a member")]
        assert not low.links.send_sip(HIGH.key, b"")
        received = len(low.told.all("sip"))
        await high.told.heard("down")
        assert "reset" in high.told.all("down")[0][1].lower()
        assert len(low.told.all("sip")) == received
        assert low.linked() == {MIDDLE.key}
        assert not await high.dial(low)


async def test_a_revocation_in_the_middle_of_a_handshake_cuts_it() -> None:
    async with nodes(LOW, HIGH) as (low, high):
        dial = asyncio.create_task(high.dial(low))
        await turn_until(lambda: high.links._asking)
        low.links.roster_changed(house(LOW))
        assert not await dial
        assert low.told.all("up") == high.told.all("up") == []


async def test_a_revocation_from_within_what_the_link_carried_cuts_it() -> None:
    async with linked(LOW, HIGH) as (low, high):
        original = low.told.statements

        def revoke(key: bytes, statements: Any) -> None:
            original(key, statements)
            low.links.roster_changed(house(LOW))

        low.told.statements = revoke  # type: ignore[method-assign]
        high.links.send_statements(LOW.key, [b"revoke"])
        raw(high, low).connection.send_sip(b"after")
        raw(high, low).flush()
        await high.told.heard("down")
        assert low.told.all("sip") == []


async def test_members_keep_their_links_when_the_roster_changes() -> None:
    async with linked(LOW, HIGH) as (low, high):
        before = raw(low, high)
        low.links.roster_changed(house(LOW, MIDDLE, HIGH))
        assert raw(low, high) is before
        newcomer = Node(MIDDLE)
        async with newcomer.links:
            newcomer.links.roster_changed(house(LOW, MIDDLE, HIGH))
            assert await newcomer.dial(low)
            assert not await newcomer.dial(high)
            high.links.roster_changed(house(LOW, MIDDLE, HIGH))
            assert await newcomer.dial(high)
            assert raw(low, high) is before
            assert before.is_up


async def test_a_revoked_node_gives_up_all_its_links() -> None:
    async with linked(LOW, MIDDLE, HIGH) as (low, middle, _):
        low.links.roster_changed(house(MIDDLE, HIGH))
        assert low.linked() == set()
        await middle.told.heard("down")


@pytest.mark.parametrize("silent", [0, 1])
async def test_silence_is_noticed_within_three_keep_alives(silent: int) -> None:
    async with linked(LOW, HIGH) as ends:
        mute, alive = ends[silent], ends[1 - silent]
        transport(mute, alive).pause_reading()
        raw(mute, alive)._cancel_timer()
        alive.links.hurry(mute.key, 0.2)
        await alive.told.heard("down")
        reason = alive.told.all("down")[0][1]
        assert float(reason.split()[2]) >= 0.6


async def test_links_outlive_their_idleness() -> None:
    async with linked(LOW, HIGH) as (low, high):
        low.links.hurry(HIGH.key, 0.2)
        await low.told.until(lambda: len(low.told.all("measured")) > 6)
        assert low.told.all("down") == high.told.all("down") == []
        assert low.links.hurry(HIGH.key, None)


async def test_a_peer_that_does_not_read_is_dropped() -> None:
    async with linked(LOW, HIGH) as (low, high):
        transport(high, low).pause_reading()
        sent = 0
        while low.links.send_sip(HIGH.key, bytes(65536)):
            sent += 65536
            assert sent < 64 * 2**20
        assert sent > MAX_BUFFER
        assert low.told.all("down") == [(HIGH.key, "it does not read what it is sent")]


async def test_a_whole_roster_waits_for_a_slow_peer_and_a_call_does_not() -> None:
    async with linked(LOW, HIGH) as (low, high):
        transport(high, low).pause_reading()
        statements = [number.to_bytes(4, "big") * 1000 for number in range(4096)]
        assert low.links.send_statements(HIGH.key, statements)
        assert low.links.send_sip(HIGH.key, b"INVITE")
        assert low.linked() == {HIGH.key}
        transport(high, low).resume_reading()
        await high.told.until(lambda: sum(len(got) for _, got in high.told.all("statements")) == 4096)
        names = [entry[0] for entry in high.told.log if entry[0] in ("sip", "statements")]
        assert names.index("sip") < len(names) - 1
        assert [one for _, many in high.told.all("statements") for one in many] == statements


@pytest.mark.parametrize(
    "garbage", [b"\x00\x00\x00\x00", b"\x06\xff\xff\xff", b"\x07\x00\x00\x01[", b"\x01\x00\x00\x02{}"]
)
async def test_a_member_that_breaks_the_framing_is_cut(garbage: bytes) -> None:
    async with linked(LOW, HIGH) as (low, high):
        raw(high, low).connection._urgent += garbage
        raw(high, low).flush()
        await low.told.heard("down")
        await high.told.heard("down")
        assert high.told.all("down") == [(LOW.key, "closed by the other side")]


async def test_a_flood_of_frames_is_cut() -> None:
    async with linked(LOW, HIGH) as (low, high):
        raw(high, low).connection._urgent += b"\x06\x00\x00\x00" * 10000
        raw(high, low).flush()
        await low.told.heard("down")
        assert low.told.all("down")[0][1] == "more frames than a link may carry"


async def test_an_unreachable_member_is_not_waited_for() -> None:
    async with nodes(LOW, HIGH) as (low, high):
        dead = [Address("127.0.0.1", 1), Address("fe80::1%nowhere", 5), Address("::1", 1)]
        assert await low.links.dial(HIGH.key, [*dead, *high.addresses])
        assert not await high.links.dial(MIDDLE.key, dead)
        assert not await high.links.dial(MIDDLE.key, [])


async def test_an_address_that_says_nothing_does_not_hold_up_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    async with nodes(LOW, HIGH) as (low, high):
        hole = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = hole.sockets[0].getsockname()[1]
        monkeypatch.setattr(connection, "HANDSHAKE_DEADLINE", 600.0)
        assert await low.links.dial(HIGH.key, [Address("127.0.0.1", port), *high.addresses])
        hole.close()


async def test_a_dial_ends_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshdoor.mesh.link.DIAL_DEADLINE", 0.1)
    async with nodes(LOW, HIGH) as (low, _):
        hole = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        assert not await low.links.dial(HIGH.key, [Address("127.0.0.1", hole.sockets[0].getsockname()[1])])
        hole.close()
    assert low.told.all("refused") == []


async def test_a_dial_in_progress_is_not_doubled() -> None:
    async with nodes(LOW, HIGH) as (low, high):
        first = asyncio.create_task(low.dial(high))
        await asyncio.sleep(0)
        assert not await low.dial(high)
        assert await first


async def test_a_cancelled_dial_leaves_nothing() -> None:
    async with nodes(LOW, HIGH) as (low, high):
        for turns in range(8):
            dial = asyncio.create_task(low.dial(high))
            for _ in range(turns):
                await asyncio.sleep(0)
            dial.cancel()
            await asyncio.gather(dial, return_exceptions=True)
        await turn_until(lambda: not low.links._open)
        assert not low.links._dials


@pytest.mark.parametrize("turns", range(8))
async def test_nothing_is_left_after_aclose(turns: int) -> None:
    async with nodes(LOW, MIDDLE, HIGH) as (low, middle, high):
        assert await low.dial(middle)
        dials = [asyncio.create_task(low.dial(high)), asyncio.create_task(high.dial(low))]
        for _ in range(turns):
            await asyncio.sleep(0)
        await low.links.aclose()
        assert not low.links._open
        assert not low.links._dials
        assert await dials[0] is False
        assert not await low.dial(high)
        await high.links.aclose()
        await dials[1]
        await middle.links.aclose()
        await middle.links.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cut_cuts_one_link() -> None:
    async with linked(LOW, MIDDLE, HIGH) as (low, _, __):
        low.links.cut(HIGH.key, "because")
        assert low.told.all("down") == [(HIGH.key, "because")]
        assert low.linked() == {MIDDLE.key}


async def test_a_link_that_is_never_answered_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HANDSHAKE_DEADLINE", 0.1)
    monkeypatch.setattr(Links, "heard", lambda links, link, hello: None)
    async with nodes(LOW, HIGH) as (low, high):
        assert not await low.dial(high)
        assert low.told.all("refused") == [(high.addresses[0], "no link within 0 s")]


def test_a_recorder_is_what_links_tell() -> None:
    from meshdoor.mesh.link import LinkEvents

    events: LinkEvents = Recorder()
    assert events
