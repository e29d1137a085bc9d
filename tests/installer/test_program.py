"""Where the program comes from, and when it is built anew."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest

from meshdoor.installer import program
from meshdoor.installer.program import Program, Source, find_source, tree_mark
from meshdoor.store.location import checkout
from meshdoor.version import __version__
from tests.installer.fakes import fake_system


class Distribution:
    def __init__(self, told: object) -> None:
        self.told = told

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self.told is None else json.dumps(self.told)


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        (None, f"meshdoor=={__version__}"),
        ({"url": "file:///home/pi/meshdoor.whl", "archive_info": {}}, "/home/pi/meshdoor.whl"),
        (
            {"url": "https://host/m.git", "vcs_info": {"vcs": "git", "commit_id": "ab12"}},
            "meshdoor @ git+https://host/m.git@ab12",
        ),
    ],
)
def test_what_pipx_installed_is_installed_again(told: object, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "checkout", lambda: None)
    monkeypatch.setattr(metadata, "distribution", lambda _: Distribution(told))
    assert find_source().wanted == wanted


def test_a_checkout_is_its_own_source() -> None:
    source = find_source()
    assert source.folder == checkout()
    assert source.mark == find_source().mark


def test_the_installed_program_has_the_wheel_it_was_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = tmp_path / "0.1.0-abc"
    (version / "dist").mkdir(parents=True)
    wheel = version / "dist/meshdoor-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"")
    (version / "complete").write_text('{"mark": "m"}')
    monkeypatch.setattr(program, "checkout", lambda: None)
    monkeypatch.setattr(program, "HOME", tmp_path)
    monkeypatch.setattr(program, "__file__", str(version / "lib/site-packages/meshdoor/installer/program.py"))
    assert find_source() == Source(str(wheel), "m")


def test_a_source_of_ones_own() -> None:
    assert find_source("git+https://host/fork.git").wanted == "git+https://host/fork.git"


def test_whatever_a_wheel_is_made_of_is_in_the_mark(tmp_path: Path) -> None:
    for file in ("pyproject.toml", "README.md", "LICENSE", "meshdoor/a.py", "services/x.service"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("")
    marks = {tree_mark(tmp_path)}
    for file in ("pyproject.toml", "meshdoor/a.py", "services/x.service"):
        (tmp_path / file).write_text("other")
        marks.add(tree_mark(tmp_path))
    (tmp_path / "meshdoor/b.py").write_text("")
    marks.add(tree_mark(tmp_path))
    (tmp_path / "meshdoor/a.pyc").write_text("")
    assert len(marks | {tree_mark(tmp_path)}) == 5


def test_the_version_that_runs_is_left_until_the_next_is_complete(tmp_path: Path) -> None:
    system, host = fake_system(tmp_path)
    old, new = (Program(Source("meshdoor==1", mark), ("lock",)) for mark in ("old", "new"))
    old.apply(system)
    host.fails = " install "
    with pytest.raises(Exception, match="no space left"):
        new.apply(system)
    assert system.path(program.CURRENT).readlink() == old.place(system)
    assert new.pending(system).startswith("build ")
    host.fails = ""
    new.apply(system)
    assert system.path(program.CURRENT).readlink() == new.place(system)
    assert new.pending(system) == ""


def test_a_broken_link_is_only_set_again(tmp_path: Path) -> None:
    system, host = fake_system(tmp_path)
    wanted = Program(Source("meshdoor==1", "m"), ())
    wanted.apply(system)
    system.path(program.CURRENT).unlink()
    builds = len(host.did("-m venv"))
    assert wanted.pending(system).startswith("link /opt/meshdoor/current")
    wanted.apply(system)
    assert len(host.did("-m venv")) == builds


def test_a_source_that_is_something_else_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system, host = fake_system(tmp_path)
    monkeypatch.setattr(host, "_python", lambda words: (0, ""))
    with pytest.raises(Exception, match="numpy is not Meshdoor"):
        Program(Source("numpy", "m"), ()).apply(system)


def test_what_a_wheel_is_made_of_has_all_that_the_installer_writes(tmp_path: Path) -> None:
    """`services/` and the constraints are links in a checkout; in a wheel they are files."""
    source = find_source().folder
    assert source is not None
    system, _ = fake_system(tmp_path / "root")
    with program._reachable(system, Source(str(source), "m", source)) as copied:
        folder = tmp_path / "root" / copied.lstrip("/")
        found = {file.name for file in (folder / "meshdoor/installer/files").iterdir()}
        assert not (folder / "meshdoor/installer/files").is_symlink()
        assert (folder / "meshdoor/installer/constraints.txt").read_text().startswith("aio")
    assert {"meshdoor.service", "take-enrolment", "config.toml", "firewall.nft"} <= found
