"""What a node answers, for tests of what the command line makes of it."""

from __future__ import annotations

from meshdoor.control import Json

ID = "abcd-efgh-ijkl-mnop"
NEWCOMER = {"name": "Kitchen", "role": "screen", "id": "kkkk-efgh-ijkl-mnop", "address": "10.0.0.7", "age_s": 12.4}
OTHER = {"name": "Kitten", "role": "door", "id": "dddd-efgh-ijkl-mnop", "address": None, "age_s": 3.0}


def row(name: str, **changes: Json) -> dict[str, Json]:
    made = {
        "name": name,
        "role": "screen",
        "id": ID,
        "you": False,
        "state": "ready",
        "since": 1790000000.0,
        "address": "10.0.0.3",
        "rtt_ms": 1.25,
        "roster": "in step",
        "version": "0.1.0",
        "permissions": ["admit", "open", "talk", "view"],
        "where": None,
        "trouble": [],
        "dark": False,
    }
    return made | changes


def status(**changes: Json) -> dict[str, Json]:
    """A home of one screen, which is asked."""
    made = {
        "schema": 1,
        "version": "0.1.0",
        "home": {"name": "My home", "id": "ab" * 16, "roster": "1234567890abcdef" * 2, "members": 1},
        "node": {
            "name": "Hall",
            "role": "screen",
            "id": ID,
            "state": "ready",
            "addresses": ["10.0.0.2", "fe80::2%eth0", "10.0.1.2"],
            "port": 5071,
            "uptime_s": 7.0,
            "media": "off",
            "devices": [],
            "pairing": None,
        },
        "members": [row("Hall", you=True, rtt_ms=None)],
        "newcomers": [],
        "press": {
            "screens": 1,
            "phones": 0,
            "would_ring": ["Hall"],
            "would_not": [],
            "text": "a press now would ring 1 screen",
        },
        "alarms": [],
        "attention": [],
    }
    return made | changes


def unpaired(wait: float = 0.0) -> dict[str, Json]:
    """A newcomer."""
    node = status()["node"] | {"state": "unpaired", "pairing": {"code": "1234-5678", "wait_s": wait}}
    return status(home=None, node=node, members=[], attention=["this node is in no home"])
