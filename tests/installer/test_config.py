"""The settings file of an installed node."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.config import SYSTEM_FILE, read
from meshdoor.errors import ConfigError
from meshdoor.installer.config import Settings, is_as_made, role_of, with_setting
from meshdoor.installer.plan import FILES
from tests.installer.fakes import fake_system

TEMPLATE = (FILES / "config.toml").read_text()


def test_the_file_that_is_made_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    for settings in (Settings(TEMPLATE), Settings(TEMPLATE, "door", "Gate")):
        file.write_text(settings.fresh())
        found = read(file)
        assert (found.name, found.role) == (settings.name, settings.role)


def test_each_example_in_it_is_a_setting(tmp_path: Path) -> None:
    """Whoever takes away the `#` gets what the comment says."""
    lines = [line.removeprefix("# ") for line in Settings(TEMPLATE).fresh().splitlines()[3:]]
    (tmp_path / "config.toml").write_text("\n".join(lines))
    found = read(tmp_path / "config.toml")
    assert found.lock is not None
    assert (found.role, found.lock.of, found.devices.buttons) == ("screen", "Front door", ("gpio:17",))


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20), st.sampled_from(["role", "name"]))
def test_a_setting_is_changed_and_nothing_else(value: str, key: str) -> None:
    text = '# mine\nname = "Old"  # the hall\n\n[lock]\nname = 1\n#role = "x"\n[media]\ncamera = "none"\n'
    changed = with_setting(text, key, value)
    before, after = tomllib.loads(text), tomllib.loads(changed)
    assert after == before | {key: value}
    assert changed.count("\n") <= text.count("\n") + 1


def test_a_commented_one_becomes_one() -> None:
    assert tomllib.loads(with_setting(Settings(TEMPLATE).fresh(), "role", "door")) == {"role": "door"}


def test_as_made_is_whatever_the_installer_wrote() -> None:
    made = Settings(TEMPLATE, "door", "").fresh()
    assert is_as_made(made, TEMPLATE)
    assert is_as_made(with_setting(made, "name", "X"), TEMPLATE)
    assert not is_as_made(made + "\n[sip]\nport = 0\n", TEMPLATE)


def test_a_file_that_is_not_toml_is_left_alone(tmp_path: Path) -> None:
    system, _ = fake_system(tmp_path)
    system.write(SYSTEM_FILE, b"role == door", 0o644)
    assert role_of(system) == ""
    with pytest.raises(ConfigError, match="not valid TOML"):
        Settings(TEMPLATE, "door").pending(system)
