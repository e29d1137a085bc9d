"""`meshdoor pair`: let a new node into the home."""

from __future__ import annotations

import argparse
import sys
import time

from meshdoor.cli.output import Subparsers, ask, client, print_json, style, table
from meshdoor.control import Json
from meshdoor.control.client import Client
from meshdoor.errors import NotFound, UserError


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
        newcomer = _choose(node, options)
        answer = node.call("pair", id=newcomer["id"], code=_code(newcomer, options), name=options.name)
    if options.json:
        print_json(answer)
    else:
        print(f"{style(answer['name'], 'bold')} ({answer['role']}) is in {answer['home']}: {answer['id']}")
    return 0


def _show(node: Client, options: argparse.Namespace) -> int:
    pairing = node.call("status")["node"]["pairing"]
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


def _choose(node: Client, options: argparse.Namespace) -> Json:
    newcomers = _await_newcomers(node, options)
    if len(newcomers) == 1:
        return newcomers[0]
    if not newcomers:
        wanted = f" called {options.newcomer}" if options.newcomer else ""
        raise NotFound(
            f"no newcomer{wanted} is in reach",
            "start it with: meshdoor run   and see that it is on the same network",
        )
    if not sys.stdin.isatty() or options.json:
        names = ", ".join(f"{newcomer['name']} {newcomer['id']}" for newcomer in newcomers)
        raise UserError(f"several newcomers are in reach: {names}", "say which: meshdoor pair NAME")
    print(_table(newcomers))
    number = ask("Which one", "1")
    if not number.isdigit() or not 1 <= int(number) <= len(newcomers):
        raise UserError(f"there is no newcomer number {number}")
    return newcomers[int(number) - 1]


def _await_newcomers(node: Client, options: argparse.Namespace) -> list[Json]:
    deadline = time.monotonic() + options.wait
    while True:
        found = [n for n in node.call("newcomers") if _matches(n, options.newcomer)]
        if found or time.monotonic() >= deadline:
            return found
        time.sleep(0.1)


def _matches(newcomer: Json, wanted: str | None) -> bool:
    if wanted is None:
        return True
    return bool(newcomer["name"].casefold() == wanted.casefold() or newcomer["id"].startswith(wanted.lower()))


def _code(newcomer: Json, options: argparse.Namespace) -> str:
    if options.code == "-":
        return sys.stdin.readline().strip()
    if options.code:
        return str(options.code)
    if not sys.stdin.isatty():
        raise UserError("no code given", "give it with --code, or --code - to read it from standard input")
    print(f"{newcomer['name']} ({newcomer['role']}, {newcomer['id']}) shows a code; `meshdoor pair --show` there too.")
    return ask("Its eight digits")


def _table(newcomers: list[Json]) -> str:
    rows = [("", "NAME", "ROLE", "ID", "ADDRESS", "WAITING")]
    rows += [
        (str(number), n["name"], n["role"], n["id"], n["address"] or "-", f"{int(n['age_s'])} s")
        for number, n in enumerate(newcomers, 1)
    ]
    return table(rows)
