"""`meshdoor id`: who this node is."""

from __future__ import annotations

import argparse

from meshdoor.cli.output import Subparsers, print_json, state_path
from meshdoor.errors import UserError


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser("id", parents=[common], help="this node's device id and public key")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from meshdoor.store.state import StateDirectory

    path = state_path(options)
    with StateDirectory.open(path, create=False, lock=False) as state:
        identity = state.load_identity()
    if identity is None:
        raise UserError(f"there is no identity in {path} yet", "the first `meshdoor run` makes one")
    if options.json:
        print_json({"id": identity.device_id, "key": identity.key.hex()})
    else:
        print(f"{identity.device_id}  (Ed25519 {identity.key.hex()})")
    return 0
