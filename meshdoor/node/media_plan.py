"""From codecs to SDP to what the media engine is told: the one place where these three meet.

A door offers video that it sends and audio both ways, with a key of this branch alone (design: a loser cannot
decrypt the winner's call). A screen answers. What both agreed on becomes the plan of a leg. Later offers and answers
of a session go on with its keys, so that what flows is not disturbed.

A leg to a browser is opened as such, and then all this is WebRTC: one transport for both media, keys by DTLS.
What a SIP client takes is a matter of its own (`calls.clients`).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from meshdoor.calls.clients import Client, Keying
from meshdoor.errors import SdpError
from meshdoor.media.messages import StartLeg
from meshdoor.media.plans import Address, DtlsRemote, Gates, IceDescription, IceRemote, StreamPlan
from meshdoor.media.reports import LegOpened, Seen
from meshdoor.media.suites import CM, suites
from meshdoor.rtp.srtp_keys import MasterKey
from meshdoor.sdp.answer import Answer, Capabilities, TrackCapability, answer_offer
from meshdoor.sdp.attributes import Direction, Fingerprint, Rtcp
from meshdoor.sdp.bundle import DTLS, DTLS_PROFILES, Bundle, Setup
from meshdoor.sdp.codec import TELEPHONE_EVENT, Codec, codecs_of
from meshdoor.sdp.crypto import Crypto
from meshdoor.sdp.description import Media, SessionDescription
from meshdoor.sdp.dtls import Dtls
from meshdoor.sdp.negotiation import AVP, AVPF, SAVP, SAVPF, MediaPlan, Track, TrackPlan, cryptos_of, remote_direction
from meshdoor.sdp.offer import apply_answer, make_offer
from meshdoor.transport.addresses import towards

FEEDBACK = ("nack", "nack pli", "ccm fir")
NOWHERE = "127.0.0.1"
NO_PORT = 9  # the discard port: a medium that cannot flow now (RFC 8866 §5.14)

AUDIO = (
    Codec(111, "opus", 48000, 2, "minptime=20;useinbandfec=1"),
    Codec(0, "PCMU", 8000),
    Codec(8, "PCMA", 8000),
    Codec(101, TELEPHONE_EVENT, 48000, 1, "0-15"),
    Codec(102, TELEPHONE_EVENT, 8000, 1, "0-15"),
)
VIDEO = (Codec(96, "H264", 90000, 1, "profile-level-id=42e01f;packetization-mode=1", FEEDBACK),)
# A browser without H.264 (some builds of Firefox and Chromium) has VP8.
BROWSER_VIDEO = (*VIDEO, Codec(97, "VP8", 90000, 1, "", FEEDBACK))


class Streams(NamedTuple):
    """What both sides agreed on. `ice` is for a browser."""

    audio: StreamPlan | None = None
    video: StreamPlan | None = None
    ice: IceRemote | None = None

    def start(self, leg: str, gates: Gates, source: str = "") -> StartLeg:
        """`source`: the leg whose media are sent on."""
        return StartLeg(leg, self.audio, self.video, gates, self.ice, source)


NOTHING = Streams()


@dataclass(frozen=True, slots=True)
class Wish:
    """What this end wants of each medium, from its own view."""

    audio: Direction
    video: Direction


class Able(NamedTuple):
    """What this end can do of each medium. `plain`: in the clear, too."""

    audio: tuple[Codec, ...] = AUDIO
    video: tuple[Codec, ...] = VIDEO
    plain: bool = False


ABLE = Able()
TO_CLIENT = Able(video=BROWSER_VIDEO)  # Linphone offers H.264 without fragments, and VP8


def able_for(client: Client | None) -> Able:
    """What may be agreed on with this client; with a member that is none, what members do."""
    return ABLE if client is None else TO_CLIENT._replace(plain=client.keying is Keying.PLAIN)


PRESSED = Wish(Direction.SENDRECV, Direction.SENDONLY)  # a door that rings
PREVIEW = Wish(Direction.SENDONLY, Direction.SENDONLY)  # the same, to who answers before a person has
RUNG = Wish(Direction.SENDRECV, Direction.RECVONLY)


def local_address(peer: str) -> str:
    """The address of this host that packets to `peer` leave from; a link-local one with its scope. That of the
    loopback if the link went down meanwhile, or the network with it."""
    try:
        return towards((peer, NO_PORT)) if peer else NOWHERE
    except OSError:
        return NOWHERE


def offer(
    local: str, opened: LegOpened | None, wish: Wish = PRESSED, client: Client | None = None
) -> MediaPlan:
    """What we offer on one leg, under fresh keys. Without a leg (no media engine) it rings with nothing to see."""
    if opened is not None and opened.ice is not None:
        return MediaPlan(_bare(local), _browser_tracks(opened, opened.ice, wish), secrets.randbits(62))
    if opened is None:
        wish = Wish(Direction.INACTIVE, Direction.INACTIVE)
    sound, pictures = _seen(local, opened)
    tracks = (_track("audio", sound, AUDIO, wish.audio), _track("video", pictures, VIDEO, wish.video))
    if client is not None:
        dtls = opened.fingerprint if opened is not None else ""
        tracks = (
            _for_client(tracks[0], client, dtls),
            _for_client(replace(tracks[1], codecs=BROWSER_VIDEO), client, dtls),
        )
    return MediaPlan(_bare(sound.host), tracks, secrets.randbits(62))


def _seen(local: str, opened: LegOpened | None) -> tuple[Seen, ...]:
    """How audio and video look to the peer."""
    if opened is not None and opened.seen:
        return opened.seen
    ports = (opened.audio_port, opened.video_port) if opened is not None else (NO_PORT, NO_PORT)
    return tuple(Seen(local, port, port + 1) for port in ports)


def _apart(seen: Seen) -> int | None:
    """The port of RTCP, where it has to be told."""
    return None if seen.rtcp_port == seen.port + 1 else seen.rtcp_port


def _for_client(track: TrackPlan, client: Client, fingerprint: str) -> TrackPlan:
    """Of the suites only the one that all clients have: an INVITE over UDP shall fit into a datagram."""
    feedback = client.quirk.feedback
    if client.keying is Keying.PLAIN:
        return replace(track, profile=AVPF if feedback else AVP, cryptos=())
    if fingerprint:
        dtls = Dtls(Fingerprint.parse(fingerprint))
        return replace(track, profile=DTLS, cryptos=(), dtls=dtls)
    keys = (Crypto.generate(1, CM),)
    return replace(track, profile=SAVPF if feedback else SAVP, cryptos=keys)


def _browser_tracks(opened: LegOpened, ice: IceDescription, wish: Wish) -> tuple[TrackPlan, TrackPlan]:
    plan = TrackPlan("audio", opened.audio_port, AUDIO, DTLS, direction=wish.audio, rtcp_mux=True, bundle=_bundle(ice))
    sound = replace(plan, mid="0", ssrc=opened.audio_ssrc)
    return sound, replace(
        plan, kind="video", codecs=BROWSER_VIDEO, direction=wish.video, mid="1", ssrc=opened.video_ssrc
    )


def _bundle(ice: IceDescription) -> Bundle:
    return Bundle(ice.ufrag, ice.password, Fingerprint.parse(ice.fingerprint), candidates=ice.candidates)


def offer_again(before: bytes, wish: Wish) -> MediaPlan:
    """The next offer of a session whose last description of ours was `before`: other directions, the same keys."""
    said = SessionDescription.parse(before)
    session_id, version = _origin(said)
    tracks = tuple(_track_again(said, media, wish) for media in said.media)
    return MediaPlan(said.address(said.media[0]), tracks, session_id, version + 1)


def _track_again(said: SessionDescription, media: Media, wish: Wish) -> TrackPlan:
    direction = wish.audio if media.kind == "audio" else wish.video
    codecs, keys = codecs_of(media), cryptos_of(media)
    mux = media.attribute("rtcp-mux") is not None
    plan = TrackPlan(media.kind, media.port, codecs, media.profile, keys, direction, rtcp_mux=mux)
    if (rtcp := media.attribute("rtcp")) is not None:
        plan = replace(plan, rtcp_port=Rtcp.parse(rtcp).port)
    if media.profile not in DTLS_PROFILES or not media.port:
        return plan
    if media.attribute("ice-ufrag") is None:
        return replace(plan, dtls=Dtls.of(said, media).with_setup(Setup.ACTPASS))
    bundle = Bundle.of(said, media).with_setup(Setup.ACTPASS)
    return replace(plan, bundle=bundle, mid=media.attribute("mid"), ssrc=_ssrc(media))


def _ssrc(media: Media) -> int | None:
    """As we told it."""
    said = media.attribute("ssrc")
    return int(said.partition(" ")[0]) if said else None


def makes_keys_by_dtls(body: bytes) -> bool:
    """Does this offer ask for DTLS-SRTP, as WebRTC does? One that cannot be read asks for nothing."""
    try:
        return any(media.profile in DTLS_PROFILES for media in SessionDescription.parse(body).media)
    except SdpError:
        return False


def wants_sound_both_ways(body: bytes) -> bool:
    """Does the other side want to hear and be heard, by this description of it? Raises SdpError."""
    said = SessionDescription.parse(body)
    directions = [remote_direction(said, media) for media in said.media if media.kind == "audio" and media.port]
    return Direction.SENDRECV in directions


def _track(kind: str, seen: Seen, codecs: tuple[Codec, ...], direction: Direction) -> TrackPlan:
    keys = tuple(Crypto.generate(tag, suite) for tag, suite in enumerate(suites(), 1))
    return TrackPlan(kind, seen.port, codecs, SAVPF, keys, direction, rtcp_mux=True, rtcp_port=_apart(seen))


def offer_body(plan: MediaPlan) -> bytes:
    """As an INVITE carries it."""
    return bytes(make_offer(plan))


def agreed(plan: MediaPlan, body: bytes, peer: str) -> Streams:
    """Audio and video as the answer in `body` wants them. Raises SdpError."""
    tracks = apply_answer(plan, SessionDescription.parse(body))
    return _streams(tracks, peer, offered=True)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one leg is: our address and ports, and the host of the peer."""

    local: str
    opened: LegOpened
    peer: str


