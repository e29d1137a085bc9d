"""SRTP (RFC 3711): suites, master keys, and the two objects that use them.

    protector(master_key).protect_group(group)     one sink's bytes for one UDP_SEGMENT send
    unprotector(master_key).unprotect(datagram)    the RTP packet in the clear, or RtpError

A sender's headers are the same for all its sinks (same SSRC, same sequence numbers); each sink has its own
key, and with it its own rollover counter, which starts at 0 with the first packet that it is sent.
A key protects one run of the sending process: the same SSRC and sequence number never carry two payloads.
"""

from __future__ import annotations

from typing import Protocol

from meshdoor.rtp.group import Group
from meshdoor.rtp.srtp_cm import CmProtector, CmUnprotector
from meshdoor.rtp.srtp_gcm import GcmProtector, GcmUnprotector
from meshdoor.rtp.srtp_keys import AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80, SUITES, MasterKey, Suite

__all__ = [
    "AEAD_AES_128_GCM",
    "AES_CM_128_HMAC_SHA1_80",
    "SUITES",
    "MasterKey",
    "Plain",
    "Protector",
    "Suite",
    "Unprotector",
    "protector",
    "unprotector",
]


class Protector(Protocol):
    """Encrypts what one sink is sent under one key."""

    tag_length: int

    def protect(self, packet: bytes) -> bytes:
        """One RTP packet. An older one may be sent again, as it was."""
        ...

    def protect_group(self, group: Group) -> bytes | memoryview:
        """All packets of the group, joined: segments of `group.packet_size + tag_length` bytes. They stand there until
        the next group is protected, under whatever key."""
        ...

    def protect_rtcp(self, packet: bytes) -> bytes:
        """One compound RTCP packet."""
        ...


class Unprotector(Protocol):
    """Decrypts what one peer sends under one key. Raises RtpError for what is forged, replayed or cut."""

    def unprotect(self, packet: bytes) -> bytes: ...

    def unprotect_rtcp(self, packet: bytes) -> bytes: ...


class Plain:
    """Both ways of a peer that speaks RTP in the clear (profile AVP or AVPF)."""

    tag_length = 0

    def protect(self, packet: bytes) -> bytes:
        return packet

    def protect_group(self, group: Group) -> bytes:
        return group.spaced(0)

    protect_rtcp = unprotect = unprotect_rtcp = protect


def protector(key: MasterKey | None) -> Protector:
    """The sending half of a key; None sends in the clear."""
    if key is None:
        return Plain()
    return GcmProtector(key) if key.suite is AEAD_AES_128_GCM else CmProtector(key)


def unprotector(key: MasterKey | None) -> Unprotector:
    """The receiving half of a key; None takes what comes in the clear."""
    if key is None:
        return Plain()
    return GcmUnprotector(key) if key.suite is AEAD_AES_128_GCM else CmUnprotector(key)
