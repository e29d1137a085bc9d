"""`meshdoor status` answers at once: it must not load what only a running node needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = {"aiortc", "av", "zeroconf", "netifaces", "cryptography", "nacl", "spake2", "rich", "asyncio"}
SCRIPT = """
import sys
from meshdoor.cli import main
code = main(["status", "--state", sys.argv[1]])
print(code, *sorted(set(sys.argv[2:]) & set(sys.modules)))
"""


def test_status_imports_nothing_heavy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), *HEAVY], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["2"]  # no node runs there
