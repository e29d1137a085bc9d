"""`meshdoor export` and `import`: an encrypted copy of this node's identity and roster."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path

from meshdoor.cli.output import Subparsers
from meshdoor.errors import ConfigError, UserError
from meshdoor.location import state_path

SHORTEST = 8


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
        help="restore a node from a backup",
        description="Restore the identity and roster of FILE into the state directory. The node must not be running, "
        "and the device that the backup was made on must not be used beside this one.",
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="read it there; - is standard input")
    parser.add_argument("--replace", action="store_true", help="in place of the identity that is there")
    parser.set_defaults(run=restore)


def export(options: argparse.Namespace) -> int:
    from meshdoor.store.files import OsFiles, write_atomic
    from meshdoor.store.state import StateDirectory
    from meshdoor.trust import backup

    state = StateDirectory(state_path(options.state))
    contents = state.contents()
    if options.file.exists():
        raise UserError(f"{options.file} exists", "choose another name, or remove it")
    sealed = backup.seal(contents, _passphrase(options, twice=True))
    try:
        write_atomic(OsFiles(), options.file, sealed)
    except OSError as error:
        raise UserError(f"{options.file}: {error.strerror}") from error
    print(f"The backup is in {options.file}. Without its passphrase it is worth nothing; with it, it is this node.")
    return 0


def restore(options: argparse.Namespace) -> int:
    from meshdoor.store.state import StateDirectory
    from meshdoor.trust import backup

    try:
        sealed = options.file.read_bytes()
    except OSError as error:
        raise UserError(f"{options.file}: {error.strerror}") from error
    contents = backup.unseal(sealed, _passphrase(options, twice=False))
    with StateDirectory(state_path(options.state)).open() as state:
        state.restore(contents, replace=options.replace)
    print("Restored. Start it with: meshdoor run")
    return 0


def _passphrase(options: argparse.Namespace, twice: bool) -> bytes:
    if options.passphrase_file is not None:
        return _from_file(options.passphrase_file)
    if not sys.stdin.isatty():
        raise ConfigError("no passphrase given", "give it with --passphrase-file FILE, or - for standard input")
    passphrase = getpass.getpass("Passphrase: ")
    if twice and len(passphrase) < SHORTEST:
        raise ConfigError(f"a passphrase has at least {SHORTEST} characters")
    if twice and getpass.getpass("Once more: ") != passphrase:
        raise ConfigError("the two differ")
    return os.fsencode(passphrase)


def _from_file(path: Path) -> bytes:
    try:
        text = sys.stdin.readline().encode() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    if not text.rstrip(b"\r\n"):
        raise ConfigError(f"{path}: no passphrase in it")
    return text.rstrip(b"\r\n")
