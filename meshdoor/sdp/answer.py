"""Answering an offer (RFC 3264 §6, RFC 4568 §7.1.2)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from meshdoor.sdp.attributes import Direction
from meshdoor.sdp.bundle import DTLS, DTLS_PROFILES, Bundle, Setup, bundled
from meshdoor.sdp.codec import Codec, codecs_of
from meshdoor.sdp.crypto import Crypto
from meshdoor.sdp.description import Media, SessionDescription
from meshdoor.sdp.dtls import Dtls
from meshdoor.sdp.negotiation import (
    PROFILES,
    SECURE_PROFILES,
    Agreement,
    Track,
    TrackPlan,
    cryptos_of,
    describe,
    medium,
    rejected,
    remote_direction,
    telephone_event,
    track,
)


@dataclass(frozen=True, slots=True)
class TrackCapability:
    """What we can do of one kind of media. The payload types of `codecs` do not matter; `suites` empty
    refuses SRTP, `plain` False refuses RTP in the clear. `kept` are the keys of our last description of the
    session: one that still fits goes on, and with it what is being sent under it (RFC 4568 §7.1.4).
    With `bundle`, the transport of a leg of ours, it does WebRTC and nothing else; `ssrc` is what it sends there.
    With `dtls` it does DTLS-SRTP without ICE and nothing else. `rtcp_port` where it is not the one after `port`."""

    kind: str
    port: int
    codecs: tuple[Codec, ...]
    suites: tuple[str, ...] = ()
    plain: bool = True
    direction: Direction = Direction.SENDRECV
    ptime: int | None = None
    rtcp_mux: bool = True
    kept: tuple[Crypto, ...] = ()
    bundle: Bundle | None = None
    ssrc: int | None = None
    dtls: Dtls | None = None
    rtcp_port: int | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What we can do: at most one track of a kind."""

    address: str
    tracks: tuple[TrackCapability, ...]
    session_id: int
    version: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """The description to send, and the track for each medium of the offer; None where it was rejected."""

    description: SessionDescription
    tracks: tuple[Track | None, ...]

    @property
    def is_empty(self) -> bool:
        """Nothing was accepted: answer the INVITE with 488 instead."""
        return not any(self.tracks)


