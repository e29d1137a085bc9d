"""Making an offer, and what its answer means (RFC 3264 §5 and §7)."""

from __future__ import annotations

from meshdoor.errors import SdpError
from meshdoor.sdp.bundle import Bundle
from meshdoor.sdp.codec import Codec, codecs_of
from meshdoor.sdp.crypto import Crypto
from meshdoor.sdp.description import Media, SessionDescription
from meshdoor.sdp.dtls import Dtls
from meshdoor.sdp.negotiation import (
    SECURE_PROFILES,
    Agreement,
    MediaPlan,
    Track,
    TrackPlan,
    cryptos_of,
    describe,
    medium,
    remote_direction,
    track,
)


def make_offer(plan: MediaPlan) -> SessionDescription:
    media = [medium(each, first=not at) for at, each in enumerate(plan.tracks)]
    return describe(plan.address, plan.session_id, plan.version, media)


def apply_answer(plan: MediaPlan, answer: SessionDescription) -> tuple[Track | None, ...]:
    """One track for each of the plan; None where the answer rejects it.
    Raises SdpError for an answer that does not answer this offer."""
    if len(answer.media) != len(plan.tracks):
        raise SdpError("the answer has other media than the offer")
    return tuple(_apply(*pair, answer) for pair in zip(plan.tracks, answer.media, strict=True))


def _apply(planned: TrackPlan, media: Media, answer: SessionDescription) -> Track | None:
    if media.kind != planned.kind:
        raise SdpError("the answer has other media than the offer")
    if media.port == 0 or planned.port == 0:
        return None
    if media.profile != planned.profile:
        raise SdpError(f"the answer is {media.profile[:40]} to an offer of {planned.profile}")
    theirs = codecs_of(media)
    send = _codec_to_send(planned, theirs)
    local, remote = _keys(planned, media)
    agreed = Agreement(
        direction=remote_direction(answer, media).answer(planned.direction),
        send=send,
        receive=planned.codecs,
        rtcp_mux=planned.rtcp_mux and media.attribute("rtcp-mux") is not None,
        local_crypto=local,
        remote_crypto=remote,
        local_bundle=planned.bundle,
        remote_bundle=Bundle.of(answer, media) if planned.bundle is not None else None,
        local_dtls=planned.dtls,
        remote_dtls=Dtls.of(answer, media) if planned.dtls is not None else None,
    )
    return track(answer, media, theirs, agreed)


def _codec_to_send(planned: TrackPlan, theirs: tuple[Codec, ...]) -> Codec:
    """The first that both know, under the number and parameters of the answer, with the feedback of both.
    An answer that changes profile_idc or mode of H.264 is taken by its name where nothing fits better."""
    for fits in (Codec.means, _same_name):
        for codec in theirs:
            ours = next((each for each in planned.codecs if fits(each, codec)), None)
            if ours is not None and not codec.is_telephone_event:
                common = tuple(each for each in ours.feedback if each in codec.feedback)
                return Codec(
                    codec.payload_type, ours.name, ours.clock_rate, ours.channels, codec.parameters, common
                )
    raise SdpError(f"the answer has no codec of the offer for {planned.kind}")


def _same_name(one: Codec, other: Codec) -> bool:
    return (one.name.lower(), one.clock_rate) == (other.name.lower(), other.clock_rate)


def _keys(planned: TrackPlan, media: Media) -> tuple[Crypto | None, Crypto | None]:
    """Our key and theirs: the answer picks one line by tag and suite (RFC 4568 §7.1.3)."""
    if planned.profile not in SECURE_PROFILES:
        return None, None
    for theirs in cryptos_of(media):
        for ours in planned.cryptos:
            if (ours.tag, ours.suite) == (theirs.tag, theirs.suite):
                return ours, theirs
    raise SdpError("the answer picks no key of the offer")
