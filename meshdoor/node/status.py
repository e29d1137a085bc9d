"""What `meshdoor status` says: a pure function from what the node knows to one stable document.

Schema 1, all keys always there; a later schema only adds keys:

    schema     1
    version    of this node's software
    home       {name, id, roster, members} or null while it belongs to none
    node       {name, role, id, state, addresses, port, uptime_s, media, devices, pairing}; state is ready, joining,
               unpaired or revoked; devices is a list of {kind, state, text}; pairing is {code, wait_s} while it can be
               paired
    members    a list of {name, role, id, you, state, since, address, rtt_ms, roster, version, permissions, where,
               media, by_code, trouble, dark, contact};
               state is ready, ringing, in call, quiet (a phone that is not to ring now), joining, unreachable or
               revoked; since is a Unix time; roster is in step or behind, null while there is no link; where is the
               name of the node that a phone is attached to, null for whatever is no phone; media is srtp, dtls or
               plain for a SIP client, null for all others; by_code is true for a SIP client of this node that
               opens by a code; trouble is a list of what does not work there and why; dark is true where a camera
               sees too little; contact is open, left open or closed for a door that has a contact, else null
    newcomers  a list of {name, role, id, address, age_s}
    press      {screens, phones, would_ring: [name], would_not: [{name, why}], text}
    alarms     a list of {kind, text, hint, name, id, since, on}; kind is two hosts, own identity elsewhere, tamper,
               left open, relay or vanished; name and id of the member it is about; on is false for tampering that is
               over, until a person has seen it
    attention  a list of sentences; not empty means exit code 1
    warnings   a list of sentences on what was chosen and is not safe, such as media in the clear
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from meshdoor.control import Json
from meshdoor.devices.troubles import Trouble
from meshdoor.mesh.peers import Alarm, Newcomer, Peer
from meshdoor.node.condition import Condition, Told
from meshdoor.trust.identity import device_id
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.roster import Member, Roster
from meshdoor.version import __version__

RINGING_STATES = ("ready", "ringing", "in call")


@dataclass(frozen=True, slots=True)
class Itself:
    """What a node knows of itself."""

    key: bytes
    name: str
    role: str
    addresses: tuple[str, ...] = ()
    port: int = 0
    started: float = 0.0
    settled: bool = True
    pairing: Json = None
    busy: str = "free"
    media: str = "off"
    devices: Mapping[str, Told] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """All that the status is made of; times are Unix seconds."""

    itself: Itself
    roster: Roster
    peers: Sequence[Peer] = ()
    newcomers: Sequence[Newcomer] = ()
    alarms: Sequence[Alarm] = field(default=())
    troubles: Sequence[Trouble] = ()
    contacts: Mapping[bytes, str] = field(default_factory=dict)
    conditions: Mapping[bytes, Condition] = field(default_factory=dict)
    now: float = 0.0
    by_code: Collection[bytes] = ()


def describe(view: View) -> dict[str, Json]:
    """The document of schema 1."""
    by_code = {device_id(key) for key in view.by_code}
    members = [row | {"by_code": row["id"] in by_code} for row in (*_members(view), *_revoked(view))]
    press = what_rings(members, view.now)
    return {
        "schema": 1,
        "version": __version__,
        "home": _home(view.roster),
        "node": _node(view),
        "members": members,
        "newcomers": [_newcomer(newcomer, view.now) for newcomer in view.newcomers],
        "press": press,
        "alarms": _alarms(view),
        "attention": _attention(view, members),
        "warnings": [f"{peer.member.name}: {peer.warning}" for peer in view.peers if peer.warning],
    }


def _alarms(view: View) -> list[dict[str, Json]]:
    found: list[tuple[Alarm | Trouble, str, bool]]
    found = [(alarm, _name(alarm.key, view), True) for alarm in view.alarms]
    found += [(trouble, trouble.name, trouble.on) for trouble in view.troubles]
    return [
        {
            "kind": str(alarm.kind),
            "text": alarm.text,
            "hint": alarm.hint,
            "name": name,
            "id": device_id(alarm.key),
            "since": alarm.since,
            "on": on,
        }
        for alarm, name, on in found
    ]


def _home(roster: Roster) -> Json:
    if roster.home is None:
        return None
    return {
        "name": roster.home_name,
        "id": roster.home.hex()[:32],
        "roster": roster.digest.hex(),
        "members": len(roster.members),
    }


def node_state(view: View) -> str:
    """ready, joining (not yet sure that its roster is the newest), unpaired or revoked."""
    if view.itself.key in view.roster.revoked:
        return "revoked"
    if view.itself.key not in view.roster.members:
        return "unpaired"
    return "ready" if view.itself.settled else "joining"


def _node(view: View) -> dict[str, Json]:
    itself = view.itself
    return {
        "name": itself.name,
        "role": itself.role,
        "id": device_id(itself.key),
        "state": node_state(view),
        "addresses": list(itself.addresses),
        "port": itself.port,
        "uptime_s": round(view.now - itself.started, 1),
        "media": itself.media,
        "devices": [
            {"kind": kind, "state": told.state, "text": told.text} for kind, told in sorted(itself.devices.items())
        ],
        "pairing": itself.pairing,
    }


def _members(view: View) -> list[dict[str, Json]]:
    peers = {peer.key: peer for peer in view.peers}
    rows = [
        (_row(member, peers[key], view) if key in peers else _own_row(member, view)) | _condition(key, view)
        for key, member in view.roster.members.items()
        if key in peers or key == view.itself.key
    ]
    return sorted(rows, key=lambda row: (row["role"] != "door", row["name"].casefold(), row["id"]))


def _row(member: Member, peer: Peer, view: View) -> dict[str, Json]:
    settling = peer.state == "ready" and not view.itself.settled
    if peer.where is not None:
        where = _name(peer.where, view)
        state = {"state": peer.state.replace("_", " "), "since": peer.since}
        return _base(member) | state | {"where": where, "media": peer.media}
    return _base(member) | {
        "state": "joining" if settling else peer.state.replace("_", " "),
        "since": peer.since,
        "address": peer.address,
        "rtt_ms": None if peer.rtt is None else round(peer.rtt * 1000, 2),
        "roster": None if peer.version is None else "in step" if peer.roster_in_step else "behind",
        "version": peer.version,
    }


def _condition(key: bytes, view: View) -> dict[str, Json]:
    condition = view.conditions.get(key, Condition())
    contact = view.contacts.get(key) or None
    return {"trouble": list(condition.troubles), "dark": condition.dark, "contact": contact}


def _name(key: bytes, view: View) -> str:
    member = view.roster.member(key)
    return device_id(key) if member is None else member.name


def _own_row(member: Member, view: View) -> dict[str, Json]:
    itself = view.itself
    state = "ready" if itself.busy == "free" else itself.busy.replace("_", " ")
    return _base(member) | {
        "you": True,
        "state": state if itself.settled else "joining",
        "since": itself.started,
        "address": itself.addresses[0] if itself.addresses else None,
        "roster": "in step",
        "version": __version__,
    }


def _revoked(view: View) -> list[dict[str, Json]]:
    return [
        _base(member) | {"state": "revoked", "you": key == view.itself.key}
        for key, member in view.roster.revoked.items()
    ]


def _base(member: Member) -> dict[str, Json]:
    return {
        "name": member.name,
        "role": str(member.role),
        "id": member.device_id,
        "you": False,
        "state": "unreachable",
        "since": None,
        "address": None,
        "rtt_ms": None,
        "roster": None,
        "version": None,
        "permissions": sorted(str(permission) for permission in member.permissions),
        "where": None,
        "media": None,
        "trouble": [],
        "dark": False,
        "contact": None,
    }


def _newcomer(newcomer: Newcomer, now: float) -> dict[str, Json]:
    return {
        "name": newcomer.name,
        "role": str(newcomer.role),
        "id": newcomer.id,
        "address": newcomer.addresses[0] if newcomer.addresses else None,
        "age_s": round(max(0.0, now - newcomer.since), 1),
    }


def what_rings(members: Sequence[dict[str, Json]], now: float) -> dict[str, Json]:
    """Who a press would ring now, of the rows of the status, and who would stay silent and why."""
    watchers = [row for row in members if Permission.VIEW in row["permissions"] and row["state"] != "revoked"]
    rung = [row for row in watchers if row["state"] in RINGING_STATES]
    silent = [{"name": row["name"], "why": _why_not(row, now)} for row in watchers if row not in rung]
    screens = sum(row["role"] == Role.SCREEN for row in rung)
    phones = sum(row["role"] == Role.PHONE for row in rung)
    return {
        "screens": screens,
        "phones": phones,
        "would_ring": [row["name"] for row in rung],
        "would_not": silent,
        "text": _sentence(screens, phones, silent),
    }


def _why_not(row: dict[str, Json], now: float) -> str:
    if row["state"] == "joining":
        return "joining"
    if row["state"] == "quiet":
        return "quiet hours"
    if row["role"] == Role.PHONE:
        return "its page is not open"
    if row["since"] is None:
        return "never seen"
    return f"unreachable for {duration(now - row['since'])}"


def _sentence(screens: int, phones: int, silent: Sequence[dict[str, Json]]) -> str:
    rung = " and ".join(_count(number, word) for number, word in ((screens, "screen"), (phones, "phone")) if number)
    text = f"a press now would ring {rung or 'nobody'}"
    if silent:
        text += "; " + ", ".join(f"{row['name']} would not: {row['why']}" for row in silent)
    return text


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def duration(seconds: float) -> str:
    """A length of time as a person says it: `8 s`, `5 min`, `2 h`, `3 d`."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(0, int(seconds))} s"


def _attention(view: View, members: Sequence[dict[str, Json]]) -> list[str]:
    sentences = [alarm.text for alarm in view.alarms] + [trouble.text for trouble in view.troubles]
    state = node_state(view)
    if state == "revoked":
        sentences.append("this node was revoked; to pair it again give it a new identity: meshdoor reset")
    elif state == "unpaired":
        sentences.append('this node is in no home: pair it from another node, or: meshdoor found "My home"')
    for row in members:
        if row["state"] == "unreachable" and row["role"] != Role.PHONE:
            sentences.append(f"{row['name']} is unreachable")
        elif row["roster"] == "behind":
            sentences.append(f"{row['name']} holds another roster")
        sentences += [f"{row['name']} has {trouble}" for trouble in row["trouble"]]
    return sentences
