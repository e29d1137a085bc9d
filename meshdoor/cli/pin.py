"""`meshdoor pin`: the code by which a SIP client opens a lock."""

from __future__ import annotations

import argparse
import getpass
import sys

from meshdoor.cli.output import Subparsers, client, print_json, style, tell
from meshdoor.errors import UserError

MAX_LINE = 64  # characters that are read


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "pin",
        parents=[common],
        help="let a SIP client open the lock by a code that is typed in a call with the door",
        description="Set the code of a SIP client that was let in at this node: 4 to 8 digits, asked for unseen, or a "
        "line of standard input. In a call with a door, the digits and # open its lock. Only a hash of it is kept.",
    )
    parser.add_argument("member", help="its name, id or the beginning of its id")
    parser.add_argument("--off", action="store_true", help="it opens by no code any more")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    code = None if options.off else read_code()
    with client(options) as node:
        answer = node.call("pin", member=options.member, code=code)
    if options.json:
        print_json(answer)
        return 0
    told = "opens by its code and # in a call with a door" if answer["by_code"] else "opens by no code any more"
    print(f"{style(answer['name'], 'bold')} {told}.")
    if answer["warning"]:
        tell(style(f"Beware: {answer['warning']}.", "yellow"))
    return 0


def read_code() -> str:
    """Typed twice unseen, or a line of standard input: never an argument, which all who use this machine could see.
    Raises UserError."""
    if not sys.stdin.isatty():
        return sys.stdin.readline(MAX_LINE).strip()
    code = getpass.getpass("Code, 4 to 8 digits: ").strip()
    if getpass.getpass("The same again: ").strip() != code:
        raise UserError("these are two different codes")
    return code
