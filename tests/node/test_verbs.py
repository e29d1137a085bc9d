"""What scripts may ask, where the tests of whole nodes do not come by."""

from __future__ import annotations

import time

import pytest

from meshdoor.control import Json
from meshdoor.errors import PairingError, Refused, UserError
from meshdoor.node.verbs import LONGEST_ENROLMENT, Verbs
from meshdoor.trust.identity import Identity
from meshdoor.trust.permissions import Role
from tests.node.homes import Kept, admitted, founded
from tests.node.test_house import Scene, announcement, scene


async def ask(made: Scene, verb: str, **args: Json) -> Json:
    return await Verbs(made.house, time.time(), 5071).table()[verb](args, lambda _: None)


async def test_beside_another_home_none_is_founded_by_mistake() -> None:
    made = scene(Kept().membership)
    made.house.saw(announcement(Identity.generate(), home="ab" * 16, r="cd" * 16))
    with pytest.raises(Refused, match="a home within reach") as caught:
        await ask(made, "found", home="Mine")
    assert "--anyway" in caught.value.hint
    assert await ask(made, "found", home="Mine", anyway=True) == {"name": "Mine", "node": "Hall"}


async def test_without_an_address_no_enrolment_is_written() -> None:
    made = scene(founded())
    made.house.interfaces_changed(())
    with pytest.raises(Refused, match="no address for the file"):
        await ask(made, "enrol", role="door", name="x", lifetime=60)


@pytest.mark.parametrize("role", ["phone", "cat", ""])
async def test_an_enrolment_is_for_a_role_that_there_is(role: str) -> None:
    with pytest.raises(UserError, match="is none of door, screen, lock"):
        await ask(scene(founded()), "enrol", role=role, name="x", lifetime=60)


@pytest.mark.parametrize(("lifetime", "meant"), [(60, 60), (10**12, LONGEST_ENROLMENT), (-5, 0)])
async def test_an_enrolment_ends(lifetime: int, meant: int) -> None:
    before = int(time.time())
    answer = await ask(scene(founded()), "enrol", role="door", name="x", lifetime=lifetime)
    assert before <= answer["expires"] - meant <= time.time() + 1


async def test_a_pairing_that_fails_is_refused_with_the_reason() -> None:
    made = scene(founded())
    newcomer = Identity.generate()
    made.house.saw(announcement(newcomer, pair=True, name="New"))

    async def fail(*_: object) -> None:
        raise PairingError("it broke off")

    made.house.desk.admit = fail  # type: ignore[method-assign, assignment]
    with pytest.raises(Refused, match="pairing with New failed: it broke off"):
        await ask(made, "pair", id=newcomer.device_id, code="12345678")


async def test_the_doctor_names_whose_clock_is_off() -> None:
    made = scene(founded())
    keys = [admitted(made.house.membership, name).identity.key for name in ("Kitchen", "Bath", "Bed")]
    made.house.peers.roster_changed(made.house.membership.roster, 0)
    made.house.clocks = dict.fromkeys(keys, 0.0) | {keys[0]: 500.0, b"somebody": 9e9}
    texts = [finding["text"] for finding in await ask(made, "doctor")]
    assert "the clock of Kitchen is far off" in texts
    assert "on the network by eth0" in texts


async def test_members_are_listed_in_the_order_of_their_admission() -> None:
    membership = founded()
    admitted(membership, "Zoo")
    admitted(membership, "Attic", Role.DOOR)
    rows = await ask(scene(membership), "members")
    assert [(row["name"], row["by"]) for row in rows] == [("Hall", "Hall"), ("Zoo", "Hall"), ("Attic", "Hall")]


async def test_sip_devices_are_listed_for_those_who_may_admit() -> None:
    (row,) = await ask(scene(founded()), "outsiders")
    assert {"uri": "sip:a@10.0.0.9", "name": "Alice", "transport": "udp"}.items() <= row.items()
    assert 2 <= row["age_s"] < 10
    with pytest.raises(UserError, match="in no home"):
        await ask(scene(Kept().membership), "outsiders")
