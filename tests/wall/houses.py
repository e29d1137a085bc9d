"""Homes, languages and a font for the tests of the wall."""

from __future__ import annotations

from dataclasses import replace

from meshdoor.media.page_files import words
from meshdoor.wall.dates import Moment
from meshdoor.wall.look import Look, Surface
from meshdoor.wall.model import (
    Call,
    Door,
    Invited,
    Itself,
    Newcomer,
    Pairing,
    Room,
    Settings,
    Visit,
    Visitor,
    WallState,
)
from meshdoor.wall.palette import palette
from meshdoor.wall.scene import Size, Weight

NOON = 1_780_315_200.0  # Monday, 1 June 2026, 12:00
SIZES = (Size(800, 480), Size(1280, 800), Size(480, 800), Size(800, 1280))
LANGUAGES = ("en-US", "de", "fr")

NARROW, WIDE = frozenset("iljtfrI.,:;'|!()· -1"), frozenset("mwMWQOGD@—…→")


def measure(text: str, size: int, weight: Weight) -> int:
    """A font about as wide as DejaVu Sans."""
    parts = (0.36 if each in NARROW else 0.95 if each in WIDE or ord(each) > 0x2E7F else 0.64 for each in text)
    return -int(-sum(parts) * size * (1.1 if weight is Weight.BOLD else 1.0) // 1)


def local(unix: float) -> Moment:
    """Of a place in UTC, for some days around noon."""
    days, seconds = divmod(int(unix - NOON) + 43200, 86400)
    month, day = (6, 1 + days) if days >= 0 else (5, 32 + days)
    return Moment(2026, month, day, days % 7, seconds // 3600, seconds % 3600 // 60)


def look(size: Size = SIZES[0], locale: str = "en", theme: str = "light", unix: float = NOON) -> Look:
    return Look(size, measure, local, words(locale), palette(theme, 12), now=1000.0, unix=unix)


def surface(size: Size = SIZES[0]) -> Surface:
    return Surface(size, measure, local, words)


FRONT = Door("d1", "Front door", picture="/tmp/front.jpg", picture_at=NOON - 3600, lock=True)
GARDEN = Door("d2", "Garden gate", state="unreachable")
GARAGE = Door("d3", "Garage", lock=True, contact="left open", camera=False)
ROOMS = (
    Room("r1", "Kitchen"),
    Room("r2", "Bedroom", state="unreachable"),
    Room("r3", "Hall", state="in call"),
    Room("p1", "Alice's phone", role="phone", at="Kitchen"),
    Room("p2", "Bob's phone", role="phone", state="away"),
)
VISITS = (
    Visit("v1", "Front door", NOON - 600, "missed", picture="/tmp/1.jpg", seen=False),
    Visit("v2", "Garden gate", NOON - 90000, "answered", by="Kitchen", then=("Hall",)),
    Visit("v3", "Front door", NOON - 300000, "cancelled", picture="/tmp/3.jpg"),
    Visit("v4", "Front door", NOON - 300, "answered"),
    Visit("v5", "Front door", NOON - 30, "ringing"),
)
HOME = WallState(
    me=Itself("cent-le76-3ff2-25su", "Living room", "Maple Street 5", "0.1.0"),
    doors=(FRONT, GARDEN, GARAGE),
    rooms=ROOMS,
    visits=VISITS,
    missed=1,
    newcomers=(Newcomer("762i-4wgo-fh5g-6z2x", "Shed", "door"), Newcomer("aaaa-4wgo-fh5g-6z2x", "Cellar", "lock")),
    settings=Settings(tones=("chime", "bell", "/etc/meshdoor/dog.wav")),
)
CALM = replace(HOME, doors=(FRONT,), rooms=ROOMS[:1], missed=0)
VISITOR = Visitor("1", "d1", "Front door", leg="visit-1", picture="live", lock=True)
TALKING = replace(VISITOR, state="talking", since=940.0)
KNOCKING = Visitor("2", "d2", "Garden gate", state="knocking", leg="visit-2")
ROOM_CALL = Call("7", "room", "r1", "Kitchen", incoming=True, state="alerting", since=990.0)
MONITOR = Call("8", "monitor", "d1", "Front door", "connected", 990.0, "call-8", picture="live", lock=True)
UNPAIRED = WallState(me=Itself("cent-le76-3ff2-25su", "screen-pi", member=False), pairing=Pairing("1234-5678"))
INVITED = Invited("Alice", "https://192.168.1.20:8443/#t=abc", NOON + 600)