def answer(
    body: bytes, place: Place, wish: Wish = RUNG, before: bytes = b"", able: Able = ABLE
) -> tuple[bytes, Streams]:
    """The answer to the offer in `body`, and audio and video as agreed. Raises SdpError where nothing fits.

    `before` is our last description of this session, if there was one.
    """
    said = SessionDescription.parse(before) if before else None
    session_id, version = _origin(said) if said else (secrets.randbits(62), 0)
    keys = {media.kind: cryptos_of(media) for media in said.media} if said else {}
    sound, pictures = _seen(place.local, place.opened)
    wishes = {"audio": (sound, able.audio, wish.audio), "video": (pictures, able.video, wish.video)}
    tracks = tuple(
        TrackCapability(
            kind, seen.port, codecs, suites(), able.plain, way, kept=keys.get(kind, ()), rtcp_port=_apart(seen)
        )
        for kind, (seen, codecs, way) in wishes.items()
    )
    if place.opened.ice is not None:
        tracks = _for_browser(tracks, place.opened, _kept(said, _bundle(place.opened.ice)))
    elif place.opened.fingerprint:
        dtls = Dtls(Fingerprint.parse(place.opened.fingerprint))
        tracks = tuple(replace(track, suites=(), dtls=_part(said, track.kind, dtls)) for track in tracks)
    capable = Capabilities(_bare(sound.host), tracks, session_id, version + 1)
    made: Answer = answer_offer(SessionDescription.parse(body), capable)
    if made.is_empty:
        raise SdpError("nothing in the offer can be used here")
    return bytes(made.description), _streams(made.tracks, place.peer, offered=False)


