"""What the node and its media engine say to each other.

They share a SOCK_SEQPACKET socket pair. Each datagram is one JSON object (`wire`): the fields of one of the
dataclasses below, its name as "type", and in commands and answers the "request" number that joins them:

    {"type":"OpenLeg","leg":"b1","local":"192.168.1.20","request":7}
    {"type":"LegOpened","audio_port":41000,"video_port":41002,"audio_ssrc":1,"video_ssrc":2,"request":7}
    {"type":"FirstPacketSent","leg":"b1","media":"video","at":1234.5}

Every command gets exactly one answer: what its docstring says, else `Done`; `Failed` when it could not be done.
Events come at any time. Times are `time.monotonic()`, which is one clock for all processes of a host.
SRTP keys travel in these datagrams (in hex) and nowhere else: not in arguments, not in a log, not in a repr.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from meshdoor.config import IceServer
from meshdoor.media import wire
from meshdoor.rtp.srtp_keys import MasterKey

MAX_MESSAGE = 128 * 1024  # bytes of a datagram; below the send buffer of a socket pair

AUDIO, VIDEO = "audio", "video"
SENDRECV, SENDONLY, RECVONLY, INACTIVE = "sendrecv", "sendonly", "recvonly", "inactive"


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What the camera is asked for; `bitrate` in bits a second."""

    width: int = 1280
    height: int = 720
    fps: int = 30
    bitrate: int = 2_000_000


@dataclass(frozen=True, slots=True)
class Hello:
    """The first command: the devices of this node. Answer: `Ready`.

    camera: `card` (the test card), `none`, `rpicam`, a file, a V4L2 device `/dev/video0`, or an `rtsp://` URL.
    microphone: `tone` or `tone:HERTZ`, `silence`, or a WAV file. speaker, display: `null`, or `file`: what was
    heard and seen is written to `out_dir`.
    """

    role: str
    name: str = ""
    camera: str = field(default="card", repr=False)  # an RTSP URL may hold a password
    microphone: str = "tone"
    speaker: str = "null"
    display: str = "null"
    out_dir: str | None = None
    video: VideoFormat = VideoFormat()


@dataclass(frozen=True, slots=True)
class OpenLeg:
    """Bind the sockets of a leg to the local address that is used towards the peer (an IPv6 link-local one with its
    scope). Answer: `LegOpened`. Ports other than 0 are those that the leg had in an engine that died.

    `webrtc`: towards a browser, over ICE and DTLS-SRTP; then `addresses` are others of this host to be found at, and
    the ports mean nothing. `dtls`: towards a SIP client that makes its keys by DTLS. `stun`: a server that says how
    the sockets look from outside.
    """

    leg: str
    local: str
    audio_port: int = 0
    video_port: int = 0
    webrtc: bool = False
    addresses: tuple[str, ...] = ()
    ice_servers: tuple[IceServer, ...] = ()
    dtls: bool = False
    stun: Address | None = None


@dataclass(frozen=True, slots=True)
class IceDescription:
    """What a WebRTC leg says of itself in SDP: `fingerprint` as in `a=fingerprint`, candidates as in `a=candidate`."""

    ufrag: str
    password: str = field(repr=False)
    fingerprint: str
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IceRemote:
    """What the peer of a WebRTC leg says of itself, and the parts that this end plays: `controlling` in ICE (whose
    offer it was), `client` in DTLS. `lite`: the peer only answers checks."""

    ufrag: str
    password: str = field(repr=False)
    fingerprint: str
    candidates: tuple[str, ...]
    controlling: bool
    client: bool
    lite: bool = False


@dataclass(frozen=True, slots=True)
class DtlsRemote:
    """What a SIP client says of its keys: `fingerprint` as in `a=fingerprint`. `client`: this end opens the
    association."""

    fingerprint: str
    client: bool