def answer_offer(
    offer: SessionDescription,
    capabilities: Capabilities,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> Answer:
    """Takes the first medium of each kind that we can do, and rejects all others.
    Raises SdpError for an offer that breaks the grammar."""
    left = {capability.kind: capability for capability in capabilities.tracks}
    media: list[Media] = []
    tracks: list[Track | None] = []
    for offered in offer.media:
        capability = left.get(offered.kind)
        accepted = _accept(offer, offered, capability, random_bytes) if capability is not None else None
        if accepted is None:
            media.append(rejected(offered))
            tracks.append(None)
        else:
            del left[offered.kind]
            media.append(medium(accepted[0], first=not any(tracks)))
            tracks.append(accepted[1])
    made = describe(capabilities.address, capabilities.session_id, capabilities.version, media)
    return Answer(made, tuple(tracks))


def _accept(
    offer: SessionDescription,
    offered: Media,
    capability: TrackCapability,
    random_bytes: Callable[[int], bytes],
) -> tuple[TrackPlan, Track] | None:
    if offered.profile not in PROFILES or not _is_offered(offer, offered, capability):
        return None
    chosen = _choose(_known(codecs_of(offered), capability))
    keys = _keys(offered, capability, random_bytes)
    bundles = _bundles(offer, offered, capability)
    parts = _dtls(offer, offered, capability)
    if not chosen or keys is None or bundles is None or parts is None:
        return None
    agreed = Agreement(
        direction=remote_direction(offer, offered).answer(capability.direction),
        send=chosen[0],
        receive=chosen,
        rtcp_mux=capability.rtcp_mux and offered.attribute("rtcp-mux") is not None,
        local_crypto=keys[0],
        remote_crypto=keys[1],
        local_bundle=bundles[0],
        remote_bundle=bundles[1],
        local_dtls=parts[0],
        remote_dtls=parts[1],
    )
    return _plan(offered, capability, agreed), track(offer, offered, chosen, agreed)


def _is_offered(offer: SessionDescription, offered: Media, capability: TrackCapability) -> bool:
    """Of WebRTC, what does not share the transport of the first medium is of no use here; port 0 says of one that does
    only that it has no other (RFC 9143 §6)."""
    if offered.profile != DTLS or capability.dtls is not None:
        return offered.port != 0
    if offered is not offer.media[0]:
        return offered.attribute("mid") in bundled(offer)
    return offered.port != 0


def _bundles(
    offer: SessionDescription, offered: Media, capability: TrackCapability
) -> tuple[Bundle | None, Bundle | None] | None:
    """Our transport and theirs, which both are None where there is no WebRTC; None where one side wants it alone."""
    ours = capability.bundle
    if ours is None:
        return None if capability.dtls is None and offered.profile in DTLS_PROFILES else (None, None)
    if offered.profile != DTLS:
        return None
    theirs = Bundle.of(offer, offered)
    setup = theirs.setup.answer(ours.setup)
    return None if setup is Setup.HOLDCONN else (ours.with_setup(setup), theirs)


def _dtls(
    offer: SessionDescription, offered: Media, capability: TrackCapability
) -> tuple[Dtls | None, Dtls | None] | None:
    """Our part and theirs in an association without ICE, as `_bundles` has the transport."""
    ours = capability.dtls
    if ours is None:
        return None, None
    if offered.profile not in DTLS_PROFILES:
        return None
    theirs = Dtls.of(offer, offered)
    setup = theirs.setup.answer(ours.setup)
    return None if setup is Setup.HOLDCONN else (ours.with_setup(setup), theirs)


def _choose(known: list[Codec]) -> tuple[Codec, ...]:
    """The first codec that the offer lists (RFC 3264 §6.1) and its telephone-event, if there is one. Of
    H.264, a format with fragments (packetization-mode 1) goes before one without. Nothing if there is none."""
    media = [codec for codec in known if not codec.is_telephone_event]
    if not media:
        return ()
    alike = (codec for codec in media if codec.name.lower() == media[0].name.lower())
    chosen = max(alike, key=lambda codec: codec.packetization_mode)
    event = telephone_event(known, chosen.clock_rate)
    return (chosen,) if event is None else (chosen, event)


def _known(offered: tuple[Codec, ...], capability: TrackCapability) -> list[Codec]:
    """The offered codecs that we know, as we answer them. Browsers list what they have in an order that means little:
    for them it is ours."""
    ours = capability.codecs
    pairs = [(codec, next((each for each in ours if codec.means(each)), None)) for codec in offered]
    known = [(codec.answer(same), ours.index(same)) for codec, same in pairs if same is not None]
    if capability.bundle is not None:
        known.sort(key=lambda pair: pair[1])
    return [codec for codec, _ in known]


def _keys(
    offered: Media, capability: TrackCapability, random_bytes: Callable[[int], bytes]
) -> tuple[Crypto | None, Crypto | None] | None:
    """Our key and theirs: the first offered that we can do, and a kept or fresh one of the same tag and suite.
    None where policy or the lack of a common suite forbids the profile."""
    if offered.profile not in SECURE_PROFILES:
        return (None, None) if capability.plain or offered.profile in DTLS_PROFILES else None
    for theirs in cryptos_of(offered):
        if theirs.suite in capability.suites:
            kept = (each for each in capability.kept if (each.tag, each.suite) == (theirs.tag, theirs.suite))
            return next(kept, None) or Crypto.generate(theirs.tag, theirs.suite, random_bytes), theirs
    return None


def _plan(offered: Media, capability: TrackCapability, agreed: Agreement) -> TrackPlan:
    return TrackPlan(
        kind=capability.kind,
        port=capability.port,
        codecs=agreed.receive,
        profile=offered.profile,
        cryptos=(agreed.local_crypto,) if agreed.local_crypto is not None else (),
        direction=agreed.direction,
        ptime=capability.ptime,
        rtcp_mux=agreed.rtcp_mux,
        bundle=agreed.local_bundle,
        mid=offered.attribute("mid") if agreed.local_dtls is None else None,  # each medium is by itself
        ssrc=capability.ssrc,
        dtls=agreed.local_dtls,
        rtcp_port=None if agreed.rtcp_mux else capability.rtcp_port,
    )
