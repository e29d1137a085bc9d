"""`meshdoor found`: the first node of a home."""

from __future__ import annotations

import argparse
import sys

from meshdoor.cli.output import Subparsers, agrees, client, print_json, tell
from meshdoor.errors import Refused, UserError


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "found",
        parents=[common],
        help="found a new home on this node",
        description="Found a new home with the node that runs here as its first member. It must be a screen. "
        "Where another home is within reach, it asks first: this node could join that one.",
    )
    parser.add_argument("home", nargs="?", default="My home", help='its name (default "My home")')
    parser.add_argument("--anyway", action="store_true", help="even where there is a home that this node could join")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    with client(options) as node:
        try:
            answer = node.call("found", home=options.home, anyway=options.anyway)
        except Refused as error:
            if "within reach" not in str(error) or not sys.stdin.isatty() or options.json:
                raise
            tell(str(error))
            if not agrees("Found another one all the same?"):
                raise UserError("nothing was founded", error.hint) from error
            answer = node.call("found", home=options.home, anyway=True)
    if options.json:
        print_json(answer)
    else:
        print(f"{answer['name']} is founded, and {answer['node']} is its first member.")
        print("Start the next node with `meshdoor run`, then let it in from here: meshdoor pair")
    return 0
