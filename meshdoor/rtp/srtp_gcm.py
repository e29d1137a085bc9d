"""SRTP with AES-128-GCM (RFC 7714), by one call of `cryptography` for each packet.

Groups are encrypted in a workspace: bytes that all keys use in turn, so that they stay in the processor's cache.

The initialization vector is the session salt XOR (two zero bytes, SSRC, 48-bit index), §8.1; of SRTCP, it is
the salt XOR (two zero bytes, SSRC, two zero bytes, 31-bit index), §9.1. The header is the associated data.
"""

from __future__ import annotations

import struct
import threading
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from meshdoor.errors import LocalProtocolError, RtpError
from meshdoor.rtp.group import MAX_BYTES, MAX_PACKETS, Group
from meshdoor.rtp.packet import HEADER, HEADER_LENGTH, header_length
from meshdoor.rtp.sequence import extend
from meshdoor.rtp.srtp_keys import AEAD_AES_128_GCM, MasterKey

# Key derivation labels, RFC 3711 §4.3.1 and §4.3.2.
_RTP_KEY, _RTP_SALT, _RTCP_KEY, _RTCP_SALT = 0, 2, 3, 5
_RTCP_HEADER = 8
_RTCP_INDEX = 4
_ENCRYPTED = 0x80000000  # the E bit before the SRTCP index
_MAX_RTCP_INDEX = 0x7FFFFFFF

REPLAY_WINDOW = 128  # packets; at least 64, RFC 3711 §3.3.2
_WINDOW_MASK = (1 << REPLAY_WINDOW) - 1
MAX_SOURCES = 16  # ours: SSRCs under one key; each has proven that it knows the key


def derive(key: bytes, salt: bytes, label: int, length: int) -> bytes:
    """A session key (RFC 3711 §4.3.3, AES-CM PRF) at derivation rate 0.
    A 96-bit salt is padded with zeros on the right (RFC 7714 §11)."""
    block = int.from_bytes(salt.ljust(14, b"\0"), "big") ^ label << 48
    cipher = Cipher(AES(key), CTR((block << 16).to_bytes(16, "big"))).encryptor()
    return cipher.update(bytes(length))


class _Keys:
    """The session keys of one direction: GCM objects, and the salts as numbers."""

    __slots__ = ("rtcp", "rtcp_salt", "rtp", "rtp_salt")

    def __init__(self, master: MasterKey) -> None:
        def session(label: int, length: int) -> bytes:
            return derive(master.key, master.salt, label, length)

        suite = AEAD_AES_128_GCM
        self.rtp = AESGCM(session(_RTP_KEY, suite.key_length))
        self.rtcp = AESGCM(session(_RTCP_KEY, suite.key_length))
        self.rtp_salt = int.from_bytes(session(_RTP_SALT, suite.salt_length), "big")
        self.rtcp_salt = int.from_bytes(session(_RTCP_SALT, suite.salt_length), "big")


class _Workspace(threading.local):
    """The packets of the last group: headers in the clear, and the places where its ciphertexts go."""

    def __init__(self) -> None:
        self.sealed: list[memoryview] = []
        self.whole = memoryview(b"")
        self._memory = memoryview(bytearray(MAX_BYTES + MAX_PACKETS * AEAD_AES_128_GCM.tag_length))
        self._group: Group | None = None

    def lay_out(self, group: Group) -> None:
        """Done once for all keys that encrypt the group one after the other."""
        if group is self._group:
            return
        tag = AEAD_AES_128_GCM.tag_length
        size = sum(map(len, group.headers)) + sum(map(len, group.payloads)) + len(group.headers) * tag
        if size > len(self._memory):
            self._memory = memoryview(bytearray(size))
        self._group, self.sealed, self.whole = group, [], self._memory[:size]
        at = 0
        for header, payload in zip(group.headers, group.payloads, strict=True):
            start = at + len(header)
            self._memory[at:start] = header
            at = start + len(payload) + tag
            self.sealed.append(self._memory[start:at])


_workspace = _Workspace()


class _Run(NamedTuple):
    """What makes vectors of `count` indices in a row: numbers of as many 96-bit places, and the cut into bytes."""

    ones: int
    steps: int
    cut: Callable[[bytes], tuple[Any, ...]]


@lru_cache(MAX_PACKETS)
def _run(count: int) -> _Run:
    places = range(0, 96 * count, 96)
    ones = sum(1 << place for place in places)
    steps = sum(step << place for step, place in enumerate(reversed(places)))
    return _Run(ones, steps, struct.Struct("12s" * count).unpack)


def _vectors(salt: int, index: int, count: int) -> tuple[bytes, ...]:
    """Salt XOR index, for `count` indices in a row; as one long number, which is half the work of many."""
    run = _run(count)
    return run.cut((salt * run.ones ^ index * run.ones + run.steps).to_bytes(12 * count, "big"))


