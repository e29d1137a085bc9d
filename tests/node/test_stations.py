"""The door stations that a node rings for: what is kept of them, who they are, and what they may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from meshdoor.calls.clients import Keying
from meshdoor.control import Json
from meshdoor.errors import MeshdoorError, Refused, UserError
from meshdoor.mesh.frames import State as Busy
from meshdoor.node import stations as stations_module
from meshdoor.node.arguments import Args
from meshdoor.node.attachments import Attachments
from meshdoor.node.house import House
from meshdoor.node.station import Yard
from meshdoor.node.station_kept import Known
from meshdoor.node.station_lock import CodeActuator
from meshdoor.node.stations import Stations
from meshdoor.sip.digest import make_ha1
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.registrar import REALM
from meshdoor.sip.uri import SipUri
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Member, Roster
from tests.calls.people import member

HALL, GATE = member("Hall"), member("Gate", Role.DOOR)
HERE = ("192.168.1.2", 5060)
STORED: dict[str, Json] = {"uri": "sip:panel@192.168.1.40", "media": "plain", "code": "42#", "by_info": True}


class FakeNode:
    """As much of a house, its membership, and a call service as stations need."""

    def __init__(self, *members: Member) -> None:
        self.membership = self.outside = self
        self.roster = Roster(members={each.key: each for each in members})
        self.role = Role.SCREEN
        self.hosted: list[bytes] = []
        self.busy: list[Busy] = []
        self.saved: dict[str, Json] = {}
        self.listeners: list[Callable[[Roster], None]] = []
        self.spawned = 0
        self.engine: Any = None

    def listen(self, listener: Callable[[Roster], None]) -> None:
        self.listeners.append(listener)

    def changed(self, *members: Member) -> None:
        self.roster = Roster(members={each.key: each for each in members})
        for listener in self.listeners:
            listener(self.roster)

    def admit_station(self, key: bytes, name: str, now: float) -> Member:
        made = Member(key, "id", name, Role.DOOR, GATE.permissions, b"", HALL.key, (1, key), 0)
        self.changed(*self.roster.members.values(), made)
        return made

    def host(self, key: bytes) -> None:
        self.hosted.append(key)

    def occupy(self, key: bytes, busy: Busy) -> None:
        self.busy.append(busy)

    def save(self, table: dict[str, Json]) -> None:
        self.saved = table

    def name_of(self, key: bytes) -> str:
        return self.roster.members[key].name

    def now(self) -> float:
        return 0.0

    def spawn(self, work: Any) -> None:
        self.spawned += 1
        work.close()

    def certificate(self, flow: Flow) -> bytes:
        return bytes.fromhex(str(flow.connection or ""))

    async def target(self, uri: SipUri, certificate: bytes = b"") -> Target:
        return Target(uri, flow(uri.host))


def flow(host: str, transport: str = "UDP", shown: str = "") -> Flow:
    """`shown`: the certificate of whoever is there, in hex."""
    return Flow(transport, HERE, (host, 5060), shown or None)


def stations_of(node: FakeNode, stored: dict[str, Json] | None = None) -> Stations:
    made = Stations(cast(Yard, node), cast(House, node), cast(Attachments, node), 45.0)
    made.load(stored or {}, node.save)
    node.changed(*node.roster.members.values())
    return made


async def adopt(stations: Stations, **given: Json) -> dict[str, Any]:
    asked = {"uri": "sip:panel@192.168.1.40", "name": "Gate", "media": "plain"} | given
    answer: dict[str, Any] = await stations._adopt(Args(asked))
    return answer


def test_what_is_kept_is_read_again() -> None:
    secret: dict[str, Json] = {"MD5": "a" * 32, "SHA-256": "b" * 64}
    known = Known.read(STORED | secret)
    assert known.stored() == STORED | secret
    assert (known.kept.where.keying, known.kept.code, known.kept.by_info) == (Keying.PLAIN, "42#", True)
    assert "42#" not in repr(known)


WRONG = [{"code": "4x"}, {"code": "1" * 17}, {"uri": "tel:5"}, {"media": "rot13"}, {"MD5": "a"}]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_read_is_not_there(wrong: dict[str, Json]) -> None:
    with pytest.raises((ValueError, MeshdoorError)):
        Known.read(STORED | wrong)
    stations = stations_of(FakeNode(HALL, GATE), {GATE.key.hex(): STORED | wrong, "zz": STORED})
    assert stations.find(GATE.key) is None


async def test_a_station_is_known_by_its_address() -> None:
    node = FakeNode(HALL, GATE)
    stations = stations_of(node, {GATE.key.hex(): STORED})
    assert node.hosted == [GATE.key]
    await stations._locate(GATE.key)
    assert stations.caller(flow("192.168.1.40")) == GATE
    assert stations.trusts(flow("192.168.1.40", "TCP"))
    assert stations.caller(flow("192.168.1.41")) is None
    assert stations.caller(flow("192.168.1.40", "LINK")) is None
    node.changed(HALL)
    assert stations.find(GATE.key) is None
    assert stations.caller(flow("192.168.1.40")) is None


async def test_a_station_that_was_adopted_over_tls_is_known_by_its_certificate() -> None:
    node = FakeNode(HALL, GATE)
    stored: dict[str, Json] = STORED | {"certificate": "abcd"}
    stations = stations_of(node, {GATE.key.hex(): stored})
    await stations._locate(GATE.key)
    assert stations.certificates() == {b"\xab\xcd"}
    assert stations.caller(flow("192.168.1.77", "TLS", "abcd")) == GATE
    for transport, shown in (("TLS", "abce"), ("TLS", ""), ("TCP", ""), ("UDP", "")):
        assert stations.caller(flow("192.168.1.40", transport, shown)) is None
    with_secret: dict[str, Json] = stored | {"MD5": "a" * 32, "SHA-256": "b" * 64}
    proving = stations_of(node, {GATE.key.hex(): with_secret})
    await proving._locate(GATE.key)
    assert proving.certificates() == frozenset()
    assert proving.caller(flow("192.168.1.40", "TLS")) == GATE


async def test_a_screen_adopts_a_station() -> None:
    node = FakeNode(HALL)
    stations = stations_of(node)
    told: list[str] = []
    stations.opens = told.append
    answer = await adopt(stations, code="7", digest=True)
    (kept,) = node.saved.values()
    assert (answer["joined"], answer["user"]) == ("Gate", "panel")
    assert kept["MD5"] == make_ha1("MD5", "panel", REALM, answer["secret"])
    assert answer["secret"] not in str(node.saved)
    assert "unencrypted" in answer["warning"]
    assert told == ["Gate"]
    assert stations.trusts(flow("192.168.1.40"))
    with pytest.raises(Refused, match="there is a gate already"):
        await adopt(stations, name="gate")
    with pytest.raises(Refused, match="there is a station at"):
        await adopt(stations, name="Yard")
    with pytest.raises(Refused, match="called panel"):
        await adopt(stations, name="Yard", uri="sip:panel@192.168.1.41", digest=True)


async def test_what_is_no_station_is_not_adopted() -> None:
    node = FakeNode(HALL)
    stations = stations_of(node)
    with pytest.raises(UserError, match="code"):
        await adopt(stations, code="12a")
    with pytest.raises(UserError, match="user name"):
        await adopt(stations, uri="sip:192.168.1.40", digest=True)
    node.role = Role.DOOR
    with pytest.raises(Refused, match="adopted by a screen"):
        await adopt(stations)
    assert node.saved == {}


async def test_a_node_opens_no_station_without_a_code() -> None:
    with pytest.raises(Refused, match="no station with a code"):
        await CodeActuator(stations_of(FakeNode(HALL, GATE))).release()


async def test_a_station_that_does_not_take_its_code_in_time_is_not_said_to_be_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stations_module, "RELEASE_PATIENCE", 0.02)
    node = FakeNode(HALL, GATE)
    stations = stations_of(node, {GATE.key.hex(): STORED})
    actuator = CodeActuator(stations)
    with pytest.raises(Refused, match="Gate did not take its code in time"):
        await actuator.release()
    await actuator.shut()
    assert node.spawned  # it was called
    assert stations._stations[GATE.key].line is None
