"""What the screen on the wall is told, made of what the node knows (pure): rows of `homeview` and of the status become
the values of `meshdoor.wall.model`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from meshdoor.control import Json
from meshdoor.node.condition import LACKS
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.roster import Member
from meshdoor.version import __version__
from meshdoor.wall import model

OTHERWISE: Final = "en"

_TAG = re.compile(r"([a-z]{2})(?:[_-]([A-Z]{2}))?(?:[.@].*)?")


def locale_of(environment: Mapping[str, str], wanted: str = "") -> str:
    """A language tag: the wanted one, else that of the system."""
    names = ("LC_ALL", "LC_TIME", "LANG")
    text = wanted or next((environment[name] for name in names if environment.get(name)), "")
    found = _TAG.fullmatch(text)
    return OTHERWISE if found is None else "-".join(part for part in found.groups() if part)


def itself(member: Member | None, identifier: str, name: str, home: str, locale: str) -> model.Itself:
    """A node that is no member yet may do nothing."""
    may = frozenset() if member is None else member.permissions
    return model.Itself(
        id=identifier,
        name=name,
        home=home,
        version=__version__,
        locale=locale,
        member=member is not None,
        can_talk=Permission.TALK in may,
        can_open=Permission.OPEN in may,
        can_admit=Permission.ADMIT in may,
    )


def doors(rows: Iterable[Json], visits: Sequence[Json], files: Mapping[str, str]) -> tuple[model.Door, ...]:
    """`rows` are DOOR; `files` has the pictures that are at hand, by the id of the visit."""
    at = {visit["id"]: float(visit["at"]) for visit in visits}
    return tuple(
        model.Door(
            id=row["id"],
            name=row["name"],
            state=row["state"],
            picture=files.get(row["picture"] or "", ""),
            picture_at=at.get(row["picture"] or "", 0.0),
            lock=bool(row["lock"]),
            contact=row["contact"] or "",
            camera=not any(trouble.startswith(LACKS["camera"]) for trouble in row["trouble"]),
        )
        for row in rows
    )


def rooms(rows: Iterable[Json], own: str) -> tuple[model.Room, ...]:
    """`rows` are MEMBER; screens first, then phones."""
    found = [row for row in rows if row["role"] in (Role.SCREEN, Role.PHONE) and row["id"] != own]
    found.sort(key=lambda row: (row["role"] != Role.SCREEN, row["name"].casefold(), row["id"]))
    return tuple(
        model.Room(row["id"], row["name"], str(row["role"]), row["state"], row.get("at") or "") for row in found
    )


def visits(rows: Iterable[Json], files: Mapping[str, str]) -> tuple[model.Visit, ...]:
    """`rows` are VISIT, the newest first."""
    return tuple(
        model.Visit(
            id=row["id"],
            door=row["door"],
            at=float(row["at"]),
            result=row["result"],
            by=row["by"] or "",
            then=tuple(row["then"]),
            picture=files.get(row["id"], ""),
            seen=bool(row["seen"]),
        )
        for row in rows
    )


def newcomers(rows: Iterable[Json]) -> tuple[model.Newcomer, ...]:
    """`rows` are those of the status."""
    return tuple(model.Newcomer(row["id"], row["name"], row["role"]) for row in rows)


def alarms(rows: Iterable[Json]) -> tuple[model.Alarm, ...]:
    """`rows` are those of the status. What has passed is told by its text; it is another alarm than it was."""
    return tuple(
        model.Alarm(
            id=f"{row['kind']}:{row['id']}:{row['since']}:{'on' if row['on'] else 'off'}",
            kind=row["kind"].replace(" ", "_") if row["on"] else "",
            name=row["name"],
            text=row["text"],
        )
        for row in rows
    )


def pairing(status: Mapping[str, Json] | None, homes: Iterable[str], now: float) -> model.Pairing | None:
    """`status` is that of the pairing desk."""
    if status is None:
        return None
    wait = float(status["wait_s"])
    return model.Pairing(str(status["code"]), now + wait if wait else 0.0, tuple(sorted(homes)))
