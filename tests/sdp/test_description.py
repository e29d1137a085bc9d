from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import SdpError
from meshdoor.sdp.description import MAX_FORMATS, MAX_LINES, MAX_MEDIA, MAX_SIZE, Line, SessionDescription
from tests.sdp.samples import BARESIP, KEY_CM, LINPHONE

MINIMAL = "v=0\r\nm=audio 9 RTP/AVP 0\r\n"


def parse(text: str) -> SessionDescription:
    return SessionDescription.parse(text.encode())


@pytest.mark.parametrize("text", [LINPHONE, BARESIP, MINIMAL, "v=0", "v=0\n", LINPHONE.replace("\r", "")])
def test_round_trip(text: str) -> None:
    assert bytes(parse(text)) == text.encode()


@given(st.lists(st.sampled_from([b"m=audio 9 RTP/AVP 0", b"a=x:\xff\0", b"b=AS:1\r", b"\xc3", b"", b"==", b"zz=1"])))
def test_odd_lines_are_kept_to_the_byte(lines: list[bytes]) -> None:
    data = b"\n".join([b"v=0", *lines])
    assert bytes(SessionDescription.parse(data)) == data


@given(st.binary(max_size=100).map(lambda rest: b"v=0\n" + rest))
def test_any_bytes_round_trip_or_raise(data: bytes) -> None:
    try:
        parsed = SessionDescription.parse(data)
    except SdpError:
        return
    assert bytes(parsed) == data


def test_parts() -> None:
    audio, video = (parsed := parse(BARESIP)).media
    assert (audio.kind, audio.port, audio.profile) == ("audio", 10000, "RTP/AVP")
    assert audio.formats == ("96", "0", "8", "9", "101")
    assert video.attribute("mid") == "v"
    assert video.attribute("sendonly") == ""
    assert video.attribute("recvonly") is None
    assert video.attributes("rtcp-fb") == ("* nack", "* nack pli")
    assert parsed.session.value("s") == "-"
    assert parsed.address(video) == "fd00::7"


def test_a_medium_may_have_its_own_address() -> None:
    parsed = parse("v=0\nc=IN IP4 1.2.3.4\nm=audio 9/2 RTP/AVP 0\nc=IN IP4 5.6.7.8/127\n")
    assert parsed.address(parsed.media[0]) == "5.6.7.8"


def test_no_address_at_all() -> None:
    parsed = parse(MINIMAL)
    with pytest.raises(SdpError):
        parsed.address(parsed.media[0])


@pytest.mark.parametrize("line", ["c=IN IP4", "c=ATM NSAP x", "c=IN IP5 ::"])
def test_no_connection_line(line: str) -> None:
    parsed = parse(f"v=0\n{line}\nm=audio 9 RTP/AVP 0\n")
    with pytest.raises(SdpError):
        parsed.address(parsed.media[0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "v=1\n",
        "m=audio 9 RTP/AVP 0\nv=0\n",
        "v=0\nm=\n",
        "v=0\nm=audio 9 RTP/AVP\n",
        "v=0\nm=audio x RTP/AVP 0\n",
        "v=0\nm=audio 65536 RTP/AVP 0\n",
        "v=0\nm=audio ² RTP/AVP 0\n",
        "v=0\nm=audio 9 RTP/AVP" + " 0" * (MAX_FORMATS + 1),
        "v=0\n" + "m=audio 9 RTP/AVP 0\n" * (MAX_MEDIA + 1),
        "v=0\n" + "a=x\n" * MAX_LINES,
        "v=0\na=" + "x" * MAX_SIZE,
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(SdpError):
        parse(text)


def test_keys_are_not_shown() -> None:
    assert KEY_CM not in repr(parse(LINPHONE))
    assert repr(Line("s", "-")) == "Line('s', '-')"
