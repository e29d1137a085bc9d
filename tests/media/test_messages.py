"""What node and engine say to each other survives the way."""

from __future__ import annotations

import pytest

from meshdoor.config import IceServer
from meshdoor.errors import LocalProtocolError
from meshdoor.media import messages, plans, reports
from meshdoor.media.messages import decode, encode
from meshdoor.rtp.srtp_keys import AEAD_AES_128_GCM, MasterKey

KEY = MasterKey(AEAD_AES_128_GCM, b"k" * 16, b"s" * 12)
PLAN = plans.StreamPlan(
    "sendonly",
    plans.Address("fe80::1%eth0", 4000),
    "H264",
    97,
    90_000,
    fmtp="packetization-mode=1",
    tx_key=KEY,
    feedback=("nack", "nack pli"),
)
ICE = plans.IceDescription("ufrag", "secret", "sha-256 AB", ("1 1 udp 1 127.0.0.1 4000 typ host",))
REMOTE = plans.IceRemote("ufrag", "secret", "sha-256 AB", (), controlling=True, client=False)


@pytest.mark.parametrize(
    "message",
    [
        messages.Hello("door", "Front", camera="rtsp://user:secret@cam/1", out_dir="/tmp/x"),
        messages.StartLeg("b1", None, PLAN, plans.Gates(microphone=True)),
        messages.OpenLeg("b1", "::1", webrtc=True, ice_servers=(IceServer("turn:t:1", "me", "secret"),)),
        reports.LegOpened(1, 1, 2, 3, ICE),
        messages.StartLeg("b1", ice=REMOTE),
        reports.EngineStatistics((reports.LegStatistics("b1"),), 3, 1, 0.25),
        reports.LegStatistics("b1", video=reports.StreamStatistics(round_trip=1)),
        reports.EngineLost(("b1", "b2"), "exit status -9"),
        reports.Done(),
    ],
)
def test_round_trip(message: messages.Message) -> None:
    assert decode(encode(message, 7)) == (7, message)
    assert decode(encode(message)) == (None, message)


def test_every_message_is_known() -> None:
    assert {messages.StartLeg, reports.LegOpened, reports.EngineLost} <= set(messages.KNOWN.values())
    assert all(messages.KNOWN[name].__name__ == name for name in messages.KNOWN)


def test_secrets_are_not_shown() -> None:
    start = messages.StartLeg("b1", None, PLAN)
    assert "6b6b" not in repr(start)
    assert "kkk" not in repr(start)
    assert "secret" not in repr((ICE, REMOTE, IceServer("turn:t:1", "me", "secret")))
    assert "secret" not in repr(messages.Hello("door", camera="rtsp://user:secret@cam/1"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"type":"Nothing"}',
        b'{"type":"CloseLeg"}',
        b'{"type":"CloseLeg","leg":1}',
        b'{"type":"CloseLeg","leg":"b1","more":1}',
        b'{"type":"EngineStatistics","legs":[1]}',
        b'{"type":"EngineStatistics","legs":null}',
        b'{"type":"StartLeg","leg":"b1","video":{"tx_key":{"suite":"X","key":"00"}}}',
        b'{"type":"StartLeg","leg":"b1","video":{"remote":{"host":"a","port":"b"}}}',
        b"\xff",
    ],
)
def test_what_does_not_fit(data: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        decode(data)


def test_an_error_shows_no_key() -> None:
    data = encode(messages.StartLeg("b1", None, PLAN)).replace(b'"leg"', b'"log"')
    with pytest.raises(LocalProtocolError) as caught:
        decode(data)
    assert "6b6b" not in str(caught.value)
    assert caught.value.__cause__ is None
