"""`meshdoor handover`: let another room talk with the visitor."""

from __future__ import annotations

import argparse

from meshdoor.cli.output import Subparsers, client, print_json, tell


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "handover",
        parents=[common],
        help="hand the visitor over to another room",
        description="Let another room ring with the visitor's picture, and hang up here when it answers. Until then, "
        "and when it does not answer within 20 s, the talk here goes on. Exit code 1 when nobody took over.",
    )
    parser.add_argument("room", metavar="ROOM", help="a screen or a phone, by its name or id")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    with client(options) as node:
        taken = node.call("hand over", lambda said: tell(f"ringing {said['to']}"), to=options.room)
    if options.json:
        print_json(taken)
    else:
        print(f"{taken['to']} talks with the visitor at {taken['door']} now")
    return 0
