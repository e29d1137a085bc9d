"""What strangers on the network get from a node over SIP: OPTIONS, and nothing else."""

from __future__ import annotations

import pytest

from tests.lab import House
from tests.lab.nodes import Node
from tests.lab.torture import CASES

pytestmark = pytest.mark.lab


def test_a_node_answers_options_after_every_torture_message() -> None:
    with House("hall", "stranger") as house:
        hall, stranger = Node(house["hall"]), house["stranger"]
        told = stranger.run(stranger.python("tests.lab.torture", house["hall"].ipv4, 5060), timeout=120).stdout
        assert told.split("\n")[0] == f"{len(CASES)} sent"
        assert hall.status()["node"]["state"] == "unpaired"
