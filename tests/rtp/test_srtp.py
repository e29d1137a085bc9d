from __future__ import annotations

import pylibsrtp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.errors import LocalProtocolError, RtpError
from meshdoor.rtp.group import Group, RtpStream
from meshdoor.rtp.packet import Extension, RtpPacket
from meshdoor.rtp.srtp import (
    AEAD_AES_128_GCM,
    AES_CM_128_HMAC_SHA1_80,
    SUITES,
    MasterKey,
    Plain,
    Suite,
    protector,
    unprotector,
)
from meshdoor.rtp.srtp_gcm import MAX_SOURCES, REPLAY_WINDOW, GcmProtector, ReplayWindow

PROFILES = {
    AEAD_AES_128_GCM: pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    AES_CM_128_HMAC_SHA1_80: pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}
RTCP = bytes.fromhex("80c80006 00000007") + bytes(range(20))
suites = pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES.keys())


def master(suite: Suite) -> MasterKey:
    return MasterKey.generate(suite, lambda length: bytes(range(7, 7 + length)))


def reference(suite: Suite, inbound: bool) -> pylibsrtp.Session:
    """libsrtp by its ordinary interface."""
    kind = pylibsrtp.Policy.SSRC_ANY_INBOUND if inbound else pylibsrtp.Policy.SSRC_ANY_OUTBOUND
    key = bytes(master(suite))
    return pylibsrtp.Session(pylibsrtp.Policy(key=key, ssrc_type=kind, srtp_profile=PROFILES[suite]))


def packet(number: int, ssrc: int = 7, payload: bytes = b"payload") -> bytes:
    return bytes(RtpPacket(96, number & 0xFFFF, 1000, ssrc, payload))


def group(first: int, *sizes: int) -> Group:
    (found,) = RtpStream(7, 96, first).groups([bytes(size) for size in sizes], 1000)
    return found


def segments(sealed: bytes | memoryview, size: int) -> list[bytes]:
    return [bytes(sealed[at : at + size]) for at in range(0, len(sealed), size)]


@suites
def test_dtls_exports_a_key_for_each_end(suite: Suite) -> None:
    material = bytes(range(suite.material_length))
    client, server = MasterKey.pair(suite, material)
    assert client.key + server.key + client.salt + server.salt == material
    assert (len(client.key), len(server.salt)) == (suite.key_length, suite.salt_length)


@suites
@given(first=st.integers(0, 0xFFFF), count=st.integers(1, 49), size=st.integers(1, 1180), last=st.integers(0, 9))
@settings(max_examples=40)
def test_libsrtp_opens_our_groups(suite: Suite, first: int, count: int, size: int, last: int) -> None:
    sender, receiver, theirs = protector(master(suite)), unprotector(master(suite)), reference(suite, True)
    made = group(first, *[size] * count, max(1, size - last))
    sealed = segments(sender.protect_group(made), made.packet_size + sender.tag_length)
    assert [theirs.unprotect(part) for part in sealed] == list(made.packets)
    assert [receiver.unprotect(part) for part in sealed] == list(made.packets)


@suites
def test_we_open_what_libsrtp_made(suite: Suite) -> None:
    theirs, ours = reference(suite, False), unprotector(master(suite))
    for number in range(0xFFF0, 0x10010):
        assert ours.unprotect(theirs.protect(packet(number))) == packet(number)
    assert ours.unprotect_rtcp(theirs.protect_rtcp(RTCP)) == RTCP


@suites
def test_single_packets_and_groups_are_one_stream(suite: Suite) -> None:
    one, many = protector(master(suite)), protector(master(suite))
    made = group(0xFFFE, 100, 100, 100, 90)
    assert b"".join(map(one.protect, made.packets)) == many.protect_group(made)


@suites
def test_a_packet_may_be_sent_again_as_it_was(suite: Suite) -> None:
    sender = protector(master(suite))
    numbers = range(0xFFF8, 0x10008 + 900)
    first = [sender.protect(packet(number)) for number in numbers]
    assert [sender.protect(packet(number)) for number in numbers] == first


