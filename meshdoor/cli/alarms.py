"""`meshdoor alarms`: what is wrong in the house now."""

from __future__ import annotations

import argparse

from meshdoor.cli.output import Subparsers, client, local_time, print_json, style, tell


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "alarms",
        parents=[common],
        help="what is wrong in the house: a door left open, a door unit tampered with or gone",
        description="List the alarms that are on, and tampering that is over and nobody has seen. Exit code 1 when "
        "there is one.",
    )
    parser.add_argument("--clear", action="store_true", help="what is over was seen: forget it, on every screen")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    with client(options) as node:
        if options.clear:
            node.call("alarms_clear")
        alarms = node.call("alarms")
    if options.json:
        print_json(alarms)
    for alarm in () if options.json else alarms:
        print(f"{local_time(alarm['since'])}  {style(alarm['text'], 'red' if alarm['on'] else 'yellow')}")
        tell(f"  {alarm['hint']}")
    if not alarms and not options.json:
        tell("all is well")
    return 1 if alarms else 0
