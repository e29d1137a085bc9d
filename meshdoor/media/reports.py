"""What a media engine says to its node: answers to commands, events, and the figures in them."""

from __future__ import annotations

from dataclasses import dataclass

from meshdoor.media.plans import IceDescription

OK, IDLE, STAND_IN, FAILED = "ok", "idle", "stand-in", "failed"  # states of a device


@dataclass(frozen=True, slots=True)
class Done:
    """It was done."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It was not done, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine knows its devices and takes commands."""

    pid: int


@dataclass(frozen=True, slots=True)
class Seen:
    """The address and the ports of one medium beyond a NAT."""

    host: str
    port: int
    rtcp_port: int


@dataclass(frozen=True, slots=True)
class LegOpened:
    """Ports for the SDP. RTCP without rtcp-mux is received one port higher. `ice` is that of a WebRTC leg, whose
    media share one port; `fingerprint` (as behind `a=fingerprint:`) that of a leg that makes its keys by DTLS. `seen`
    is how audio and video look from outside, if that was asked and answered."""

    audio_port: int
    video_port: int
    audio_ssrc: int
    video_ssrc: int
    ice: IceDescription | None = None
    fingerprint: str = ""
    seen: tuple[Seen, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """Counters of one medium of a leg, in packets, octets (of payload), pictures; times in s.

    `remote_*` and `round_trip` are what the peer reports of us, `round_trip` is None until it has. `level` is how much
    smaller than the house's the picture is that its link can carry: 0 not at all.
    """

    packets_sent: int = 0
    octets_sent: int = 0
    packets_dropped: int = 0
    packets_resent: int = 0
    send_errors: int = 0
    key_frames_requested: int = 0
    packets_received: int = 0
    packets_lost: int = 0
    packets_refused: int = 0
    jitter: float = 0.0
    pictures_shown: int = 0
    pictures_lost: int = 0
    remote_lost: int = 0
    remote_fraction_lost: float = 0.0
    remote_jitter: float = 0.0
    round_trip: float | None = None
    level: int = 0


@dataclass(frozen=True, slots=True)
class LegStatistics:
    """An answer, and an event every few seconds."""

    leg: str
    audio: StreamStatistics = StreamStatistics()
    video: StreamStatistics = StreamStatistics()


@dataclass(frozen=True, slots=True)
class EngineStatistics:
    """`frames` and `key_frames` were encoded (or passed through) since the start; `encode_time` is the mean in s."""

    legs: tuple[LegStatistics, ...] = ()
    frames: int = 0
    key_frames: int = 0
    encode_time: float = 0.0


@dataclass(frozen=True, slots=True)
class FirstPacketSent:
    """The first packet of this medium left for the peer."""

    leg: str
    media: str
    at: float


@dataclass(frozen=True, slots=True)
class FirstPicture:
    """The first picture of the peer was decoded and shown. `frame_number` is that of a test card."""

    leg: str
    at: float
    width: int
    height: int
    frame_number: int | None = None


@dataclass(frozen=True, slots=True)
class FirstSound:
    """The first sound of the peer was played."""

    leg: str
    at: float


@dataclass(frozen=True, slots=True)
class PictureLost:
    """Pictures of the peer stopped coming; `FirstPicture` tells when they are back."""

    leg: str
    at: float


@dataclass(frozen=True, slots=True)
class RtpSilence:
    """Nothing has come from the peer for this long; said once each time."""

    leg: str
    media: str
    seconds: float


@dataclass(frozen=True, slots=True)
class DtmfReceived:
    leg: str
    digit: str


@dataclass(frozen=True, slots=True)
class Touched:
    """A person wants this of the node, at the screen on the wall: the actions of `meshdoor.wall`."""

    verb: str
    args: tuple[str, ...]
    at: float


@dataclass(frozen=True, slots=True)
class Device:
    """kind: camera, microphone, speaker, display. state: `ok`, `idle`, `stand-in` (there is no such device, and the
    text says what stands in for it), or `failed` with a text for a person. Of kind `scene`, `dark` or `ok`: whether
    the camera sees enough."""

    kind: str
    state: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class LegFailed:
    """Something of this leg broke; the others go on."""

    leg: str
    reason: str


@dataclass(frozen=True, slots=True)
class EngineLost:
    """The client's own: the process died, and these legs with it. It is being started again."""

    legs: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class EngineReady:
    """The client's own: the process takes commands."""

    pid: int


Answer = Done | Failed | Ready | LegOpened | LegStatistics | EngineStatistics
Event = (
    FirstPacketSent
    | FirstPicture
    | FirstSound
    | PictureLost
    | RtpSilence
    | DtmfReceived
    | Touched
    | Device
    | LegFailed
    | LegStatistics
    | EngineLost
    | EngineReady
)
