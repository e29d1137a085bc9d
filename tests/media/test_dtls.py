"""Keys by DTLS, between two associations and between two legs on the loopback interface."""

from __future__ import annotations

import asyncio

import pytest

from meshdoor.errors import EngineError
from meshdoor.media import dtls
from meshdoor.media.dtls import LARGEST, PROFILES, Association, Certificate
from meshdoor.media.dtls_leg import DtlsPath
from meshdoor.media.plans import Address, DtlsRemote, StreamPlan
from meshdoor.media.suites import CM, GCM, suites
from tests.patience import PATIENCE, until

HOST = "127.0.0.1"


@pytest.fixture(autouse=True)
async def known_suites() -> None:
    await asyncio.to_thread(suites)  # reads a file


def pair(fingerprint: str = "") -> tuple[Association, Association]:
    door, client = Certificate(), Certificate()
    return (
        Association(door, fingerprint or client.fingerprint, client=False),
        Association(client, door.fingerprint, client=True),
    )


def exchange(one: Association, other: Association, lose: int = 0) -> None:
    """Until neither has anything to say; the first `lose` datagrams are lost."""
    while True:
        said = [(other, data) for data in one.data_to_send()] + [(one, data) for data in other.data_to_send()]
        if not said:
            return
        for to, data in said:
            assert len(data) <= LARGEST
            if lose:
                lose -= 1
            else:
                to.receive(data)


@pytest.mark.parametrize("suite", [GCM, CM])
def test_both_ends_have_the_same_keys(suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dtls, "suites", lambda: (suite,))
    door, client = pair()
    exchange(door, client)
    assert door.keys is not None
    assert client.keys == (door.keys[1], door.keys[0])
    assert door.keys[0].suite.name == suite
    assert suite in PROFILES


def test_who_has_another_certificate_than_it_named_gets_no_keys() -> None:
    door, client = pair(Certificate().fingerprint)
    with pytest.raises(EngineError, match="named"):
        exchange(door, client)
    assert door.keys is None


async def test_what_was_lost_is_sent_again() -> None:
    door, client = pair()
    exchange(door, client, lose=1)
    async with asyncio.timeout(PATIENCE):
        while door.keys is None:
            await asyncio.sleep(0.1)
            client.tick()
            door.tick()
            exchange(door, client)
    assert client.keys is not None


def test_what_is_no_dtls_changes_nothing() -> None:
    door, client = pair()
    door.receive(bytes([22]) + bytes(40))
    exchange(door, client)
    assert door.keys is not None
    door.receive(bytes([22]) + bytes(40))
    client.close()
    exchange(door, client)


@pytest.mark.parametrize("mux", [True, False])
async def test_paths_agree_on_keys_and_media_pass_beside_them(mux: bool) -> None:
    certificates = Certificate(), Certificate()
    one, other = (DtlsPath(HOST, 0, each) for each in certificates)
    told: list[str] = []
    one.failed = told.append
    try:
        for path, peer, remote, client in (
            (one, other, certificates[1], False),
            (other, one, certificates[0], True),
        ):
            rtcp = None if mux else Address(HOST, peer.port + 1)
            by = DtlsRemote(remote.fingerprint, client)
            path.agree(StreamPlan("sendrecv", Address(HOST, peer.port), "PCMU", 0, 8000, rtcp=rtcp, dtls=by))
        await until(lambda: one.keys is not None and other.keys is not None)
        if not mux:
            await until(lambda: one.rtcp_keys is not None and other.rtcp_keys is not None)
            assert one.rtcp_keys != one.keys
        heard: list[bytes] = []
        one.read(lambda data, address: heard.append(data))
        other.outgoing.send(b"\x80" + bytes(20), 21)
        await until(lambda: len(heard) == 1)
        one.tick()
        assert told == []
    finally:
        one.close()
        other.close()