def _for_browser(
    tracks: tuple[TrackCapability, ...], opened: LegOpened, bundle: Bundle
) -> tuple[TrackCapability, ...]:
    audio, video = tracks
    return (
        replace(audio, suites=(), bundle=bundle, ssrc=opened.audio_ssrc),
        replace(video, suites=(), bundle=bundle, ssrc=opened.video_ssrc, codecs=_browser_video(video.codecs)),
    )


def _browser_video(codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """What a camera of ours can give; what is sent on of others is as it is."""
    return BROWSER_VIDEO if codecs is VIDEO else codecs


def _kept(said: SessionDescription | None, bundle: Bundle) -> Bundle:
    """Our transport in the part of DTLS that it has already: who answered our offer took the active one."""
    if said is None:
        return bundle
    setup = Bundle.of(said, next(media for media in said.media if media.port)).setup
    return bundle.with_setup(Setup.PASSIVE if setup is Setup.ACTPASS else setup)


def _part(said: SessionDescription | None, kind: str, dtls: Dtls) -> Dtls:
    """Our part in the association of a medium that there is already, as `_kept` has it."""
    media = next((each for each in said.media if each.kind == kind and each.port), None) if said is not None else None
    if said is None or media is None:
        return dtls
    setup = Dtls.of(said, media).setup
    return dtls.with_setup(Setup.PASSIVE if setup is Setup.ACTPASS else setup)


def _origin(said: SessionDescription) -> tuple[int, int]:
    """Number and version of a session of ours (RFC 8866 §5.2)."""
    words = (said.session.value("o") or "").split()
    return int(words[1]), int(words[2])


def _streams(tracks: Sequence[Track | None], peer: str, offered: bool) -> Streams:
    """`offered`: the offer was ours."""
    usable = [track for track in tracks if track is not None and (track.port != NO_PORT or track.remote_bundle)]
    found = {track.kind: _stream(track, peer) for track in usable}
    ice = next((ice for track in usable if (ice := _ice(track, offered))), None)
    return Streams(found.get("audio"), found.get("video"), ice)


def _ice(track: Track, offered: bool) -> IceRemote | None:
    ours, theirs = track.local_bundle, track.remote_bundle
    if ours is None or theirs is None:
        return None
    return IceRemote(
        theirs.ufrag,
        theirs.password,
        str(theirs.fingerprint),
        theirs.candidates,
        controlling=offered or theirs.lite,
        client=Setup.ACTIVE is ours.setup or Setup.PASSIVE is theirs.setup,
        lite=theirs.lite,
    )


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
        dtmf_incoming=_digits(track),
        tx_key=_key(track.local_crypto),
        rx_key=_key(track.remote_crypto),
        rtcp=None if track.rtcp_mux else Address(_scoped(track.rtcp_address, peer), track.rtcp_port),
        feedback=track.send.feedback,
        dtls=_dtls(track),
    )


def _digits(track: Track) -> tuple[int, ...]:
    """What we have called telephone-events. A browser sends those of 8000 Hz beside Opus, whatever it prefers. Where
    the peer has that number for its sound, it is sound."""
    ours = (codec.payload_type for codec in track.receive if codec.is_telephone_event)
    return tuple(number for number in ours if number != track.send.payload_type)


def _dtls(track: Track) -> DtlsRemote | None:
    ours, theirs = track.local_dtls, track.remote_dtls
    if ours is None or theirs is None:
        return None
    return DtlsRemote(str(theirs.fingerprint), client=Setup.ACTIVE is ours.setup or Setup.PASSIVE is theirs.setup)


def _key(crypto: Crypto | None) -> MasterKey | None:
    return None if crypto is None else MasterKey.from_bytes(crypto.suite, crypto.key)


def _scoped(host: str, peer: str) -> str:
    """An IPv6 link-local address means something only with the interface over which its owner is reached."""
    scope = peer.partition("%")[2]
    return f"{host}%{scope}" if scope and host.lower().startswith("fe80") else host


def _bare(host: str) -> str:
    return host.partition("%")[0]
