"""`meshdoor pair`: let a new node into the home."""

from __future__ import annotations

import argparse
import sys
import time

from meshdoor.cli.output import Subparsers, ask, client, print_json, style, table, tell
from meshdoor.control import Json
from meshdoor.control.client import Client
from meshdoor.errors import ConfigError, NotFound, Refused, UserError


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "pair",
        parents=[common],
        help="let a new node into the home, or show this node's code",
        description="On a node of the home that may admit: list the newcomers in reach, ask for the code that the "
        "newcomer shows, and let it in. On the newcomer itself: --show.",
    )
    parser.add_argument("newcomer", nargs="?", help="its name or id; needed only when there are several")
    parser.add_argument(
        "--code", help="the newcomer's code, for scripts (else it is asked for; - reads standard input)"
    )
    parser.add_argument("--name", help="the name it gets in this home (default: its own)")
    parser.add_argument(
        "--wait", type=float, default=10.0, metavar="SECONDS", help="for a newcomer to appear (default 10)"
    )
    parser.add_argument("--list", action="store_true", help="only list the newcomers")
    parser.add_argument("--show", action="store_true", help="on the newcomer: show its code")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    with client(options) as node:
        if options.show:
            return _show(node, options)
        if options.list:
            return _list(node, options)
        answer = _let_in(node, _choose(node, options), options)
    if options.json:
        print_json(answer)
    else:
        print(f"{style(answer['name'], 'bold')} ({answer['role']}) is in {answer['home']}: {answer['id']}")
    return 0


def _show(node: Client, options: argparse.Namespace) -> int:
    itself = node.call("status")["node"]
    pairing = itself["pairing"]
    if itself["state"] == "revoked":
        raise UserError("this node was revoked", "give it a new identity: meshdoor reset")
    if pairing is None:
        raise UserError("this node is in a home already", "to let another in: meshdoor pair; to leave: meshdoor reset")
    if options.json:
        print_json(pairing)
    elif pairing["wait_s"] > 0:
        print(f"Too many wrong codes: wait {int(pairing['wait_s']) + 1} s")
    else:
        print(pairing["code"])
    return 0


def _list(node: Client, options: argparse.Namespace) -> int:
    newcomers = node.call("newcomers")
    if options.json:
        print_json(newcomers)
    elif newcomers:
        print(_table(newcomers))
    else:
        print("No newcomer is in reach.")
    return 0


def _let_in(node: Client, newcomer: Json, options: argparse.Namespace) -> Json:
    """Ask for the code again where it was mistyped; the newcomer changes it after five wrong ones."""
    asked = options.code is None and sys.stdin.isatty()
    if asked:
        tell(f"{newcomer['name']} ({newcomer['role']}, {newcomer['id']}) shows a code of eight digits.")
        tell("Where it has no display, `meshdoor pair --show` there prints it.")
    while True:
        code = _code(options)
        if asked and not code:
            raise UserError("no code given: nobody was let in")
        try:
            return node.call("pair", id=newcomer["id"], code=code, name=options.name)
        except (Refused, ConfigError) as error:
            if not asked or not str(error).endswith(("is wrong", "is not a pairing code")):
                raise
            tell(f"{error}; ENTER alone leaves it.")


def _choose(node: Client, options: argparse.Namespace) -> Json:
    newcomers = _await_newcomers(node, options)
    if len(newcomers) == 1:
        return newcomers[0]
    if not newcomers:
        raise _nobody(node, options)
    if not sys.stdin.isatty() or options.json:
        names = ", ".join(f"{newcomer['name']} {newcomer['id']}" for newcomer in newcomers)
        raise UserError(f"several newcomers are in reach: {names}", "say which: meshdoor pair NAME")
    print(_table(newcomers))
    number = ask("Which one", "1")
    if not number.isdecimal() or not 1 <= int(number[:9]) <= len(newcomers):
        raise UserError(f"there is no newcomer number {number}")
    return newcomers[int(number) - 1]


def _nobody(node: Client, options: argparse.Namespace) -> NotFound:
    others = ", ".join(newcomer["name"] for newcomer in node.call("newcomers"))
    if others:
        return NotFound(f"no newcomer called {options.newcomer} is in reach, but {others}", "see: meshdoor pair --list")
    return NotFound(
        "no newcomer is in reach", "start one with: meshdoor run   (on the same network, and not yet in a home)"
    )


def _await_newcomers(node: Client, options: argparse.Namespace) -> list[Json]:
    deadline = time.monotonic() + options.wait
    told = not sys.stderr.isatty()
    while True:
        found = _meant(node.call("newcomers"), options.newcomer)
        if found or time.monotonic() >= deadline:
            return found
        if not told:
            tell("Waiting for a newcomer to appear ...")
            told = True
        time.sleep(0.1)


def _meant(newcomers: list[Json], wanted: str | None) -> list[Json]:
    """Those of that name or id; else those whose name or id begins so."""
    text = (wanted or "").casefold()
    exact = [newcomer for newcomer in newcomers if text in (newcomer["name"].casefold(), newcomer["id"])]
    return exact or [n for n in newcomers if n["name"].casefold().startswith(text) or n["id"].startswith(text)]


def _code(options: argparse.Namespace) -> str:
    if options.code == "-":
        return sys.stdin.readline().strip()
    if options.code:
        return str(options.code)
    if not sys.stdin.isatty():
        raise UserError("no code given", "give it with --code, or --code - to read it from standard input")
    return ask("Its code")


def _table(newcomers: list[Json]) -> str:
    rows = [("", "NAME", "ROLE", "ID", "ADDRESS", "WAITING")]
    rows += [
        (str(number), n["name"], n["role"], n["id"], n["address"] or "-", f"{int(n['age_s'])} s")
        for number, n in enumerate(newcomers, 1)
    ]
    return table(rows)
