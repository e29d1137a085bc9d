"""What a person may set. Every setting has a default, so no file is needed.

A file is TOML, found at `--config FILE`, else `config.toml` in the state directory, else `/etc/meshdoor/config.toml`:

    name = "Kitchen"            # else the host name
    role = "screen"             # door, screen or lock; else what the hardware suggests

    [mesh]
    port = 5071                 # TCP, links between members and pairing; 0 takes any
    interfaces = ["eth0"]       # else every one that is up

    [sip]
    port = 5060                 # UDP and TCP, devices outside the mesh; 0 takes any
    announce = true             # to SIP clients of others on the network, by name, as DNS-SD has it
    domain = "myhouse"          # what sip:NAME@myhouse means: a member or a route of that name
    pipe = "doorbell"           # /tmp/doorbell speaks as linphone-daemon does, for scripts

    [routes]                    # names for several, and who rings beside all that is discovered
    everyone = ["sip:bob@sip.example.org"]
    upstairs = ["Bedroom", "Attic"]

    [[accounts]]                # an account at somebody's SIP server; as many as there are
    address = "sip:flat42@sip.example.org"
    secret_file = "flat42.secret"   # its password
    proxy = "sip:proxy.example.org;transport=tls"   # else what the name servers say of the domain

    [camera]                    # its pictures (meshdoor/settings/camera.py); which camera: [media] camera
    masks = ["0,0,25,100"]      # what nobody is to see, in percent: left, top, width, height

    [lock]                      # makes this node a lock, as role = "lock" does
    of = "Front door"           # the door that it opens, by its name; "" for all of them
    pulse = 3.0                 # seconds that it stays open
    relay = "gpio:23"           # what moves the bolt (meshdoor/settings/lock.py); simulated if there is none

    [devices]                   # buttons, relays and sensors (meshdoor/settings/devices.py)
    buttons = ["gpio:17"]

    [calls]
    auto_answer = ["Hall"]      # rooms whose calls and pages are answered here without a person: names or ids

    [sound]                     # tones, volumes, quiet hours, echo (meshdoor/settings/sound.py)
    tone = "chime"

    [screen]                    # the screen on the wall (meshdoor/settings/screen.py)
    theme = "dark"

    [web]                       # the page of phones; a screen serves it when there is a phone
    port = 8443                 # TCP; 0 takes any
    certificate = "fullchain.pem"   # one of your own, else the node makes one
    key = "privkey.pem"
    domain = "door.example.org" # a name of your own that leads here
    ice_servers = ["turn:user:password@turn.example.org:3478"]  # for phones outside the house

    [notify]
    urls_file = "notify.urls"   # whom to tell of visitors, one apprise URL a line

    [log]
    format = "json"             # else "text"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from meshdoor.errors import ConfigError
from meshdoor.settings.camera import CameraConfig
from meshdoor.settings.devices import DevicesConfig, OutputPin, check_once
from meshdoor.settings.lock import check_relay
from meshdoor.settings.reading import built
from meshdoor.settings.screen import ScreenConfig
from meshdoor.settings.sound import SoundConfig

SYSTEM_FILE = Path("/etc/meshdoor/config.toml")
MAX_NAME = 64
MAX_PULSE = 60.0  # seconds; a lock is not to be left open by mistake

_STUN = re.compile(r"[A-Za-z0-9.-]{1,253}(?::\d{1,5})?")
_ICE = re.compile(
    r"(?P<scheme>stuns?|turns?):(?:(?P<user>[^:@\s]+):(?P<secret>[^@\s]+)@)?"
    r"(?P<where>(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::\d{1,5})?(?:\?transport=(?:udp|tcp))?)"
)


@dataclass(frozen=True, slots=True)
class MeshConfig:
    """Links and discovery."""

    port: int = 5071
    interfaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SipConfig:
    """SIP for devices outside the mesh: the port of UDP and TCP, and whether mDNS tells them of this node; the domain
    of the house, and the name of the socket that scripts of linphone-daemon find (`meshdoor run --pipe`).

    push_gateway is a URL that is told (RFC 8599) which clients to wake when somebody rings, with the first line of
    push_secret_file as its bearer token.
    """

    port: int = 5060
    announce: bool = True
    domain: str = ""
    pipe: str = ""
    push_gateway: str = ""
    push_secret_file: str = ""


@dataclass(frozen=True, slots=True)
class RingConfig:
    """A press: seconds until it counts as missed."""

    timeout: float = 45.0


@dataclass(frozen=True, slots=True)
class CallsConfig:
    """Room to room: whose calls and pages are answered here without a person, by name or id; others ring."""

    auto_answer: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MediaConfig:
    """The devices. What is not there is stood in for, and `meshdoor status` of the node's log says so.

    camera: `auto` (what is found, else the test card; at a screen none), `card` (a synthetic test card), `none`,
    `rpicam` (a Pi camera; `rpicam:1` is the second), a V4L2 device such as `/dev/video0`, an `rtsp://` URL or a video
    file.
    display: `auto` or `sdl` (a screen, at a node that is one).
    microphone, speaker: `auto` (a sound card, else a stand-in), `sdl` or `sdl:NAME` (a sound card, by a part of its
    name). microphone: `tone`, `tone:HERTZ`, `silence` or a WAV file. speaker, display: `null`, or `file`, which writes
    what was heard and seen to `out_dir`. bitrate is in bits a second.
    """

    camera: str = field(default="auto", repr=False)  # an RTSP URL may hold a password
    microphone: str = "auto"
    speaker: str = "auto"
    display: str = "auto"
    out_dir: str = ""
    width: int = 1280
    height: int = 720
    fps: int = 30
    bitrate: int = 2_000_000


@dataclass(frozen=True, slots=True)
class LockConfig:
    """A lock at this node: the name of the door it opens, for how many seconds, and what moves its bolt."""

    of: str = ""
    pulse: float = 3.0
    relay: str = field(default="", repr=False)  # an address may hold a password
    relay_off: str = field(default="", repr=False)
    relay_pulses: bool = False

    def __post_init__(self) -> None:
        check_relay(self.relay, self.relay_off, self.relay_pulses)

    def pin(self) -> OutputPin | None:
        """Where its relay is, if it is at a pin of this node."""
        return OutputPin.parse(self.relay) if self.relay.startswith("gpio:") else None


@dataclass(frozen=True, slots=True)
class WebConfig:
    """The page of phones. Without a certificate the node makes one; `domain` is a name of your own that leads here.

    Each of ice_servers is `stun:HOST[:PORT]` or `turn:USER:PASSWORD@HOST[:PORT][?transport=udp]`, or `turns:`.
    """

    port: int = 8443
    certificate: str = ""
    key: str = ""
    domain: str = ""
    ice_servers: tuple[str, ...] = field(default=(), repr=False)  # they may hold passwords


@dataclass(frozen=True, slots=True)
class NotifyConfig:
    """Whom to tell of visitors: a file of apprise URLs, which hold secrets, one a line."""

    urls_file: str = ""


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """An account at somebody's SIP server.

    address is who we are there; registrar and proxy are SIP URIs, by default what RFC 3263 finds for the domain of the
    address. user is for the password, which stands in secret_file; by default it is that of the address. transport
    (`udp`, `tcp`, `tls`) goes before what the name servers like. authorities is a file of certificates, else those of
    the system count. media is `srtp` or `plain`, which a server without encryption needs: then whoever is on the way
    sees and hears. incoming says what rings when somebody calls: `door` (a visitor), `room` (a person), `no` (nothing).
    expires is in seconds. stun is `HOST[:PORT]` of a server that says how this node looks from outside, for media
    beyond a NAT.
    """

    address: str = ""
    registrar: str = ""
    proxy: str = ""
    user: str = ""
    secret_file: str = ""
    transport: str = ""
    authorities: str = ""
    media: str = "srtp"
    incoming: str = "room"
    expires: int = 600
    register: bool = True
    stun: str = ""


@dataclass(frozen=True, slots=True)
class LogConfig:
    """How the node writes its log: `text`, one readable line an event, or `json`, one object a line."""

    format: str = "text"


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of one node."""

    name: str = ""
    role: str = ""
    mesh: MeshConfig = field(default_factory=MeshConfig)
    sip: SipConfig = field(default_factory=SipConfig)
    ring: RingConfig = field(default_factory=RingConfig)
    calls: CallsConfig = field(default_factory=CallsConfig)
    media: MediaConfig = field(default_factory=MediaConfig)
    screen: ScreenConfig = field(default_factory=ScreenConfig)
    sound: SoundConfig = field(default_factory=SoundConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    lock: LockConfig | None = None
    web: WebConfig = field(default_factory=WebConfig)
    notify: NotifyConfig = field(default_factory=NotifyConfig)
    routes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    accounts: tuple[AccountConfig, ...] = ()
    log: LogConfig = field(default_factory=LogConfig)
    devices: DevicesConfig = field(default_factory=DevicesConfig)

    def __post_init__(self) -> None:
        check_name(self.name)
        _one_of("role", self.role, ("", "door", "screen", "lock"))
        _one_of("log.format", self.log.format, ("text", "json"))
        _port("mesh.port", self.mesh.port)
        _port("sip.port", self.sip.port)
        _port("web.port", self.web.port)
        if self.sip.push_gateway and not self.sip.push_gateway.startswith(("https://", "http://")):
            raise ConfigError(f"sip.push_gateway: {self.sip.push_gateway!r} is no URL")
        if bool(self.web.certificate) != bool(self.web.key):
            raise ConfigError("web: a certificate needs its key, and a key its certificate")
        for text in self.web.ice_servers:
            IceServer.parse(text)
        for account in self.accounts:
            _check_account(account)
        if self.lock is not None:
            check_name(self.lock.of, "lock.of")
            if not 0.1 <= self.lock.pulse <= MAX_PULSE:
                raise ConfigError(f"lock.pulse: {self.lock.pulse} is not from 0.1 to {MAX_PULSE:.0f} seconds")
            if (pin := self.lock.pin()) is not None:
                check_once([pin.gpio, *self.devices.pins()])


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server as a browser takes it (RTCIceServer)."""

    url: str
    username: str = ""
    credential: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> IceServer:
        """Raises ConfigError, which does not repeat the password."""
        found = _ICE.fullmatch(text)
        if found is None or (found["user"] is not None) != text.startswith("turn"):
            raise ConfigError("web.ice_servers: `stun:HOST:PORT` or `turn:USER:PASSWORD@HOST:PORT` is needed")
        user, secret = unquote(found["user"] or ""), unquote(found["secret"] or "")
        return cls(f"{found['scheme']}:{found['where']}", user, secret)

    def to_json(self) -> dict[str, str]:
        """As the constructor of RTCPeerConnection takes it."""
        return {"urls": self.url} | (
            {"username": self.username, "credential": self.credential} if self.username else {}
        )


def check_name(name: str, where: str = "name") -> str:
    """The name of a node or a home: at most 64 printable characters. Raises ConfigError."""
    if len(name) > MAX_NAME:
        raise ConfigError(f"{where}: longer than {MAX_NAME} characters")
    if not name.isprintable() or name != name.strip():
        raise ConfigError(f"{where}: {name!r} has characters that cannot be shown, or spaces around it")
    return name


def load(explicit: Path | None, state: Path) -> Config:
    """The settings from the first file that is there; the defaults when none is. Raises ConfigError."""
    if explicit is not None:
        return read(explicit)
    for path in (state / "config.toml", SYSTEM_FILE):
        if path.is_file():
            return read(path)
    return Config()


def read(path: Path) -> Config:
    """The settings of one file. Raises ConfigError naming the file and the field."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    try:
        return built(Config, document)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}", error.hint) from error


def _check_account(account: AccountConfig) -> None:
    if not account.address.startswith(("sip:", "sips:")) or "@" not in account.address:
        raise ConfigError(f"accounts.address: {account.address!r} is not like sip:user@sip.example.org")
    _one_of("accounts.transport", account.transport, ("", "udp", "tcp", "tls"))
    _one_of("accounts.media", account.media, ("srtp", "plain"))
    if account.stun and not _STUN.fullmatch(account.stun):
        raise ConfigError(f"accounts.stun: {account.stun!r} is not like stun.example.org:3478")
    _one_of("accounts.incoming", account.incoming, ("door", "room", "no"))
    if not 60 <= account.expires <= 86400:
        raise ConfigError(f"accounts.expires: {account.expires} is not from 60 to 86400 seconds")


def _one_of(where: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{where}: {value!r} is none of {', '.join(choice for choice in choices if choice)}")


def _port(where: str, value: int) -> None:
    if not 0 <= value <= 65535:
        raise ConfigError(f"{where}: {value} is not a port number")
