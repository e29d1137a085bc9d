"""The wire form does not drift: what is under tests/data/trust stays readable and means the same."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from meshdoor.trust.history import History
from meshdoor.trust.identity import Identity, certificate_key
from meshdoor.trust.roster import Member
from meshdoor.trust.statement import Statement

DATA = Path(__file__).parent.parent / "data" / "trust"


@pytest.mark.parametrize("vector", json.loads((DATA / "identity.json").read_text()))
def test_an_identity(vector: dict[str, str]) -> None:
    identity = Identity.generate(lambda size: bytes.fromhex(vector["seed"])[:size])
    assert identity.key.hex() == vector["key"]
    assert identity.device_id == vector["device_id"]
    assert identity.certificate == b64decode(vector["certificate"])
    assert certificate_key(identity.certificate) == identity.key


def shown(members: Mapping[bytes, Member]) -> list[dict[str, Any]]:
    return [
        {
            "key": member.key.hex(),
            "name": member.name,
            "role": member.role,
            "permissions": sorted(member.permissions),
        }
        for member in sorted(members.values(), key=lambda member: member.seniority)
    ]


def test_a_roster() -> None:
    vector = json.loads((DATA / "roster.json").read_text())
    held = History(bytes.fromhex(vector["home"]))
    for each in vector["statements"]:
        carried = b64decode(each["carried"])
        assert Statement.parse(carried).id.hex() == each["id"]
        held.add(carried)
    assert held.roster.digest.hex() == vector["digest"]
    assert shown(held.roster.members) == vector["members"]
    assert shown(held.roster.revoked) == vector["revoked"]
