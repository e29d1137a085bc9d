"""What a name or an address that somebody dials means: members, everybody, or somebody outside (pure).

    Names("myhouse", {"homescreen": ("Kitchen", "sip:bob@sip.example.org")}).resolve("sip:homescreen@myhouse", roster)

A name is looked up in the routes first, then among the members, by name (spaces and signs do not matter) or by id;
`everyone` is who rings when somebody presses. A route may name routes. An address at the domain of the house, at a host
of its own or at any host without a dot, which no name server knows, is such a name; every other address is outside.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from meshdoor.errors import NotFound, SipError
from meshdoor.sip.uri import SipUri, is_address, unescape
from meshdoor.trust.roster import Roster

EVERYONE: Final = "everyone"
MAX_MEANT: Final = 64  # members and addresses that one name may come to
MAX_STEPS: Final = 256  # entries of routes that are followed for one name


@dataclass(frozen=True, slots=True)
class Meant:
    """Whom to ring: all that discovery finds, these members, these addresses outside."""

    everyone: bool = False
    members: tuple[bytes, ...] = ()
    outside: tuple[SipUri, ...] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """What the settings say. `hosts` are the names and addresses of the house besides its domain."""

    domain: str = ""
    routes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hosts: Collection[str] = ()

    def resolve(self, text: str, roster: Roster) -> Meant:
        """Whom `text` means. Raises NotFound for a name that nobody has, and for what is neither name nor address."""
        return _Search(self, roster).find(text)

    def everyone(self, roster: Roster) -> Meant:
        """Who rings at a press: what the routes say of `everyone`, beside all that discovery finds."""
        found = self.resolve(EVERYONE, roster)
        return Meant(True, found.members, found.outside)

    def is_home(self, host: str) -> bool:
        """Is an address at this host one of the house?"""
        name = host.lower().rstrip(".")
        if name in {self.domain.lower().rstrip("."), *(each.lower() for each in self.hosts)}:
            return True
        return "." not in name and not is_address(name)

    def routed(self, name: str) -> tuple[str, ...] | None:
        """The route of that name, if there is one."""
        wanted = fold(name)
        return next((entries for key, entries in self.routes.items() if fold(key) == wanted), None)


class _Search:
    """One name, followed through the routes."""

    def __init__(self, names: Names, roster: Roster) -> None:
        self._names = names
        self._roster = roster
        self._steps = 0
        self._under_way: list[str] = []  # the routes that led here
        self._everyone = False
        self._members: dict[bytes, None] = {}
        self._outside: dict[str, SipUri] = {}

    def find(self, text: str) -> Meant:
        self._follow(text)
        return Meant(self._everyone, tuple(self._members), tuple(self._outside.values()))

    def _follow(self, text: str) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS or len(self._members) + len(self._outside) >= MAX_MEANT:
            raise NotFound(f"{text!r} means too many", "see [routes] in the settings")
        name = self._name_in(text)
        if name is None:
            return
        route = self._names.routed(name)
        if route is None or fold(name) in self._under_way:
            self._take(name)
            return
        self._everyone = self._everyone or fold(name) == EVERYONE
        self._under_way.append(fold(name))
        for entry in route:
            self._follow(entry)
        self._under_way.pop()

    def _name_in(self, text: str) -> str | None:
        """The name that is dialled; None for an address outside, which is taken."""
        bare = _bare(text)
        if not bare.lower().startswith(("sip:", "sips:")):
            name, at, host = bare.rpartition("@")
            if not at or self._names.is_home(host):
                return name if at else bare
            bare = f"sip:{bare}"
        try:
            uri = SipUri.parse(bare)
        except SipError as error:
            raise NotFound(str(error), "an address looks like sip:bob@sip.example.org") from None
        if self._names.is_home(uri.host):
            return unescape(uri.user or EVERYONE)
        self._outside.setdefault(str(uri), uri)
        return None

    def _take(self, name: str) -> None:
        if fold(name) == EVERYONE:
            self._everyone = True
            return
        alike = [m.key for m in self._roster.members.values() if fold(m.name) == fold(name)] if fold(name) else []
        key = alike[0] if len(alike) == 1 else self._roster.find(name).key
        self._members.setdefault(key)


def fold(name: str) -> str:
    """What of a name matters: `Home screen`, `home-screen` and `HomeScreen` are the same."""
    return "".join(character for character in name.casefold() if character.isalnum())


def _bare(text: str) -> str:
    """The address in `Name <address>`."""
    text = text.strip()
    start, end = text.find("<"), text.rfind(">")
    return text[start + 1 : end] if 0 <= start < end else text
