"""What the node tells a wall, in one value: it is sent whole whenever something of it changes.

Ids of members are device ids; those of visits, calls, alarms and notices are whatever the node takes back in actions.
`at` and `expires` are Unix seconds; `since` and `until` are seconds of the monotonic clock, which all processes of a
host have in common. Nothing here has a default that hides something from a person.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_VISITS = 60  # of the history; ours

# What may be set on a wall: `Action("set", (name, value))`. Numbers are decimal, switches `on` or `off`.
SETTINGS = {
    "volume": "0 to 10",
    "brightness": "1 to 10",
    "tone": "one of Settings.tones",
    "theme": "auto, light or dark",
    "language": "one of Settings.languages, or empty",
    "quiet": "on or off",
    "quiet_from": "HH:MM",
    "quiet_to": "HH:MM",
    "sleep": "seconds until the display goes dark, 0 for never",
    "name": "of this screen",
}


@dataclass(frozen=True, slots=True)
class Itself:
    """This screen. `locale` is a language tag that says how to speak and write times, as `de-AT`."""

    id: str = ""
    name: str = ""
    home: str = ""
    version: str = ""
    locale: str = "en"
    member: bool = True
    can_talk: bool = True
    can_open: bool = True
    can_admit: bool = True


@dataclass(frozen=True, slots=True)
class Quiet:
    """Quiet hours of this screen: wished for at all, from, to, and is it quiet now?"""

    on: bool = False
    begin: str = "22:00"
    end: str = "07:00"
    now: bool = False


@dataclass(frozen=True, slots=True)
class Door:
    """`state` as in the status: ready, ringing, in call, joining, unreachable. `picture` is a file, or empty.

    `lock`: is there one in reach that opens it. `contact` is open, left open, closed, or empty where none says so.
    `camera` is false while the door says that it has no picture.
    """

    id: str
    name: str
    state: str = "ready"
    picture: str = ""
    picture_at: float = 0.0
    lock: bool = False
    contact: str = ""
    camera: bool = True


@dataclass(frozen=True, slots=True)
class Room:
    """Another screen or a phone; `at` is the name of the node to which a phone is attached."""

    id: str
    name: str
    role: str = "screen"
    state: str = "ready"
    at: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """One of the history. `result` is answered, missed, declined, cancelled, ringing or interrupted."""

    id: str
    door: str
    at: float
    result: str = "missed"
    by: str = ""
    then: tuple[str, ...] = ()
    picture: str = ""
    seen: bool = True


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody is at a door now. `number` is that of the visit; `state` is ringing, knocking (while somebody talks
    here), or talking.

    `picture` is coming, live or none; `leg` is the leg that shows it. `giver` is who hands the visitor over.
    """

    number: str
    door: str
    name: str
    state: str = "ringing"
    since: float = 0.0
    leg: str = ""
    picture: str = "coming"
    lock: bool = False
    giver: str = ""
    silenced: bool = False
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A conversation that is no visitor's. `kind` is room, monitor or page; `state` is calling, ringing, alerting,
    connected, asking or talking; `door` is the id of the door that is looked through."""

    number: str
    kind: str
    peer: str
    name: str
    state: str = "calling"
    since: float = 0.0
    leg: str = ""
    picture: str = "coming"
    lock: bool = False
    muted: bool = False
    incoming: bool = False


@dataclass(frozen=True, slots=True)
class Sound:
    """`half_duplex`: one speaks at a time, as there is nothing that takes the echo away; then `floor` is who does:
    here, there, or empty. `microphone` and `speaker` are false where there is none."""

    half_duplex: bool = False
    floor: str = ""
    microphone: bool = True
    speaker: bool = True


@dataclass(frozen=True, slots=True)
class Pairing:
    """This node is in no home: the code that it shows, and until when it takes no guess."""

    code: str
    until: float = 0.0
    homes: tuple[str, ...] = ()  # that it could join, as far as they are in reach


@dataclass(frozen=True, slots=True)
class Invited:
    """A phone that was invited here. `joined` as soon as it is in."""

    name: str
    url: str
    expires: float
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A device in reach that waits to be paired."""

    id: str
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """`kind` names the sentence `alarm.KIND` of the tables, with `{name}`; what is in no table is told by `text`."""

    id: str
    kind: str
    name: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened. `key` is of the tables; an empty one is told by `text`. `kind` is good, bad or empty."""

    id: str
    key: str = ""
    values: tuple[tuple[str, str], ...] = ()
    text: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person set on this screen. Volume and brightness go to 10."""

    volume: int = 7
    brightness: int = 8
    tone: str = "chime"
    tones: tuple[str, ...] = ("chime",)
    theme: str = "auto"
    language: str = ""
    languages: tuple[str, ...] = ("en", "de", "fr")
    sleep: int = 300


@dataclass(frozen=True, slots=True)
class WallState:
    """Everything. `missed` is how many visitors nobody has seen; `visits` are the newest first."""

    me: Itself = Itself()
    quiet: Quiet = Quiet()
    doors: tuple[Door, ...] = ()
    rooms: tuple[Room, ...] = ()
    visits: tuple[Visit, ...] = ()
    missed: int = 0
    visitors: tuple[Visitor, ...] = ()
    call: Call | None = None
    sound: Sound = Sound()
    pairing: Pairing | None = None
    invited: Invited | None = None
    newcomers: tuple[Newcomer, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    notices: tuple[Notice, ...] = ()
    settings: Settings = field(default_factory=Settings)

    @property
    def talking(self) -> Visitor | None:
        """The visitor whom somebody here talks with."""
        return next((visitor for visitor in self.visitors if visitor.state == "talking"), None)

    @property
    def waiting(self) -> tuple[Visitor, ...]:
        """Visitors who could be answered."""
        return tuple(visitor for visitor in self.visitors if visitor.state != "talking")