class GcmProtector:
    """See `srtp.Protector`."""

    tag_length = AEAD_AES_128_GCM.tag_length

    def __init__(self, master: MasterKey) -> None:
        self._keys = _Keys(master)
        self._highest: dict[int, int] = {}
        self._rtcp_index = 0

    def protect(self, packet: bytes) -> bytes:
        length = header_length(packet)
        ssrc = int.from_bytes(packet[8:12], "big")
        index = self._index(ssrc, int.from_bytes(packet[2:4], "big"), 1)
        header = packet[:length]
        vector = (self._keys.rtp_salt ^ (ssrc << 48 | index)).to_bytes(12, "big")
        return header + self._keys.rtp.encrypt(vector, packet[length:], header)

    def protect_group(self, group: Group) -> memoryview:
        count = len(group.headers)
        index = self._index(group.ssrc, group.sequence_number, count)
        vectors = _vectors(self._keys.rtp_salt ^ group.ssrc << 48, index, count)
        _workspace.lay_out(group)
        deque(map(self._keys.rtp.encrypt_into, vectors, group.payloads, group.headers, _workspace.sealed), 0)
        return _workspace.whole

    def protect_rtcp(self, packet: bytes) -> bytes:
        if self._rtcp_index == _MAX_RTCP_INDEX:
            raise LocalProtocolError("the SRTCP key is used up")
        self._rtcp_index += 1
        header, word = packet[:_RTCP_HEADER], (_ENCRYPTED | self._rtcp_index).to_bytes(4, "big")
        vector = _rtcp_vector(self._keys.rtcp_salt, packet[4:8], self._rtcp_index)
        return header + self._keys.rtcp.encrypt(vector, packet[_RTCP_HEADER:], header + word) + word

    def _index(self, ssrc: int, sequence_number: int, count: int) -> int:
        """The 48-bit index of the first of `count` packets (RFC 3711 §3.3.1)."""
        highest = self._highest.get(ssrc, sequence_number)
        index = extend(sequence_number, highest)
        if index < 0:
            raise LocalProtocolError("a packet from before the key")
        self._highest[ssrc] = max(highest, index + count - 1)
        return index


class GcmUnprotector:
    """See `srtp.Unprotector`."""

    def __init__(self, master: MasterKey) -> None:
        self._keys = _Keys(master)
        self._sources: dict[int, ReplayWindow] = {}
        self._rtcp_sources: dict[int, ReplayWindow] = {}

    def unprotect(self, packet: bytes) -> bytes:
        # 0x80 and 0xA0 are plain headers; the padding that 0xA0 tells of is encrypted.
        length = HEADER_LENGTH if packet[:1] in {b"\x80", b"\xa0"} else header_length(packet)
        if len(packet) < length + AEAD_AES_128_GCM.tag_length:
            raise RtpError(f"SRTP packet of {len(packet)} bytes")
        _, _, sequence_number, _, ssrc = HEADER.unpack_from(packet)
        window = self._sources.get(ssrc)
        if window is None:
            return self._first(packet, length, ssrc, sequence_number)
        index = extend(sequence_number, window.highest)
        window.check(index)
        clear = self._decrypt(packet, length, ssrc << 48 | index)
        window.accept(index)
        return clear

    def _first(self, packet: bytes, length: int, ssrc: int, sequence_number: int) -> bytes:
        """The first packet of a source. Its rollover counter is 0, unless it wrapped around in packets
        that were lost; then a number of the lower half is tried with 1 as well."""
        wrapped = () if sequence_number & 0x8000 else (1 << 16 | sequence_number,)
        for index in (sequence_number, *wrapped):
            try:
                clear = self._decrypt(packet, length, ssrc << 48 | index)
            except RtpError:
                continue
            _admit(self._sources, ssrc).accept(index)
            return clear
        raise RtpError("SRTP packet does not authenticate")

    def _decrypt(self, packet: bytes, length: int, position: int) -> bytes:
        header = packet[:length]
        vector = (self._keys.rtp_salt ^ position).to_bytes(12, "big")
        try:
            return header + self._keys.rtp.decrypt(vector, packet[length:], header)
        except InvalidTag:
            raise RtpError("SRTP packet does not authenticate") from None

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        if len(packet) < _RTCP_HEADER + AEAD_AES_128_GCM.tag_length + _RTCP_INDEX:
            raise RtpError(f"SRTCP packet of {len(packet)} bytes")
        word = packet[-_RTCP_INDEX:]
        index, ssrc = int.from_bytes(word, "big"), int.from_bytes(packet[4:8], "big")
        if not index & _ENCRYPTED:
            raise RtpError("SRTCP packet is not encrypted")
        index &= _MAX_RTCP_INDEX
        window = self._rtcp_sources.get(ssrc)
        if window is not None:
            window.check(index)
        header, sealed = packet[:_RTCP_HEADER], packet[_RTCP_HEADER:-_RTCP_INDEX]
        try:
            vector = _rtcp_vector(self._keys.rtcp_salt, packet[4:8], index)
            clear = header + self._keys.rtcp.decrypt(vector, sealed, header + word)
        except InvalidTag:
            raise RtpError("SRTCP packet does not authenticate") from None
        (window or _admit(self._rtcp_sources, ssrc)).accept(index)
        return clear


class ReplayWindow:
    """The indices accepted from one source: the highest, and which of those just below it."""

    __slots__ = ("_seen", "highest")

    def __init__(self) -> None:
        self.highest = -1
        self._seen = 0

    def check(self, index: int) -> None:
        """Raises RtpError for an index that was accepted before or is too old to tell."""
        age = self.highest - index
        if age >= REPLAY_WINDOW or index < 0:
            raise RtpError("SRTP packet is older than the replay window")
        if age >= 0 and self._seen >> age & 1:
            raise RtpError("SRTP packet is a replay")

    def accept(self, index: int) -> None:
        """Only after the packet has authenticated."""
        ahead = index - self.highest
        if ahead > 0:
            self._seen = (self._seen << min(ahead, REPLAY_WINDOW) | 1) & _WINDOW_MASK
            self.highest = index
        else:
            self._seen |= 1 << -ahead


def _admit(sources: dict[int, ReplayWindow], ssrc: int) -> ReplayWindow:
    if len(sources) >= MAX_SOURCES:
        raise RtpError("too many SSRCs under one key")
    return sources.setdefault(ssrc, ReplayWindow())


def _rtcp_vector(salt: int, ssrc: bytes, index: int) -> bytes:
    return (salt ^ (int.from_bytes(ssrc, "big") << 48 | index)).to_bytes(12, "big")
