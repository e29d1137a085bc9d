"""The power goes at random moments; the node is back by itself, nothing is lost and nothing is broken.

A few cuts by default. `MESHDOOR_POWER_CUTS=100` makes more of them, `MESHDOOR_SEED` others.
"""

from __future__ import annotations

import os
import random
import statistics

import pytest

from tests.lab import House
from tests.lab.cuts import Home, cut, litter, moments, settle
from tests.lab.presses import Family

pytestmark = pytest.mark.lab

CUTS = int(os.environ.get("MESHDOOR_POWER_CUTS", "5"))
SEED = int(os.environ.get("MESHDOOR_SEED", "0")) or random.randrange(1, 1 << 31)
SMALL = "[media]\nwidth = 320\nheight = 192\nbitrate = 300000\n"


def test_the_power_goes_and_comes_back() -> None:
    ready, together = [], []
    with House("hall", "kitchen", "door") as house, Family(house, "hall", "kitchen", settings=SMALL) as family:
        home = Home(family["hall"], family.door, family["kitchen"])
        before = home.ids
        for number, (at_door, moment) in enumerate(moments(CUTS, SEED)):
            victim = home.door if at_door else home.hall
            try:
                ready.append(cut(home, victim, moment))
                together.append(settle(home))
                home.check()
            except Exception as error:
                error.add_note(f"cut {number} of seed {SEED}: {victim.name} {moment:.3f} s after its start")
                raise
            assert "Traceback" not in victim.process.text, victim.process.tail()
            assert litter(victim.state) == []
        assert {node.name: node.id for node in (home.hall, home.door, home.kitchen)} == before
        for node in (family["hall"], family.door):
            family.ears.listen(node)
        family.rehearse()
        family.pictures(family.press(), ["hall"])
        family["hall"].ask("answer")
        family.hears("sound", "hall")
    print(
        f"\n{CUTS} cuts (seed {SEED}), {home.done} deeds, {len(home.promised.presses)} visitors kept, none lost; "
        f"ready after median {statistics.median(ready):.2f} s, worst {max(ready):.2f} s; "
        f"all together after another {statistics.median(together):.2f} s, worst {max(together):.2f} s"
    )
