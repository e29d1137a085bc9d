"""What a node and its media engine agree on for a leg: formats, addresses, plans of streams."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshdoor.rtp.srtp_keys import MasterKey

SENDRECV, SENDONLY, RECVONLY, INACTIVE = "sendrecv", "sendonly", "recvonly", "inactive"


AUDIO, VIDEO = "audio", "video"


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What the camera is asked for; `bitrate` in bits a second."""

    width: int = 1280
    height: int = 720
    fps: int = 30
    bitrate: int = 2_000_000


@dataclass(frozen=True, slots=True)
class WallFormat:
    """The window of a screen: over the whole of it unless a size is given; turned clockwise by 0, 90, 180 or 270
    degrees; written with the font of this file, else one is found."""

    size: tuple[int, int] | None = None
    turned: int = 0
    font: str = ""


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
    made between the ends. Digits are sent under `dtmf_payload_type`; under those of `dtmf_incoming` they may come, too.
    """

    direction: str
    remote: Address
    codec: str
    payload_type: int
    clock_rate: int
    fmtp: str = ""
    dtmf_payload_type: int | None = None
    dtmf_clock_rate: int = 8000
    dtmf_incoming: tuple[int, ...] = ()
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

    @property
    def digits(self) -> frozenset[int | None]:
        """The payload types under which digits come."""
        return frozenset({self.dtmf_payload_type, *self.dtmf_incoming})


@dataclass(frozen=True, slots=True)
class Gates:
    """What may pass of what the plan allows.

    microphone: False, and not one audio packet leaves. speaker: False, and sound that comes is counted and dropped.
    picture: False, and no picture leaves or is shown.
    """

    microphone: bool = False
    speaker: bool = False
    picture: bool = True
