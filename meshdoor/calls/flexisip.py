"""What a Flexisip set-up comes to here (pure): its settings, its file of users, its file of static records.

    found = translate(text, "flexisip.conf", read)      `read` gives the text of the files that it names
    found.lines                                         what became of each line
    found.settings()                                    TOML: the domain, the routes, how long it rings

    users     version:1
              kitchen@myhouse clrtxt:secret md5:H sha256:H ;
    records   <sip:everyone@myhouse> <sip:kitchen@myhouse>, <sip:bob@sip.example.org>
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from meshdoor.calls.names import EVERYONE, fold
from meshdoor.errors import ConfigError, SipError
from meshdoor.sip.uri import SipUri, is_address, unescape

MAX_TEXT: Final = 1 << 20  # characters of one file
MAX_SHOWN: Final = 120
SECTION: Final = re.compile(r"\[([\w:.-]+)\]")
SETTING: Final = re.compile(r"([\w/-]+)\s*=\s*(.*)")
URI: Final = re.compile(r"<([^<>]+)>|([^\s,;<>]+)")
HASHES: Final = {"md5": 32, "sha256": 64}
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})

NO_SERVER: Final = "needed no more: there is no server"
# By section and setting; "" is for all settings of a section. What is said of those that have no other meaning here.
MEANS: Final = {
    ("global", "transports"): "[sip] port: UDP and TCP 5060 by default; links between nodes use TLS on [mesh] port",
    ("global", "aliases"): "needed no more: a node answers to its own names and addresses",
    ("global", "tls-certificates-dir"): "[web] certificate and key: one of your own for clients, else a node makes it",
    ("global", "tls-certificates-file"): "[web] certificate and key: one of your own for clients, else a node makes it",
    ("module::Authentication", "available-algorithms"): "so it is: SHA-256 first, MD5 for clients that know no other",
    ("module::Authentication", "trusted-hosts"): "no counterpart: an address alone is trusted for nothing, see adopt",
    ("module::Authentication", "trust-domain-certificates"): "no counterpart: members are known by their keys",
    ("module::Authentication", ""): "needed no more: clients that members have are known, and nobody else is let in",
    ("module::Registrar", ""): "needed no more: each node keeps the registrations of its own clients",
    ("module::Router", "fork"): "so it is: everybody rings",
    ("module::Router", "fork-late"): "so it is: who appears while it rings is rung too",
    ("module::Router", ""): "so it is, or needed no more: one press, one fork, one winner",
    ("module::PushNotification", ""): "by hand: [notify], and the page of phones; see docs",
    ("module::MediaRelay", ""): "needed no more: media goes from end to end",
    ("module::NatHelper", ""): "needed no more: all of it is in one network",
    ("module::DoSProtection", ""): "so it is: strangers are limited",
}


class Became(StrEnum):
    """What became of a line."""

    DONE = "done"
    GONE = "not needed"
    BY_HAND = "by hand"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the set-up, and what became of it."""

    file: str
    number: int
    text: str
    became: Became
    said: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number}: {self.text}\n    {self.became}: {self.said}"


@dataclass(frozen=True, slots=True)
class User:
    """A client that registered. `password` is empty where only hashes of it were kept."""

    name: str
    domain: str
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Device:
    """A user agent at a fixed address."""

    name: str
    uri: str


@dataclass(slots=True)
class Found:
    """What a set-up comes to."""

    lines: list[Line] = field(default_factory=list)
    domains: list[str] = field(default_factory=list)
    routes: dict[str, list[str]] = field(default_factory=dict)
    users: list[User] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    timeout: float | None = None

    @property
    def domain(self) -> str:
        """Of the house."""
        return next(iter(self.domains), "")

    def settings(self) -> str:
        """TOML."""
        parts = [f"[sip]\ndomain = {_quoted(self.domain)}\n"] if self.domain else []
        if self.timeout is not None:
            parts.append(f"[ring]\ntimeout = {self.timeout:.1f}\n")
        if self.routes:
            rows = (f"{_quoted(name)} = [{', '.join(map(_quoted, each))}]\n" for name, each in self.routes.items())
            parts.append("[routes]\n" + "".join(rows))
        return "\n".join(parts)


Read = Callable[[str], str]  # the text of a file; raises ConfigError


def is_flexisip(text: str) -> bool:
    """Is this the file of settings of a Flexisip?"""
    return re.search(r"^\[(global|module::\w+)\]", text, re.MULTILINE) is not None


def translate(text: str, name: str, read: Read) -> Found:
    """Raises ConfigError for a file that is no Flexisip's."""
    if not is_flexisip(text) or len(text) > MAX_TEXT:
        raise ConfigError(f"{name}: no settings of Flexisip", "its sections are [global], [module::Registrar], …")
    found, files = Found(), []
    section = ""
    for number, line in _lines(text):
        head, setting = SECTION.fullmatch(line), SETTING.fullmatch(line)
        if head is not None:
            section = head[1]
        elif setting is None:
            found.lines.append(Line(name, number, _short(line), Became.BY_HAND, "this was not understood"))
        else:
            became, said = _setting(found, section, setting[1], setting[2].strip())
            found.lines.append(Line(name, number, _short(line), became, said))
            if said in (USERS, RECORDS):
                files.append((said, setting[2].strip()))
    for kind, path in sorted(files, key=lambda each: each[0] != USERS):
        _file(found, kind, path, read)
    return found


USERS: Final = "its users follow"
RECORDS: Final = "its records follow"


