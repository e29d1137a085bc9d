"""What offers and answers are made of, and what comes out: the tracks both sides agreed on (RFC 3264)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from meshdoor.errors import SdpError
from meshdoor.sdp.attributes import Direction, Rtcp, address_type, ptime
from meshdoor.sdp.bundle import DTLS, DTLS_PROFILES, Bundle
from meshdoor.sdp.codec import Codec
from meshdoor.sdp.crypto import Crypto
from meshdoor.sdp.description import Line, Media, Section, SessionDescription
from meshdoor.sdp.dtls import Dtls

# Profiles of RTP: RFC 3551, RFC 3711, RFC 4585, RFC 5124; that of WebRTC is `bundle.DTLS`.
AVP, SAVP, AVPF, SAVPF = "RTP/AVP", "RTP/SAVP", "RTP/AVPF", "RTP/SAVPF"
PROFILES = frozenset({AVP, SAVP, AVPF, SAVPF}) | DTLS_PROFILES
SECURE_PROFILES = frozenset({SAVP, SAVPF})
DEFAULT_PTIME = 20  # ms, RFC 3551 §4.2
STREAM = "meshdoor"  # the MediaStream that a browser puts our tracks into (RFC 8830)


@dataclass(frozen=True, slots=True)
class TrackPlan:
    """One medium as we offer it. `port` 0 offers none of it. `rtcp_port` is told only where it is not the
    next one and not multiplexed. `bundle`, `mid` and `ssrc` are for WebRTC, `dtls` for the same profile without ICE."""

    kind: str
    port: int
    codecs: tuple[Codec, ...]
    profile: str = AVP
    cryptos: tuple[Crypto, ...] = ()
    direction: Direction = Direction.SENDRECV
    ptime: int | None = None
    rtcp_mux: bool = False
    rtcp_port: int | None = None
    bundle: Bundle | None = None
    mid: str | None = None
    ssrc: int | None = None
    dtls: Dtls | None = None


@dataclass(frozen=True, slots=True)
class MediaPlan:
    """All that we offer. `version` grows by one with each new offer of a session (RFC 3264 §8)."""

    address: str
    tracks: tuple[TrackPlan, ...]
    session_id: int
    version: int = 1

    def again(self, *tracks: TrackPlan) -> MediaPlan:
        """The next offer of the session."""
        return replace(self, tracks=tracks, version=self.version + 1)


@dataclass(frozen=True, slots=True)
class Track:
    """One medium that both sides agreed on, from our view: what we send carries the payload type and the
    parameters of `send`, whose `feedback` is what both know; what comes is one of `receive`."""

    kind: str
    profile: str
    direction: Direction
    send: Codec
    receive: tuple[Codec, ...]
    send_dtmf: Codec | None
    address: str
    port: int
    rtcp_address: str
    rtcp_port: int
    rtcp_mux: bool
    ptime: int
    local_crypto: Crypto | None
    remote_crypto: Crypto | None
    local_bundle: Bundle | None = None
    remote_bundle: Bundle | None = None
    local_dtls: Dtls | None = None
    remote_dtls: Dtls | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """The fields of a Track that were negotiated, rather than read off the other side."""

    direction: Direction
    send: Codec
    receive: tuple[Codec, ...]
    rtcp_mux: bool
    local_crypto: Crypto | None
    remote_crypto: Crypto | None
    local_bundle: Bundle | None = None
    remote_bundle: Bundle | None = None
    local_dtls: Dtls | None = None
    remote_dtls: Dtls | None = None


def track(remote: SessionDescription, media: Media, codecs: Iterable[Codec], agreed: Agreement) -> Track:
    """The track that `media` of the remote description makes with what was agreed on; `codecs` are the
    remote's, among which its telephone-event is."""
    address = remote.address(media)
    rtcp = _rtcp(media, address, agreed.rtcp_mux)
    return Track(
        kind=media.kind,
        profile=media.profile,
        direction=agreed.direction,
        send=agreed.send,
        receive=agreed.receive,
        send_dtmf=telephone_event(codecs, agreed.send.clock_rate),
        address=address,
        port=media.port,
        rtcp_address=rtcp.address or address,
        rtcp_port=rtcp.port,
        rtcp_mux=agreed.rtcp_mux,
        ptime=ptime(media) or DEFAULT_PTIME,
        local_crypto=agreed.local_crypto,
        remote_crypto=agreed.remote_crypto,
        local_bundle=agreed.local_bundle,
        remote_bundle=agreed.remote_bundle,
        local_dtls=agreed.local_dtls,
        remote_dtls=agreed.remote_dtls,
    )