@suites
def test_headers_with_all_that_there_is(suite: Suite) -> None:
    odd = bytes(RtpPacket(96, 5, 6, 7, b"payload", True, (8, 9), Extension(0xBEDE, b"abcd"), 4))
    sealed = protector(master(suite)).protect(odd)
    assert reference(suite, True).unprotect(sealed) == odd
    assert unprotector(master(suite)).unprotect(sealed) == odd


@suites
def test_rtcp_is_opened_by_libsrtp(suite: Suite) -> None:
    sender, theirs = protector(master(suite)), reference(suite, True)
    assert [theirs.unprotect_rtcp(sender.protect_rtcp(RTCP)) for _ in range(3)] == [RTCP] * 3


@suites
def test_replays_are_refused(suite: Suite) -> None:
    sender, receiver = protector(master(suite)), unprotector(master(suite))
    sealed = [sender.protect(packet(number)) for number in range(200)]
    for number in (1, 0, 3, 199):
        receiver.unprotect(sealed[number])
    for number in (0, 1, 3, 199, 2):
        with pytest.raises(RtpError, match="replay"):
            receiver.unprotect(sealed[number])
    assert receiver.unprotect(sealed[199 - REPLAY_WINDOW + 1]) == packet(199 - REPLAY_WINDOW + 1)


@suites
def test_rtcp_replays_are_refused(suite: Suite) -> None:
    receiver, sealed = unprotector(master(suite)), protector(master(suite)).protect_rtcp(RTCP)
    receiver.unprotect_rtcp(sealed)
    with pytest.raises(RtpError, match="replay"):
        receiver.unprotect_rtcp(sealed)


@suites
@given(data=st.data())
@settings(max_examples=60)
def test_what_was_touched_is_refused(suite: Suite, data: st.DataObject) -> None:
    sender, receiver = protector(master(suite)), unprotector(master(suite))
    receiver.unprotect(sender.protect(packet(1)))
    for sealed, unprotect in (
        (sender.protect(packet(2)), receiver.unprotect),
        (sender.protect_rtcp(RTCP), receiver.unprotect_rtcp),
    ):
        at = data.draw(st.integers(0, len(sealed) - 1))
        forged = sealed[:at] + bytes((sealed[at] ^ data.draw(st.integers(1, 255)),)) + sealed[at + 1 :]
        with pytest.raises(RtpError):
            unprotect(forged)
        with pytest.raises(RtpError):
            unprotect(sealed[:at])
    assert receiver.unprotect(sender.protect(packet(3))) == packet(3)


@suites
@given(junk=st.binary(max_size=80))
@settings(max_examples=60)
def test_junk_is_refused(suite: Suite, junk: bytes) -> None:
    receiver = unprotector(master(suite))
    for unprotect in (receiver.unprotect, receiver.unprotect_rtcp):
        with pytest.raises(RtpError):
            unprotect(junk)


@suites
@pytest.mark.parametrize("number", [1, 0x8001])
def test_another_key_opens_nothing(suite: Suite, number: int) -> None:
    receiver = unprotector(MasterKey.generate(suite))
    with pytest.raises(RtpError, match="authenticate"):
        receiver.unprotect(protector(master(suite)).protect(packet(number)))
    with pytest.raises(RtpError, match="authenticate"):
        receiver.unprotect_rtcp(protector(master(suite)).protect_rtcp(RTCP))


def test_rtcp_that_is_not_encrypted_is_refused() -> None:
    sealed = protector(master(AEAD_AES_128_GCM)).protect_rtcp(RTCP)
    clear = sealed[:-4] + bytes((sealed[-4] & 0x7F,)) + sealed[-3:]
    with pytest.raises(RtpError, match="not encrypted"):
        unprotector(master(AEAD_AES_128_GCM)).unprotect_rtcp(clear)


def test_a_receiver_that_missed_the_wrap_at_the_start_finds_the_rollover_counter() -> None:
    sender, receiver = protector(master(AEAD_AES_128_GCM)), unprotector(master(AEAD_AES_128_GCM))
    sender.protect(packet(0xFFFF))
    assert receiver.unprotect(sender.protect(packet(0x10000))) == packet(0)
    assert receiver.unprotect(sender.protect(packet(0x10001))) == packet(1)