def _setting(found: Found, section: str, key: str, value: str) -> tuple[Became, str]:
    """What one setting comes to."""
    match section, key:
        case ("module::Authentication", "auth-domains") | ("module::Registrar", "reg-domains"):
            return _domains(found, value)
        case ("module::Authentication", "file-path" | "datasource") if value:
            return Became.DONE, USERS
        case ("module::Registrar", "static-records-file") if value:
            return Became.DONE, RECORDS
        case ("module::Authentication", "db-implementation") if value != "file":
            return Became.BY_HAND, f"users in a {value} cannot be read: let their clients in with meshdoor phone add"
        case ("module::Router", "call-fork-timeout") if re.fullmatch(r"\d{1,4}", value):
            found.timeout = max(5.0, min(float(value), 600.0))
            return Became.DONE, f"[ring] timeout = {found.timeout:.1f}"
    said = MEANS.get((section, key)) or MEANS.get((section, "")) or NO_SERVER
    return (Became.BY_HAND if said.startswith(("by hand", "no counterpart", "[")) else Became.GONE), said


def _domains(found: Found, value: str) -> tuple[Became, str]:
    new = [domain for domain in value.lower().split() if domain not in LOCAL | {"*"}]
    found.domains += [domain for domain in new if domain not in found.domains]
    if not new:
        return Became.GONE, "needed no more: this host is the house in any case"
    others = [domain for domain in new if domain != found.domain]
    if others:
        return Became.BY_HAND, f"a house has one domain, {found.domain}; {', '.join(others)} would be outside"
    return Became.DONE, f"[sip] domain = {found.domain}"


def _file(found: Found, kind: str, path: str, read: Read) -> None:
    try:
        text = read(path)
    except ConfigError as error:
        found.lines.append(Line(path, 0, "", Became.BY_HAND, str(error)))
        return
    each = _user if kind == USERS else _record
    for number, line in _lines(text[:MAX_TEXT]):
        became, said, shown = each(found, line)
        found.lines.append(Line(path, number, _short(shown), became, said))


def _user(found: Found, line: str) -> tuple[Became, str, str]:
    """One user. No secret is shown."""
    address, _, rest = line.partition(" ")
    if line.startswith("version:"):
        known = line.split(":", 1)[1].strip() == "1"
        return (Became.GONE, "read", line) if known else (Became.BY_HAND, "another version than 1", line)
    name, at, domain = address.removeprefix("sip:").partition("@")
    secrets = dict(each.split(":", 1) for each in rest.partition(";")[0].split() if ":" in each)
    if not (name and at and domain) or not secrets:
        return Became.BY_HAND, "this was not understood", address
    if found.domains and domain.lower() not in found.domains:
        return Became.BY_HAND, f"{domain} is not of the house", address
    if any(len(secrets.get(kind, "0" * size)) != size for kind, size in HASHES.items()):
        return Became.BY_HAND, "a hash that is none", address
    found.users.append(User(unescape(name), domain, secrets.get("clrtxt", "")))
    if "clrtxt" in secrets:
        return Became.DONE, f"an account for its client: {name}, with the password that it has", address
    hint = f'meshdoor phone add "{name}" --linphone makes a new one'
    return Became.BY_HAND, f"of its password there is a hash for the realm {domain} alone: {hint}", address


def _record(found: Found, line: str) -> tuple[Became, str, str]:
    """One static record: who is rung for an address."""
    uris = [match[1] or match[2] for match in URI.finditer(line)]
    try:
        alias, *contacts = (SipUri.parse(uri) for uri in uris)
    except (SipError, ValueError):
        return Became.BY_HAND, "this was not understood", line
    if alias.user is None or not contacts:
        return Became.BY_HAND, "a record without a user or a contact", line
    name = unescape(alias.user)
    entries = [_entry(found, name, contact) for contact in contacts]
    if len(entries) == 1 and fold(entries[0]) == fold(name):
        return Became.DONE, f"{name} is the name of a member, or of what is adopted as {entries[0]}", line
    route = found.routes.setdefault(name, [])
    route += [entry for entry in entries if entry not in route]
    beside = ", beside all that is discovered" if fold(name) == EVERYONE else ""
    return Became.DONE, f"[routes] {_quoted(name)} = {', '.join(entries)}{beside}", line


def _entry(found: Found, alias: str, contact: SipUri) -> str:
    """A contact at the house is a name; a device at an address is adopted under one; any other stays as it is."""
    if contact.host.lower() in found.domains or contact.host.lower() in LOCAL:
        return unescape(contact.user or EVERYONE)
    if not is_address(contact.host):
        return str(contact)
    known = next((device for device in found.devices if device.uri == str(contact)), None)
    if known is None:
        taken = {device.name for device in found.devices}
        name = unescape(contact.user or alias)
        known = Device(name if name not in taken else f"{name} {contact.host}", str(contact))
        found.devices.append(known)
    return known.name


def _lines(text: str) -> Iterable[tuple[int, str]]:
    """Those that say something; one that ends with a backslash goes on in the next."""
    whole, began = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not whole and (not bare or bare.startswith("#")):
            continue
        began = began if whole else number
        whole += bare.removesuffix("\\")
        if not bare.endswith("\\"):
            yield began, whole.strip()
            whole = ""
    if whole:
        yield began, whole.strip()


def _short(text: str) -> str:
    shown = "".join(character if character.isprintable() else " " for character in text)
    return shown if len(shown) <= MAX_SHOWN else shown[: MAX_SHOWN - 1] + "…"


def _quoted(text: str) -> str:
    """A string of TOML, which those of JSON are."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
