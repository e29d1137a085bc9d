"""`meshdoor export` and `import`: an encrypted copy of this node's identity and roster."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from meshdoor.cli.output import Subparsers, state_path
from meshdoor.errors import ConfigError, UserError

if TYPE_CHECKING:
    from meshdoor.trust.history import History


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "export",
        parents=[common],
        help="write an encrypted backup of this node",
        description="Write this node's identity and roster to FILE, encrypted with a passphrase (argon2id, secretbox). "
        "Keep one of a screen: with it a house whose screens all died can still admit new ones.",
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="read it there; - is standard input")
    parser.set_defaults(run=export)

    parser = verbs.add_parser(
        "import",
        parents=[common],
        help="restore a node from a backup, or replace a Flexisip",
        description="Restore the identity and roster of FILE into the state directory. The node must not be running, "
        "and the device that the backup was made on must not be used beside this one. If FILE is a flexisip.conf, say "
        "line by line what replaces it here.",
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="read it there; - is standard input")
    parser.add_argument("--replace", action="store_true", help="in place of the identity that is there")
    parser.add_argument(
        "--apply",
        action="store_true",
        help="of a flexisip.conf: write the settings, and let its clients and devices in at the running node",
    )
    parser.set_defaults(run=restore)


def export(options: argparse.Namespace) -> int:
    from meshdoor.store.files import OsFiles, write_atomic
    from meshdoor.store.state import StateDirectory, Table
    from meshdoor.trust.backup import Backup
    from meshdoor.trust.permissions import Role

    if options.file.exists():
        raise UserError(f"{options.file} exists", "choose another name, or remove it")
    with StateDirectory.open(state_path(options), create=False, lock=False) as state:
        identity, roster = state.load_identity(), state.load_roster()
        node = state.load_table(Table.NODE).values
    if identity is None:
        raise UserError(f"there is no identity in {state.path} yet", "the first `meshdoor run` makes one")
    backup = Backup(identity, roster.statements, node.get("name", "Node"), Role(node.get("role", "screen")))
    sealed = backup.export(_passphrase(options, twice=True))
    try:
        write_atomic(OsFiles(), options.file, sealed.encode())
    except OSError as error:
        raise UserError(f"{options.file}: {error.strerror}") from error
    print(f"The backup is in {options.file}. Without its passphrase it is worth nothing; with it, it is this node.")
    return 0


def restore(options: argparse.Namespace) -> int:
    from meshdoor.calls.flexisip import is_flexisip
    from meshdoor.cli import flexisip
    from meshdoor.store.state import StateDirectory, Table
    from meshdoor.trust.backup import MAX_BACKUP, Backup

    try:
        with options.file.open("rb") as file:
            sealed = file.read(MAX_BACKUP + 1).decode(errors="replace")
    except OSError as error:
        raise UserError(f"{options.file}: {error.strerror}") from error
    if is_flexisip(sealed):
        return flexisip.replace(options, sealed)
    backup = Backup.restore(sealed, _passphrase(options, twice=False), str(options.file))
    with StateDirectory.open(state_path(options)) as state:
        there = state.load_identity()
        if there is not None and there.key != backup.identity.key:
            if not options.replace:
                raise UserError(
                    f"{state.path} holds another identity, {there.device_id}", "to overwrite it for good: --replace"
                )
            state.save_table(Table.ENROLMENTS, {})  # their files name the other identity
        history = _united(backup.statements, state.load_roster().statements)
        state.save_identity(backup.identity)
        state.save_roster(history.wire())
        state.save_table(Table.NODE, {"name": backup.name, "role": str(backup.role)})
    if backup.identity.key in history.roster.revoked:
        raise UserError(
            f"restored, but {history.roster.home_name} has revoked this device since", "to join again: meshdoor reset"
        )
    print("Restored. Start it with: meshdoor run")
    return 0


def _united(backup: Iterable[bytes], there: Iterable[bytes]) -> History:
    """The roster of the backup and, if it is of the same home, what is known here since: nobody revoked comes back."""
    from meshdoor.errors import StatementError
    from meshdoor.trust.history import History

    history = History()
    for statement in (*backup, *there):
        with suppress(StatementError):
            history.add(statement)
    return history


def _passphrase(options: argparse.Namespace, twice: bool) -> str:
    if options.passphrase_file is not None:
        return _from_file(options.passphrase_file)
    if not sys.stdin.isatty():
        raise ConfigError("no passphrase given", "give it with --passphrase-file FILE, or - for standard input")
    passphrase = getpass.getpass("Passphrase: ")
    if twice and getpass.getpass("Once more: ") != passphrase:
        raise ConfigError("the two differ")
    return passphrase


def _from_file(path: Path) -> str:
    try:
        text = sys.stdin.readline() if str(path) == "-" else path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8") from error
    if not text.rstrip("\r\n"):
        raise ConfigError(f"{path}: no passphrase in it")
    return text.rstrip("\r\n")
