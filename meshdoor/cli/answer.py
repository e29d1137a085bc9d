"""`meshdoor answer`, `decline`, `hangup`: what a person does when it rings here, and when enough was said."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from meshdoor.cli.output import Subparsers, client, print_json, tell
from meshdoor.control import Json


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    for verb, run, what in (
        ("answer", answer, "talk to who rings here, a visitor before anybody else"),
        ("decline", decline, "be silent; others may still answer"),
    ):
        parser = verbs.add_parser(verb, parents=[common], help=what, description=f"{what.capitalize()}. {REFUSED}")
        one = parser.add_mutually_exclusive_group()
        one.add_argument("--visit", type=int, metavar="N", help="this visitor (meshdoor calls has the numbers)")
        one.add_argument("--call", type=int, metavar="N", help="this call")
        parser.add_argument("--json", action="store_true", help="one JSON document")
        parser.set_defaults(run=run)

    parser = verbs.add_parser("hangup", parents=[common], help="end what is on here: a call, a talk, a ring")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=hangup)


REFUSED = "Exit code 1 when nothing rings."


def answer(options: argparse.Namespace) -> int:
    return _choose(options, "answer", lambda name: f"talking with {name}")


def decline(options: argparse.Namespace) -> int:
    return _choose(options, "decline", lambda name: f"declined {name}")


def _choose(options: argparse.Namespace, verb: str, text: Callable[[str], str]) -> int:
    with client(options) as node:
        said: Json = node.call(verb, visit=options.visit, call=options.call)
    if options.json:
        print_json(said)
    else:
        print(text(said["door"] if "visit" in said else said["with"]))
    return 0


def hangup(options: argparse.Namespace) -> int:
    with client(options) as node:
        ended = node.call("hangup")["ended"]
    if options.json:
        print_json({"ended": ended})
    elif ended:
        print(f"ended: {', '.join(ended)}")
    else:
        tell("nothing is on here")
    return 0 if ended else 1
