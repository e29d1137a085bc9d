"""`meshdoor events`: what happens at this node, as it happens."""

from __future__ import annotations

import argparse

from meshdoor.cli.output import Subparsers, client, print_json_line, style
from meshdoor.cli.told import sentence


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "events",
        parents=[common],
        help="what happens here, as it happens",
        description="Print a line for each event of this node until Ctrl-C: who rings, who calls, what was shown. "
        "The first event with --json says that it listens.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document a line")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from datetime import datetime

    with client(options, timeout=None) as node:
        try:
            for event in node.events():
                if options.json:
                    print_json_line(event)
                elif text := sentence(event):
                    clock = datetime.now().astimezone().strftime("%H:%M:%S.%f")[:-3]
                    print(f"{style(clock, 'dim')}  {text}", flush=True)
        except KeyboardInterrupt:
            return 0
    return 0