def telephone_event(codecs: Iterable[Codec], clock_rate: int) -> Codec | None:
    """The telephone-event of the same clock as the codec (RFC 4733 §2.5.1.1), else the first one."""
    events = [codec for codec in codecs if codec.is_telephone_event]
    return next((each for each in events if each.clock_rate == clock_rate), next(iter(events), None))


def remote_direction(remote: SessionDescription, media: Media) -> Direction:
    """What the other side says that it does. Who gives the unspecified address receives nothing: the old
    way to put a call on hold (RFC 3264 §8.4). With ICE that address means nothing (RFC 8840 §4.1)."""
    said = Direction.in_force(media, remote.session)
    if media.profile != DTLS and not remote.address(media).strip("0.:"):
        return Direction.of(said.sends, receives=False)
    return said


def describe(address: str, session_id: int, version: int, media: Iterable[Media]) -> SessionDescription:
    """A description of ours around these media; those of WebRTC share one transport. The scope of a link-local
    address stays at home."""
    bare = address.partition("%")[0]
    kind = address_type(bare)
    made = tuple(media)
    mids = [mid for each in made if each.profile == DTLS and each.port and (mid := each.attribute("mid"))]
    lines = (
        Line("v", "0"),
        Line("o", f"- {session_id} {version} IN {kind} {bare}"),
        Line("s", "-"),
        Line("c", f"IN {kind} {bare}"),
        Line("t", "0 0"),
        *((Line("a", f"group:BUNDLE {' '.join(mids)}"), Line("a", f"msid-semantic:WMS {STREAM}")) if mids else ()),
    )
    return SessionDescription(Section(lines), made)


def medium(plan: TrackPlan, first: bool = True) -> Media:
    """The media description of one track of ours; `first`: no other one has told of the shared transport yet."""
    formats = " ".join(str(codec.payload_type) for codec in plan.codecs)
    lines = [Line("m", f"{plan.kind} {plan.port} {plan.profile} {formats}")]
    lines += [line for codec in plan.codecs for line in codec.lines()]
    lines += [Line("a", f"crypto:{crypto}") for crypto in plan.cryptos]
    lines += [Line("a", f"ptime:{plan.ptime}")] if plan.ptime is not None else []
    lines += [Line("a", "rtcp-mux")] if plan.rtcp_mux else []
    lines += [Line("a", f"rtcp:{Rtcp(plan.rtcp_port)}")] if plan.rtcp_port is not None else []
    lines += [Line("a", f"mid:{plan.mid}")] if plan.mid is not None else []
    lines += plan.bundle.lines(first) if plan.bundle is not None else []
    lines += plan.dtls.lines() if plan.dtls is not None else []
    lines += _names(plan.kind, plan.ssrc) if plan.ssrc is not None else []
    return Media.of((*lines, Line("a", plan.direction)))


def _names(kind: str, ssrc: int) -> list[Line]:
    """Of the stream that we send: for a browser's MediaStream, and so that its first packet is known. Also while we
    send nothing: Chromium never again shows a stream whose source was gone from a description in between."""
    return [Line("a", f"msid:{STREAM} {kind}"), Line("a", f"ssrc:{ssrc} cname:{STREAM}")]


def rejected(offered: Media) -> Media:
    """The answer to a medium that we do not want: port 0 (RFC 3264 §6)."""
    mid = offered.attribute("mid")
    named = () if mid is None else (Line("a", f"mid:{mid}"),)
    return Media.of((Line("m", f"{offered.kind} 0 {offered.profile} {' '.join(offered.formats)}"), *named))


def cryptos_of(media: Media) -> tuple[Crypto, ...]:
    """Those that can be used, in order. One that breaks the grammar is passed over: another may do."""
    found = []
    for value in media.attributes("crypto"):
        try:
            crypto = Crypto.parse(value)
        except SdpError:
            continue
        if crypto.usable:
            found.append(crypto)
    return tuple(found)


def _rtcp(media: Media, address: str, mux: bool) -> Rtcp:
    if mux:
        return Rtcp(media.port, address)
    said = media.attribute("rtcp")
    return Rtcp.parse(said) if said is not None else Rtcp(min(media.port + 1, 0xFFFF), address)
