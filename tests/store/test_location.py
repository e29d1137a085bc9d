from __future__ import annotations

from pathlib import Path

import pytest

from meshdoor.store.location import SYSTEM, checkout, checkout_of, default_location

SOURCE = Path("/src")


@pytest.mark.parametrize(
    ("environment", "root", "source", "expected"),
    [
        ({"MESHDOOR_STATE": "/a", "STATE_DIRECTORY": "/b"}, True, SOURCE, "/a"),
        ({"STATE_DIRECTORY": "/b:/c", "HOME": "/h"}, True, SOURCE, "/b"),
        ({"HOME": "/h"}, True, SOURCE, "/src/keys/pi"),
        ({"HOME": "/h"}, True, None, str(SYSTEM)),
        ({"HOME": "/h", "XDG_STATE_HOME": "/x"}, False, None, "/x/meshdoor"),
        ({"HOME": "/h"}, False, None, "/h/.local/state/meshdoor"),
        ({}, False, None, "/.local/state/meshdoor"),
    ],
)
def test_first_that_applies(
    environment: dict[str, str], root: bool, source: Path | None, expected: str
) -> None:
    assert default_location(environment, "pi.local", root=root, source=source) == Path(expected)


def test_checkout(tmp_path: Path) -> None:
    module = tmp_path / "meshdoor" / "__init__.py"
    assert checkout_of(module) is None
    (tmp_path / "pyproject.toml").touch()
    assert checkout_of(module) is None
    (tmp_path / "keys").mkdir()
    assert checkout_of(module) == tmp_path.resolve()
    assert checkout() in (None, Path(__file__).resolve().parents[2])
