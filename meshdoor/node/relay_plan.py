"""What is said in SDP where media are sent on from one call to others, as they are.

The one whose media they are chooses the codecs among those that everybody in the house has: nothing but these is then
offered to the others, so nothing need be coded anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from meshdoor.calls.clients import Client
from meshdoor.media.plans import StreamPlan
from meshdoor.node.media_plan import AUDIO, FEEDBACK, RUNG, VIDEO, Able, Place, Streams, answer, offer
from meshdoor.sdp.attributes import Direction
from meshdoor.sdp.codec import Codec, codecs_of
from meshdoor.sdp.description import SessionDescription
from meshdoor.sdp.negotiation import MediaPlan, TrackPlan

# H.264 as door stations have it: with fragments or without, baseline, main, high; up to level 4.0 (1080p).
STATION_VIDEO: Final = tuple(
    Codec(96, "H264", 90000, 1, f"profile-level-id={profile}28;packetization-mode={mode}", FEEDBACK)
    for mode in (1, 0)
    for profile in ("42e0", "4d00", "6400")
)


def answer_station(body: bytes, place: Place, plain: bool, before: bytes = b"") -> tuple[bytes, Streams]:
    """The answer to the offer of a door station, and what was agreed on. Raises SdpError where nothing fits."""
    made, streams = answer(body, place, RUNG, before, Able(AUDIO, STATION_VIDEO, plain))
    return made, streams if streams.video is None else streams._replace(video=_described(streams.video, body))


def offer_station(place: Place, client: Client) -> MediaPlan:
    """What a door station is offered: some know H.264 without fragments only."""
    plan = offer(place.local, place.opened, RUNG, client)
    tracks = (track if track.kind == "audio" else _for_station(track) for track in plan.tracks)
    return replace(plan, tracks=tuple(tracks))


def _for_station(track: TrackPlan) -> TrackPlan:
    h264 = next(codec for codec in track.codecs if codec.packetization_mode == 1)
    plain = replace(h264, payload_type=97, parameters=h264.parameters.replace("mode=1", "mode=0"))
    return replace(track, codecs=(h264, plain))


def _described(video: StreamPlan, body: bytes) -> StreamPlan:
    """With what the other side says of its pictures: its parameter sets may be nowhere else."""
    media = SessionDescription.parse(body).media
    codecs = (codec for each in media if each.kind == "video" for codec in codecs_of(each))
    said = next((each for each in codecs if each.payload_type == video.payload_type), None)
    return video if said is None else replace(video, fmtp=said.parameters)


def able_of(streams: Streams) -> Able:
    """What others may be answered."""
    return Able(_agreeing(AUDIO, streams.audio), _agreeing(VIDEO, streams.video))


def narrowed(plan: MediaPlan, streams: Streams) -> MediaPlan:
    """An offer of nothing but what comes."""
    tracks = tuple(_narrowed(track, streams.audio if track.kind == "audio" else streams.video) for track in plan.tracks)
    return replace(plan, tracks=tracks)


def _narrowed(track: TrackPlan, stream: StreamPlan | None) -> TrackPlan:
    """A medium that does not come stays where it is, since nobody takes an offer of pictures alone."""
    codecs = _agreeing(track.codecs, stream)
    return replace(track, codecs=codecs) if codecs else replace(track, direction=Direction.INACTIVE)


def _agreeing(codecs: tuple[Codec, ...], stream: StreamPlan | None) -> tuple[Codec, ...]:
    """The codec of the stream, and digits of the same clock."""
    if stream is None:
        return ()
    return tuple(
        codec
        for codec in codecs
        if codec.name.upper() == stream.codec or (codec.is_telephone_event and codec.clock_rate == stream.clock_rate)
    )
