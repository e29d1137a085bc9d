"""The page's JavaScript is tested by node's own test runner; here it only runs."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable

SCRIPTS = Path(__file__).parent / "js"
OLDEST = 20  # node's WebCrypto has Ed25519, and its runner what these tests use


@cache
def _node() -> str:
    """The node of this system, else the newer one that playwright brings along."""
    here = (shutil.which("node"), compute_driver_executable()[0])
    found = [node for node in here if node and _version(node) >= OLDEST]
    if not found:
        pytest.skip(f"there is no node {OLDEST} or newer")
    return found[0]


def _version(node: str) -> int:
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return int(done.stdout.lstrip("v").split(".")[0] or 0)


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.test.mjs")), ids=lambda script: script.name)
def test_script(script: Path) -> None:
    command = [_node(), "--test", "--test-reporter=tap", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