def test_a_key_opens_a_few_sources() -> None:
    sender, receiver = protector(master(AEAD_AES_128_GCM)), unprotector(master(AEAD_AES_128_GCM))
    for ssrc in range(MAX_SOURCES):
        receiver.unprotect(sender.protect(packet(1, ssrc)))
    with pytest.raises(RtpError, match="too many"):
        receiver.unprotect(sender.protect(packet(1, MAX_SOURCES)))


def test_a_packet_from_before_the_key_is_not_sent() -> None:
    sender = protector(master(AEAD_AES_128_GCM))
    sender.protect(packet(3))
    with pytest.raises(LocalProtocolError):
        sender.protect(packet(-3))


def test_the_rtcp_index_ends() -> None:
    sender = GcmProtector(master(AEAD_AES_128_GCM))
    sender._rtcp_index = 0x7FFFFFFE
    sender.protect_rtcp(RTCP)
    with pytest.raises(LocalProtocolError):
        sender.protect_rtcp(RTCP)


def test_keys_take_turns_at_one_group() -> None:
    keys = [MasterKey.generate(AEAD_AES_128_GCM) for _ in range(3)]
    senders, made = [protector(key) for key in keys], [group(1, 100, 100, 80), group(4, 20)]
    sealed = [[bytes(sender.protect_group(each)) for sender in senders] for each in made]
    for key, first, second in zip(keys, *sealed, strict=True):
        opened = unprotector(key)
        assert [opened.unprotect(part) for part in segments(first, 128)] == list(made[0].packets)
        assert opened.unprotect(second) == made[1].packets[0]


def test_a_packet_longer_than_groups_are() -> None:
    key, made = master(AEAD_AES_128_GCM), group(1, 65_000)
    sealed = bytes(protector(key).protect_group(made))
    assert unprotector(key).unprotect(sealed) == made.packets[0]


def test_too_long_for_the_buffer_of_libsrtp() -> None:
    sender, receiver = protector(master(AES_CM_128_HMAC_SHA1_80)), unprotector(master(AES_CM_128_HMAC_SHA1_80))
    with pytest.raises(LocalProtocolError):
        sender.protect(packet(1, payload=bytes(80_000)))
    with pytest.raises(LocalProtocolError):
        sender.protect_group(group(1, 80_000))
    with pytest.raises(RtpError):
        receiver.unprotect(bytes(80_000))
    with pytest.raises(LocalProtocolError, match="libsrtp"):
        sender.protect(b"short")


def test_in_the_clear() -> None:
    sender, receiver = protector(None), unprotector(None)
    made = group(0, 10, 10)
    assert isinstance(sender, Plain)
    assert sender.protect_group(made) == b"".join(made.packets)
    assert receiver.unprotect(sender.protect(packet(1))) == packet(1)
    assert receiver.unprotect_rtcp(sender.protect_rtcp(RTCP)) == RTCP


@given(st.lists(st.integers(0, 400), max_size=60))
def test_the_window_accepts_each_index_once(indices: list[int]) -> None:
    window, accepted = ReplayWindow(), set[int]()
    for index in indices:
        fresh = index not in accepted and index > max(accepted, default=-1) - REPLAY_WINDOW
        try:
            window.check(index)
        except RtpError:
            assert not fresh
            continue
        assert fresh
        window.accept(index)
        accepted.add(index)


@suites
def test_keys_are_not_shown(suite: Suite) -> None:
    key = MasterKey.generate(suite)
    assert MasterKey.from_bytes(suite.name, bytes(key)) == key
    for shown in (repr(key), str(key), repr(protector(key)), repr(unprotector(key))):
        assert key.key.hex() not in shown
        assert repr(key.key) not in shown
        assert repr(key.salt) not in shown


@pytest.mark.parametrize(("suite", "length"), [("AEAD_AES_128_GCM", 30), ("AES_CM_128_HMAC_SHA1_80", 28), ("X", 30)])
def test_a_key_of_the_wrong_length(suite: str, length: int) -> None:
    with pytest.raises(LocalProtocolError):
        MasterKey.from_bytes(suite, bytes(length))
