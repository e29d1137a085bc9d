"""`meshdoor export`, `import`, `reset` and `id`: what touches the state directory itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from nacl.pwhash import argon2id

from meshdoor.cli import main
from meshdoor.store.state import StateDirectory, Table
from meshdoor.trust.backup import Cost
from meshdoor.trust.history import History
from meshdoor.trust.identity import Identity
from meshdoor.trust.permissions import DEFAULTS, Role
from meshdoor.trust.statement import Admit
from tests.cli.conftest import Run

Capture = pytest.CaptureFixture[str]
Typing = Callable[[str], None]
PASSPHRASE = "four random words"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = Cost(argon2id.OPSLIMIT_MIN, argon2id.MEMLIMIT_MIN)
    monkeypatch.setattr("meshdoor.trust.backup.Cost", lambda *chosen: Cost(*chosen) if chosen else cheap)


class Home:
    """A screen, its roster, and a second screen that it has admitted."""

    def __init__(self) -> None:
        self.screen, self.other = Identity.generate(), Identity.generate()
        self.history = History()
        self.history.found(self.screen, "Home", "Hall", 0)
        admit = Admit(self.other.key, self.other.certificate, "Kitchen", Role.SCREEN, DEFAULTS[Role.SCREEN])
        self.history.admit(self.screen, admit, 0)

    def keep(self, path: Path, identity: Identity | None = None) -> None:
        with StateDirectory.open(path) as state:
            state.save_identity(identity or self.screen)
            state.save_roster(self.history.wire())
            state.save_table(Table.NODE, {"name": "Hall", "role": "screen"})


def kept(path: Path) -> tuple[Identity | None, History]:
    with StateDirectory.open(path) as state:
        history = History()
        for statement in state.load_roster().statements:
            history.add(statement)
        return state.load_identity(), history


@pytest.fixture
def home() -> Home:
    return Home()


@pytest.fixture
def export(home: Home, state: Path, run: Run, tmp_path: Path) -> Callable[..., int]:
    """Export the screen."""
    home.keep(state)
    return lambda *words: run("export", str(tmp_path / "b"), *words)


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """A file with the passphrase."""
    path = tmp_path / "passphrase"
    path.write_text(PASSPHRASE + "\n")
    return str(path)


@pytest.fixture
def file(home: Home, state: Path, run: Run, tmp_path: Path, secret: str, capsys: Capture) -> Path:
    """A backup of the screen."""
    home.keep(state)
    path = tmp_path / "hall.backup"
    assert run("export", str(path), "--passphrase-file", secret) == 0
    assert "The backup is in" in capsys.readouterr().out
    return path


def test_a_backup_is_private_and_makes_a_new_directory_the_same_node(
    home: Home, file: Path, secret: str, tmp_path: Path, capsys: Capture
) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    fresh = tmp_path / "fresh"
    assert main(["import", str(file), "--state", str(fresh), "--passphrase-file", secret]) == 0
    assert capsys.readouterr().out == "Restored. Start it with: meshdoor run\n"
    identity, history = kept(fresh)
    assert identity is not None
    assert identity.key == home.screen.key
    assert history.roster.digest == home.history.roster.digest
    with StateDirectory.open(fresh) as state:
        assert state.load_table(Table.NODE).values == {"name": "Hall", "role": "screen"}


def test_an_older_backup_brings_back_nobody(home: Home, state: Path, file: Path, run: Run, secret: str) -> None:
    home.history.revoke(home.screen, home.other.key, 0)
    home.keep(state)
    assert run("import", str(file), "--passphrase-file", secret) == 0
    assert set(kept(state)[1].roster.revoked) == {home.other.key}


def test_a_backup_over_another_member_of_the_home_brings_back_nobody(
    home: Home, state: Path, file: Path, run: Run, secret: str, capsys: Capture
) -> None:
    home.history.revoke(home.screen, home.other.key, 0)
    home.keep(state, Identity.generate())
    assert run("import", str(file), "--passphrase-file", secret) == 2
    assert "holds another identity" in capsys.readouterr().err
    assert run("import", str(file), "--passphrase-file", secret, "--replace") == 0
    identity, history = kept(state)
    assert identity is not None
    assert identity.key == home.screen.key
    assert set(history.roster.revoked) == {home.other.key}


def test_a_device_that_was_revoked_since_says_so(
    home: Home, state: Path, tmp_path: Path, run: Run, secret: str, capsys: Capture
) -> None:
    home.keep(state, home.other)
    file = str(tmp_path / "kitchen.backup")
    run("export", file, "--passphrase-file", secret)
    home.history.revoke(home.screen, home.other.key, 0)
    home.keep(state, home.other)
    assert run("import", file, "--passphrase-file", secret) == 2
    told = capsys.readouterr().err
    assert "Home has revoked this device since" in told
    assert "meshdoor reset" in told


def test_the_roster_of_another_home_gives_way(state: Path, file: Path, run: Run, secret: str, home: Home) -> None:
    Home().keep(state)
    assert run("import", str(file), "--passphrase-file", secret, "--replace") == 0
    assert kept(state)[1].roster.digest == home.history.roster.digest


def test_a_running_node_keeps_its_directory(state: Path, file: Path, run: Run, secret: str, capsys: Capture) -> None:
    with StateDirectory.open(state):
        assert run("import", str(file), "--passphrase-file", secret) == 2
        assert run("reset", "--yes") == 2
    assert capsys.readouterr().err.count("another node runs in") == 2


def test_a_backup_is_not_overwritten(file: Path, run: Run, secret: str, capsys: Capture) -> None:
    assert run("export", str(file), "--passphrase-file", secret) == 2
    assert f"{file} exists" in capsys.readouterr().err


def test_a_folder_that_is_not_there(state: Path, home: Home, run: Run, secret: str, capsys: Capture) -> None:
    home.keep(state)
    assert run("export", "/nowhere/at/all", "--passphrase-file", secret) == 2
    assert capsys.readouterr().err == "meshdoor: /nowhere/at/all: No such file or directory\n"
    assert run("import", "/nowhere/at/all", "--passphrase-file", secret) == 2
    assert capsys.readouterr().err == "meshdoor: /nowhere/at/all: No such file or directory\n"


def test_a_wrong_passphrase(file: Path, run: Run, tmp_path: Path, capsys: Capture) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("something else\n")
    assert run("import", str(file), "--passphrase-file", str(wrong)) == 2
    assert "the passphrase is wrong, or the file is damaged" in capsys.readouterr().err


def test_no_backup_at_all(state: Path, run: Run, secret: str, capsys: Capture) -> None:
    assert run("import", secret, "--passphrase-file", secret) == 2
    assert "is not a Meshdoor backup" in capsys.readouterr().err


def test_a_passphrase_through_a_pipe(export: Run, pipe_in: Typing) -> None:
    pipe_in(PASSPHRASE + "\n")
    assert export("--passphrase-file", "-") == 0


@pytest.mark.parametrize(
    ("content", "text"), [(b"", "no passphrase in it"), (b"\xff\xfe", "not UTF-8"), (None, "No such file")]
)
def test_a_passphrase_file_that_cannot_be_used(
    export: Run, tmp_path: Path, capsys: Capture, content: bytes | None, text: str
) -> None:
    path = tmp_path / "p"
    if content is not None:
        path.write_bytes(content)
    assert export("--passphrase-file", str(path)) == 2
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "code"), [((PASSPHRASE, PASSPHRASE), 0), ((PASSPHRASE, "x"), 2), (("short", "short"), 2)]
)
def test_a_person_types_it_twice(
    export: Run, type_in: Typing, monkeypatch: pytest.MonkeyPatch, typed: tuple[str, str], code: int
) -> None:
    type_in("")
    answers = iter(typed)
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    assert export() == code


def test_a_script_must_give_it(export: Run, capsys: Capture) -> None:
    assert export() == 2
    assert "--passphrase-file" in capsys.readouterr().err


@pytest.mark.parametrize("verb", [["id"], ["export", "b"]])
def test_before_the_first_run_there_is_nothing(state: Path, run: Run, capsys: Capture, verb: list[str]) -> None:
    assert run(*verb) == 2
    assert "the first `meshdoor run` makes one" in capsys.readouterr().err


def test_id(state: Path, home: Home, run: Run, capsys: Capture) -> None:
    home.keep(state)
    assert run("id") == 0
    assert capsys.readouterr().out == f"{home.screen.device_id}  (Ed25519 {home.screen.key.hex()})\n"
    assert run("id", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"id": home.screen.device_id, "key": home.screen.key.hex()}


def test_files_that_others_may_read_are_refused(state: Path, home: Home, run: Run, capsys: Capture) -> None:
    home.keep(state)
    (state / "identity.pem").chmod(0o644)
    assert run("id") == 2
    assert f"chmod 600 {state / 'identity.pem'}" in capsys.readouterr().err


def test_reset_forgets_everything(state: Path, home: Home, run: Run, capsys: Capture) -> None:
    home.keep(state)
    assert run("reset") == 2
    assert "--yes" in capsys.readouterr().err
    assert run("reset", "--yes") == 0
    assert list(state.iterdir()) == []


@pytest.mark.parametrize(("typed", "code"), [("yes\n", 0), ("y\n", 0), ("n\n", 2), ("", 2)])
def test_reset_asks_a_person(state: Path, home: Home, run: Run, type_in: Typing, typed: str, code: int) -> None:
    home.keep(state)
    type_in(typed)
    assert run("reset") == code
    assert bool(list(state.iterdir())) == bool(code)
