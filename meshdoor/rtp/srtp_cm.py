"""SRTP with AES_CM_128_HMAC_SHA1_80 (RFC 3711), by libsrtp through the cffi binding of pylibsrtp.

The binding is used in place of `pylibsrtp.Session`, which copies each packet three times and holds packets
of 1500 bytes at most. libsrtp keeps indices, rollover counters and replay windows itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pylibsrtp._binding import ffi, lib

from meshdoor.errors import LocalProtocolError, RtpError
from meshdoor.rtp.group import MAX_BYTES, MAX_PACKETS, Group
from meshdoor.rtp.srtp_keys import AES_CM_128_HMAC_SHA1_80, MasterKey

REPLAY_WINDOW = 128  # packets; at least 64, RFC 3711 §3.3.2
RESEND_WINDOW = 1024  # packets that a NACK may still ask for; libsrtp refuses what is older. Ours

_TAG = AES_CM_128_HMAC_SHA1_80.tag_length
_RTCP_TRAILER = 4 + _TAG  # index and tag
# What libsrtp 2.x answers (srtp_err_status_t) and is not a matter of course.
_REASONS = {
    7: "does not authenticate",
    9: "is a replay",
    10: "is older than the replay window",
    26: "is older than the replay window",
}

if TYPE_CHECKING:
    from pylibsrtp._binding import CData

    _Function = Callable[[CData, CData, CData], int]


class _Session:
    """A libsrtp session with a buffer in which it works."""

    def __init__(self, master: MasterKey, ssrc_type: int, window: int, room: int) -> None:
        policy = ffi.new("srtp_policy_t *")
        profile = lib.srtp_profile_aes128_cm_sha1_80
        lib.srtp_crypto_policy_set_from_profile_for_rtp(ffi.addressof(policy.rtp), profile)
        lib.srtp_crypto_policy_set_from_profile_for_rtcp(ffi.addressof(policy.rtcp), profile)
        key = ffi.new("unsigned char[]", bytes(master))
        policy.key, policy.ssrc.type = key, ssrc_type
        policy.window_size, policy.allow_repeat_tx = window, 1
        session = ffi.new("srtp_t *")
        _ensure(lib.srtp_create(session, policy))
        self._owner = ffi.gc(session, lambda pointer: lib.srtp_dealloc(pointer[0]))
        self.session = session[0]
        self.room = room
        self.data = ffi.new("char[]", room)
        self.buffer = ffi.buffer(self.data)
        self.length = ffi.new("int *")

    def process(self, function: _Function, packet: bytes) -> tuple[int, bytes]:
        """The status of libsrtp and, when that is 0, what it made of the packet."""
        size = len(packet)
        self.buffer[0:size] = packet
        self.length[0] = size
        status = function(self.session, self.data, self.length)
        return status, self.buffer[0 : self.length[0]] if not status else b""


class CmProtector:
    """See `srtp.Protector`."""

    tag_length = _TAG

    def __init__(self, master: MasterKey) -> None:
        room = MAX_BYTES + MAX_PACKETS * _TAG + 8192
        self._session = _Session(master, lib.ssrc_any_outbound, RESEND_WINDOW, room)

    def protect(self, packet: bytes) -> bytes:
        return self._protect(lib.srtp_protect, packet, _TAG)

    def protect_rtcp(self, packet: bytes) -> bytes:
        return self._protect(lib.srtp_protect_rtcp, packet, _RTCP_TRAILER)

    def protect_group(self, group: Group) -> bytes:
        room = group.spaced(_TAG)
        session = self._session
        if len(room) > session.room:
            raise LocalProtocolError("a packet too long for SRTP")
        ffi.memmove(session.data, room, len(room))
        function, handle, length, at = lib.srtp_protect, session.session, session.length, session.data
        for header, payload in zip(group.headers, group.payloads, strict=True):
            size = len(header) + len(payload)
            length[0] = size
            _ensure(function(handle, at, length))
            at += size + _TAG
        return session.buffer[0 : len(room)]

    def _protect(self, function: _Function, packet: bytes, trailer: int) -> bytes:
        if len(packet) + trailer > self._session.room:
            raise LocalProtocolError("a packet too long for SRTP")
        status, sealed = self._session.process(function, packet)
        _ensure(status)
        return sealed


class CmUnprotector:
    """See `srtp.Unprotector`."""

    def __init__(self, master: MasterKey) -> None:
        self._session = _Session(master, lib.ssrc_any_inbound, REPLAY_WINDOW, 1 << 16)

    def unprotect(self, packet: bytes) -> bytes:
        return self._unprotect(lib.srtp_unprotect, packet)

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        return self._unprotect(lib.srtp_unprotect_rtcp, packet)

    def _unprotect(self, function: _Function, packet: bytes) -> bytes:
        if len(packet) > self._session.room:
            raise RtpError("SRTP packet is too long")
        status, clear = self._session.process(function, packet)
        if status:
            raise RtpError(f"SRTP packet {_REASONS.get(status, f'is refused ({status})')}")
        return clear


def _ensure(status: int) -> None:
    if status:
        raise LocalProtocolError(f"libsrtp refuses: status {status}")
