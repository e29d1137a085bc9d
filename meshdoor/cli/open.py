"""`meshdoor open`: open a lock."""

from __future__ import annotations

import argparse

from meshdoor.cli.output import Subparsers, client, print_json, style, table, tell


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "open",
        parents=[common],
        help="open a lock",
        description="Ask a lock to open, and print what it answered. This node must be one that may: a screen or a "
        "phone. The answer is signed by the lock; exit code 1 means that the door is not open.",
    )
    parser.add_argument("door", nargs="?", default="", help="name of the door or the lock; needed if there are several")
    parser.add_argument("--person", default="", metavar="NAME", help="who wants it, for the record (else this node)")
    parser.add_argument("--list", action="store_true", help="only list the locks in reach")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.list:
        return _list(options)
    with client(options) as node:
        answer = node.call("open", door=options.door, person=options.person)
    if options.json:
        print_json(answer)
        return 0
    where = f"{answer['of']} is open" if answer["of"] else "the door is open"
    already = " already" if answer["result"] == "already open" else ""
    print(f"{style(where + already, 'green')}, says {answer['lock']} after {answer['took_ms']:.0f} ms")
    if answer["simulated"]:
        tell("There is no real lock there: it is simulated.")
    return 0


def _list(options: argparse.Namespace) -> int:
    with client(options) as node:
        locks = node.call("locks")
    if options.json:
        print_json(locks)
    elif locks:
        print(table([("LOCK", "OPENS", "ID"), *((lock["name"], lock["of"] or "-", lock["id"]) for lock in locks)]))
    else:
        tell("no lock is in reach; see: meshdoor status")
    return 0 if locks else 1
