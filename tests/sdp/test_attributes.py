from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import SdpError
from meshdoor.sdp.attributes import Direction, Fingerprint, Fmtp, Rtcp, RtcpFb, Rtpmap, parameter, ptime
from meshdoor.sdp.description import Line, Section


def section(*attributes: str) -> Section:
    return Section(tuple(Line("a", attribute) for attribute in attributes))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Rtpmap, "0 PCMU/8000"),
        (Rtpmap, "96 opus/48000/2"),
        (Fmtp, "97 packetization-mode=1;profile-level-id=42e01f"),
        (RtcpFb, "* nack pli"),
        (RtcpFb, "97 ccm fir"),
        (Rtcp, "53020"),
        (Rtcp, "53020 IN IP4 126.16.64.4"),
        (Rtcp, "53020 IN IP6 2001:db8::1"),
        (Fingerprint, "sha-256 AB:CD:EF"),
    ],
)
def test_round_trip(kind: type[Rtpmap | Fmtp | RtcpFb | Rtcp | Fingerprint], text: str) -> None:
    assert str(kind.parse(text)) == text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Rtpmap, ""),
        (Rtpmap, "96"),
        (Rtpmap, "96 opus"),
        (Rtpmap, "96 /8000"),
        (Rtpmap, "96 opus/48000/2/1"),
        (Rtpmap, "128 opus/48000"),
        (Rtpmap, "96 opus/9999999"),
        (Rtpmap, "96 opus/48000/x"),
        (Fmtp, "x"),
        (RtcpFb, "x nack"),
        (Rtcp, ""),
        (Rtcp, "65536"),
        (Rtcp, "1 IN"),
        (Fingerprint, "sha-256 XY"),
    ],
)
def test_refused(kind: type[Rtpmap | Fmtp | RtcpFb | Rtcp | Fingerprint], text: str) -> None:
    with pytest.raises(SdpError):
        kind.parse(text)


def test_parameters() -> None:
    text = "Packetization-Mode=1; profile-level-id=42e01f ;x;sprop-parameter-sets=Z0==,aM4="
    assert parameter(text, "packetization-mode") == "1"
    assert parameter(text, "profile-level-id") == "42e01f"
    assert parameter(text, "sprop-parameter-sets") == "Z0==,aM4="
    assert parameter(text, "x") is None


directions = st.sampled_from(Direction)


@given(directions, directions)
def test_an_answer_never_does_more_than_both_want(offered: Direction, wanted: Direction) -> None:
    answer = offered.answer(wanted)
    assert answer.sends == (wanted.sends and offered.receives)
    assert answer.receives == (wanted.receives and offered.sends)


def test_the_direction_in_force() -> None:
    assert Direction.in_force(section(), section()) is Direction.SENDRECV
    assert Direction.in_force(section(), section("inactive")) is Direction.INACTIVE
    assert Direction.in_force(section("recvonly"), section("inactive")) is Direction.RECVONLY


@pytest.mark.parametrize(
    ("attributes", "milliseconds"),
    [
        ([], None),
        (["ptime:30"], 30),
        (["ptime:30", "maxptime:20"], 20),
        (["maxptime:60"], 60),
        (["ptime:20.5"], 20),
        (["ptime:x", "maxptime:0"], None),
        (["ptime:5000"], None),
        (["ptime"], None),
    ],
)
def test_ptime(attributes: list[str], milliseconds: int | None) -> None:
    assert ptime(section(*attributes)) == milliseconds
