"""`meshdoor ring`: press the button of this door."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from meshdoor.cli.output import Subparsers, client, print_json, print_json_line, tell
from meshdoor.cli.told import sentence
from meshdoor.control import Json


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "ring",
        parents=[common],
        help="press the button of this door",
        description="Ring every screen and phone, as the button does, and say who rings. With --wait print what "
        "happens until it is over: exit code 0 when somebody answered, 1 when nobody did.",
    )
    parser.add_argument("--wait", action="store_true", help="until it is over")
    parser.add_argument("--json", action="store_true", help="one JSON document; with --wait one more a line and event")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.wait:
        with client(options, timeout=None) as ears, client(options) as node:
            events = ears.events()
            next(events)  # from now on nothing is missed
            said = node.call("ring")
            _tell_asked(said, options.json, lines=True)
            return _follow(events, said["press"], options.json)
    with client(options) as node:
        said = node.call("ring")
    _tell_asked(said, options.json, lines=False)
    return 0


def _tell_asked(said: Json, as_json: bool, *, lines: bool) -> None:
    if as_json:
        (print_json_line if lines else print_json)(said)
        return
    print(f"ringing {', '.join(said['rings']) or 'nobody yet'}", flush=True)
    for silent in said["silent"]:
        tell(f"{silent['name']} does not ring: {silent['why']}")


def _follow(events: Iterator[Json], press: str, as_json: bool) -> int:
    """Print what happens to this press; the exit code."""
    for event in events:
        if event.get("press") != press:
            continue
        if as_json:
            print_json_line(event)
        elif text := sentence(event):
            print(text, flush=True)
        if event["event"] == "over":
            return 0 if event["why"] == "answered" else 1
    return 1
