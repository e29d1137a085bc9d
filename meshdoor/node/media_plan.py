"""From codecs to SDP to what the media engine is told: the one place where these three meet.

A door offers video that it sends and audio both ways, with a key of this branch alone (design: a loser cannot
decrypt the winner's call). A screen answers. What both agreed on becomes the plan of a leg.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from meshdoor.errors import SdpError
from meshdoor.media.messages import Address, LegOpened, StreamPlan
from meshdoor.rtp.srtp_keys import MasterKey
from meshdoor.sdp.answer import Answer, Capabilities, TrackCapability, answer_offer
from meshdoor.sdp.attributes import Direction
from meshdoor.sdp.codec import TELEPHONE_EVENT, Codec
from meshdoor.sdp.crypto import Crypto
from meshdoor.sdp.description import SessionDescription
from meshdoor.sdp.negotiation import SAVPF, MediaPlan, Track, TrackPlan
from meshdoor.sdp.offer import apply_answer, make_offer

GCM, CM = "AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80"
FEEDBACK = ("nack", "nack pli", "ccm fir")
NO_PORT = 9  # the discard port: a medium that cannot flow now (RFC 8866 §5.14)

AUDIO = (
    Codec(111, "opus", 48000, 2, "minptime=20;useinbandfec=1"),
    Codec(0, "PCMU", 8000),
    Codec(8, "PCMA", 8000),
    Codec(101, TELEPHONE_EVENT, 48000, 1, "0-15"),
    Codec(102, TELEPHONE_EVENT, 8000, 1, "0-15"),
)
VIDEO = (Codec(96, "H264", 90000, 1, "profile-level-id=42e01f;packetization-mode=1", FEEDBACK),)


@cache
def suites() -> tuple[str, str]:
    """The SRTP suites, the cheaper on this CPU first: GCM where it has AES instructions."""
    try:
        words = set(Path("/proc/cpuinfo").read_text(errors="replace").split())
    except OSError:
        words = set()
    return (GCM, CM) if "aes" in words else (CM, GCM)


def local_address(peer: str) -> str:
    """The address of this host that packets to `peer` leave from; a link-local one with its scope."""
    if not peer:
        return "127.0.0.1"  # its link went down meanwhile
    numeric = socket.AI_NUMERICHOST
    family, _, _, _, where = socket.getaddrinfo(peer, NO_PORT, type=socket.SOCK_DGRAM, flags=numeric)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(where)  # sends nothing
        host: str = probe.getsockname()[0]
    scope = peer.partition("%")[2]
    return f"{host}%{scope}" if scope and "%" not in host else host


def offer(local: str, opened: LegOpened | None, video: Direction) -> MediaPlan:
    """What we offer on one leg, under fresh keys. Without a leg (no media engine) it rings with nothing to see."""
    audio_port, video_port = (opened.audio_port, opened.video_port) if opened else (NO_PORT, NO_PORT)
    tracks = (
        _track("audio", audio_port, AUDIO, Direction.SENDRECV if opened else Direction.INACTIVE),
        _track("video", video_port, VIDEO, video if opened else Direction.INACTIVE),
    )
    return MediaPlan(_bare(local), tracks, secrets.randbits(62))


def _track(kind: str, port: int, codecs: tuple[Codec, ...], direction: Direction) -> TrackPlan:
    keys = tuple(Crypto.generate(tag, suite) for tag, suite in enumerate(suites(), 1))
    return TrackPlan(kind, port, codecs, SAVPF, keys, direction, rtcp_mux=True)


def offer_body(plan: MediaPlan) -> bytes:
    """As an INVITE carries it."""
    return bytes(make_offer(plan))


def agreed(plan: MediaPlan, body: bytes, peer: str) -> tuple[StreamPlan | None, StreamPlan | None]:
    """Audio and video as the answer in `body` wants them. Raises SdpError."""
    tracks = apply_answer(plan, SessionDescription.parse(body))
    return _streams(tracks, peer)


def answer(
    body: bytes, local: str, opened: LegOpened, peer: str, video: Direction
) -> tuple[bytes, tuple[StreamPlan | None, StreamPlan | None]]:
    """The answer to the offer in `body`, and audio and video as agreed. Raises SdpError where nothing fits."""
    able = Capabilities(
        _bare(local),
        (
            TrackCapability("audio", opened.audio_port, AUDIO, suites(), plain=False),
            TrackCapability("video", opened.video_port, VIDEO, suites(), plain=False, direction=video),
        ),
        secrets.randbits(62),
    )
    made: Answer = answer_offer(SessionDescription.parse(body), able)
    if made.is_empty:
        raise SdpError("nothing in the offer can be used here")
    return bytes(made.description), _streams(made.tracks, peer)


def _streams(tracks: Sequence[Track | None], peer: str) -> tuple[StreamPlan | None, StreamPlan | None]:
    found = {track.kind: _stream(track, peer) for track in tracks if track is not None and track.port != NO_PORT}
    return found.get("audio"), found.get("video")


def _stream(track: Track, peer: str) -> StreamPlan:
    dtmf = track.send_dtmf
    return StreamPlan(
        direction=str(track.direction),
        remote=Address(_scoped(track.address, peer), track.port),
        codec=track.send.name.upper(),
        payload_type=track.send.payload_type,
        clock_rate=track.send.clock_rate,
        fmtp=track.send.parameters,
        dtmf_payload_type=dtmf.payload_type if dtmf else None,
        dtmf_clock_rate=dtmf.clock_rate if dtmf else 8000,
        tx_key=_key(track.local_crypto),
        rx_key=_key(track.remote_crypto),
        rtcp=None if track.rtcp_mux else Address(_scoped(track.rtcp_address, peer), track.rtcp_port),
        feedback=track.send.feedback,
    )


def _key(crypto: Crypto | None) -> MasterKey | None:
    return None if crypto is None else MasterKey.from_bytes(crypto.suite, crypto.key)


def _scoped(host: str, peer: str) -> str:
    """An IPv6 link-local address means something only with the interface over which its owner is reached."""
    scope = peer.partition("%")[2]
    return f"{host}%{scope}" if scope and host.lower().startswith("fe80") else host


def _bare(host: str) -> str:
    return host.partition("%")[0]
