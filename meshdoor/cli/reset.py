"""`meshdoor reset`: forget the home and become a newcomer again."""

from __future__ import annotations

import argparse
import sys

from meshdoor.cli.output import Subparsers, agrees, state_path
from meshdoor.errors import UserError


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "reset",
        parents=[common],
        help="forget the home and the identity: this node becomes a newcomer",
        description="Remove this node's identity, roster and known addresses. The home goes on counting the old "
        "identity as a member until it is revoked there. The node must not be running.",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from meshdoor.store.state import StateDirectory

    with StateDirectory.open(state_path(options), create=False) as state:
        if not options.yes:
            if not sys.stdin.isatty():
                raise UserError("this removes the node's identity for good", "say --yes to do it")
            if not agrees(f"Remove the identity and roster in {state.path}?"):
                raise UserError("nothing was removed")
        state.forget()
    print("Done: the next `meshdoor run` starts with a new identity and shows a pairing code.")
    return 0
