"""The messages of RFC 4475 and RFC 5118, sent to a running endpoint over UDP and TCP."""

from __future__ import annotations

import pytest

from meshdoor.sip.message import Response
from meshdoor.sip.validate import DEFAULT, Capabilities, judge
from meshdoor.transport.udp import UdpTransport, bind
from tests.sip.torture import Case, load
from tests.transport.callers import HOST, Caller, tcp_end
from tests.transport.ends import End
from tests.transport.strangers import ask
from tests.transport.udp_strangers import Stranger

REGISTRAR = Capabilities(methods=(*DEFAULT.methods, "REGISTER"))
CASES = [*load("rfc4475"), *load("rfc5118")]


def final(case: Case) -> int | None:
    """The status that the message must be answered with; None if it may be silence or a call that rings."""
    answer = judge(case.wire, REGISTRAR).answer
    return None if answer is None else answer.status


def of_options(response: Response) -> bool:
    return response.status == 200 and response.call_id.startswith("c")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_over_udp_it_lives_and_answers_options_afterwards(case: Case) -> None:
    made, transport = End(capabilities=REGISTRAR), UdpTransport(bind(0, (HOST,)))
    made.endpoint.add(transport)
    async with made.endpoint:
        with Stranger(transport.port, HOST) as stranger:
            stranger.send(case.wire)
            stranger.send(ask("OPTIONS"))
            got = [await stranger.response()]
            while not of_options(got[-1]):
                got.append(await stranger.response())
            assert stranger.got <= stranger.sent
        check(case, [response.status for response in got[:-1]])


def check(case: Case, statuses: list[int]) -> None:
    """An answer may have gone to the port of the Via instead of where the test listens."""
    expected = final(case)
    assert statuses in ([], [expected]) or (expected is None and min(statuses) < 600)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_over_tcp_it_lives_and_answers_options_afterwards(case: Case) -> None:
    async with tcp_end(capabilities=REGISTRAR) as (_, transport):
        async with Caller(transport.port) as caller:
            caller.send(case.wire)
            if final(case) is not None and case.name not in ("clerr", "ncl"):
                assert (await caller.response()).status == final(case)
        async with Caller(transport.port) as another:
            assert await another.is_served()


async def test_all_of_them_in_one_go() -> None:
    made, transport = End(capabilities=REGISTRAR), UdpTransport(bind(0, (HOST,)))
    made.endpoint.add(transport)
    async with made.endpoint:
        with Stranger(transport.port, HOST) as stranger:
            for case in CASES:
                stranger.send(case.wire)
            stranger.send(ask("OPTIONS"))
            while not of_options(await stranger.response()):
                pass
            assert stranger.got <= stranger.sent
