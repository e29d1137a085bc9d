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
from meshdoor.media.plans import Address, Gates, IceRemote, StreamPlan, VideoFormat, WallFormat
from meshdoor.media.reports import Answer, Event
from meshdoor.settings.camera import CameraConfig
from meshdoor.wall.model import WallState

MAX_MESSAGE = 128 * 1024  # bytes of a datagram; below the send buffer of a socket pair


@dataclass(frozen=True, slots=True)
class Hello:
    """The first command: the devices of this node. Answer: `Ready`.

    camera: `auto`, `card` (the test card), `none`, `rpicam`, a file, a V4L2 device `/dev/video0`, or an `rtsp://` URL;
    `pictures`: what becomes of its pictures.
    microphone: `auto`, `sdl` or `sdl:NAME` (a sound card), `tone` or `tone:HERTZ`, `silence`, or a WAV file. speaker:
    `auto`, `sdl` or `sdl:NAME`. speaker, display: `null`, or `file`: what was heard and seen is written to `out_dir`.
    echo: see `meshdoor.settings.sound`; it matters where both are a sound card.
    """

    role: str
    name: str = ""
    camera: str = field(default="card", repr=False)  # an RTSP URL may hold a password
    microphone: str = "tone"
    speaker: str = "null"
    display: str = "null"
    out_dir: str | None = None
    video: VideoFormat = field(default_factory=VideoFormat)
    echo: str = "auto"
    wall: WallFormat = field(default_factory=WallFormat)
    pictures: CameraConfig = field(default_factory=CameraConfig)


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
    gates: Gates = field(default_factory=Gates)
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
class Sounds:
    """How loud speech is, 0 to 1, and the tones that may ring soon: they are made ready in the background."""

    volume: float = 1.0
    tones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ring:
    """Ring with this tone or sound file until `Hush`; sent again, with what has changed. Volumes are 0 to 1; after
    `louder_after` seconds it is as loud as `louder`, if that is not 0."""

    tone: str
    volume: float = 1.0
    louder: float = 1.0
    louder_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Hush:
    """Ring no more."""


@dataclass(frozen=True, slots=True)
class Chime:
    """A tone, once: `knock`, `opened`, `page`, `alarm`, `test`, or one that rings. `yields`: it ends when a voice is to
    be heard."""

    tone: str
    volume: float = 1.0
    yields: bool = False


SoundCommand = Sounds | Ring | Hush | Chime
SOUNDS: tuple[type, ...] = (Sounds, Ring, Hush, Chime)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Write a picture to `path` (JPEG, or PNG if it ends so): of the camera, or the last one that a leg showed."""

    path: str
    leg: str | None = None


@dataclass(frozen=True, slots=True)
class Mute:
    """The microphone gives silence, and goes on; or no longer."""

    on: bool


@dataclass(frozen=True, slots=True)
class ShowWall:
    """All that the screen on the wall is to know, whenever something of it changes."""

    state: WallState


@dataclass(frozen=True, slots=True)
class Near:
    """Somebody is in front of the screen: it is switched on."""


@dataclass(frozen=True, slots=True)
class GetStatistics:
    """Answer: `EngineStatistics`."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there?"""


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
    | Sounds
    | Ring
    | Hush
    | Chime
    | Snapshot
    | Mute
    | ShowWall
    | Near
    | GetStatistics
    | Ping
)
Message = Command | Answer | Event

KNOWN: dict[str, type] = {kind.__name__: kind for group in (Command, Answer, Event) for kind in group.__args__}


def encode(message: Message, request: int | None = None) -> bytes:
    return wire.dump(message, request)


def decode(data: bytes) -> tuple[int | None, Message]:
    """The request number (None for an event) and the message. Raises LocalProtocolError."""
    request, message = wire.load(data, KNOWN)
    return request, message
