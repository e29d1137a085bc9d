"""`meshdoor dtmf`: type digits to whom this node talks with."""

from __future__ import annotations

import argparse

from meshdoor.cli.output import Subparsers, client, print_json


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "dtmf",
        parents=[common],
        help="type digits to whom this node talks with",
        description="Send digits as a telephone's keys do: with the sound (RFC 4733), or as INFO where the other end "
        "takes nothing else. They take a fifth of a second each. Exit code 1 when nobody is talked with.",
    )
    parser.add_argument("digits", metavar="DIGITS", help="at most 32 of 0-9, *, #, A-D (quote the star)")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    with client(options) as node:
        sent = node.call("dtmf", digits=options.digits)
    if options.json:
        print_json(sent)
    else:
        print(f"{sent['digits']} goes to {sent['with']}")
    return 0
