from __future__ import annotations

import pytest

from meshdoor.trust.permissions import CEILING, DEFAULTS, Permission, Role, allowed


@pytest.mark.parametrize("role", Role)
def test_the_defaults_are_under_the_ceiling(role: Role) -> None:
    assert allowed(role, DEFAULTS[role]) == DEFAULTS[role]


def test_a_door_may_ring_and_nothing_else() -> None:
    assert allowed(Role.DOOR, Permission) == {Permission.RING}


def test_a_lock_may_do_nothing() -> None:
    assert allowed(Role.LOCK, Permission) == set()


def test_a_screen_may_be_given_everything() -> None:
    assert allowed(Role.SCREEN, Permission) == set(Permission)


def test_a_phone_may_admit_but_not_by_default() -> None:
    assert Permission.ADMIT in CEILING[Role.PHONE] - DEFAULTS[Role.PHONE]


def test_nothing_is_added_to_what_was_asked() -> None:
    assert allowed(Role.SCREEN, [Permission.VIEW]) == {Permission.VIEW}