@dataclass(frozen=True, slots=True)
class Address:
    """Where to send to. An IPv6 link-local host carries its scope: `fe80::1%eth0`."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What offer and answer agreed on for one medium.

    `codec` is the name in upper case: H264, VP8, OPUS, PCMU, PCMA, G722. `rtcp` is None with rtcp-mux. `feedback`
    are the values of rtcp-fb that the peer takes or gives: "nack", "nack pli", "ccm fir". With `dtls` the keys are
    made between the ends.
    """

    direction: str
    remote: Address
    codec: str
    payload_type: int
    clock_rate: int
    fmtp: str = ""
    dtmf_payload_type: int | None = None
    dtmf_clock_rate: int = 8000
    tx_key: MasterKey | None = None
    rx_key: MasterKey | None = None
    rtcp: Address | None = None
    feedback: tuple[str, ...] = ()
    dtls: DtlsRemote | None = None

    @property
    def sends(self) -> bool:
        return self.direction in {SENDRECV, SENDONLY}

    @property
    def receives(self) -> bool:
        return self.direction in {SENDRECV, RECVONLY}


@dataclass(frozen=True, slots=True)
class Gates:
    """What may pass of what the plan allows.

    microphone: False, and not one audio packet leaves. speaker: False, and sound that comes is counted and dropped.
    picture: False, and no picture leaves or is shown.
    """

    microphone: bool = False
    speaker: bool = False
    picture: bool = True


@dataclass(frozen=True, slots=True)
class StartLeg:
    """Media flows from now on. Sent again for the same leg, it changes the plan; keys that stay the same go on where
    they were. A medium that is None is closed.

    `source`: instead of this node's devices it has the media of another leg, which was started before (`relay`); a leg
    that names itself is such a source.

    A WebRTC leg needs `ice`, once: its media flow when a way to the peer was found, under keys of DTLS; `LegFailed`
    tells that there is none, or none any more.
    """

    leg: str
    audio: StreamPlan | None = None
    video: StreamPlan | None = None
    gates: Gates = Gates()
    ice: IceRemote | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    leg: str
    gates: Gates


@dataclass(frozen=True, slots=True)
class CloseLeg:
    """Answer: `LegStatistics`, the last ones."""

    leg: str


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """Let the next picture of the camera be a key frame."""


@dataclass(frozen=True, slots=True)
class Capture:
    """Open the camera before anybody looks, so that the first picture needs not wait for it; or no longer."""

    on: bool


@dataclass(frozen=True, slots=True)
class Prepare:
    """A browser may be called soon: load what WebRTC needs, in the background."""


@dataclass(frozen=True, slots=True)
class Dtmf:
    """Send these digits, one after the other (RFC 4733)."""

    leg: str
    digits: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Write a picture to `path` (JPEG, or PNG if it ends so): of the camera, or the last one that a leg showed."""

    path: str
    leg: str | None = None


@dataclass(frozen=True, slots=True)
class GetStatistics:
    """Answer: `EngineStatistics`."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there?"""


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

    `remote_*` and `round_trip` are what the peer reports of us, `round_trip` is None until it has.
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
class Device:
    """kind: camera, microphone, speaker, display. state: `ok`, `idle`, or `failed` with a text for a person."""

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


Command = (
    Hello
    | OpenLeg
    | StartLeg
    | Gate
    | CloseLeg
    | KeyFrame
    | Capture
    | Prepare
    | Dtmf
    | Snapshot
    | GetStatistics
    | Ping
)
Answer = Done | Failed | Ready | LegOpened | LegStatistics | EngineStatistics
Event = (
    FirstPacketSent
    | FirstPicture
    | FirstSound
    | PictureLost
    | RtpSilence
    | DtmfReceived
    | Device
    | LegFailed
    | LegStatistics
    | EngineLost
    | EngineReady
)
Message = Command | Answer | Event

KNOWN: dict[str, type] = {kind.__name__: kind for group in (Command, Answer, Event) for kind in group.__args__}


def encode(message: Message, request: int | None = None) -> bytes:
    return wire.dump(message, request)


def decode(data: bytes) -> tuple[int | None, Message]:
    """The request number (None for an event) and the message. Raises LocalProtocolError."""
    request, message = wire.load(data, KNOWN)
    return request, message
