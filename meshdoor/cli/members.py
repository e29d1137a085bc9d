"""`meshdoor members`, `revoke` and `rename`: who belongs to the home."""

from __future__ import annotations

import argparse
import sys

from meshdoor.cli.output import Subparsers, agrees, client, local_time, print_json, table
from meshdoor.control import Json
from meshdoor.control.client import Client
from meshdoor.errors import UserError


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser("members", parents=[common], help="who belongs to the home and what each may do")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=members)

    parser = verbs.add_parser("revoke", parents=[common], help="throw a member out, everywhere, at once and for good")
    parser.add_argument("member", help="its name, id or the beginning of its id")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(run=revoke)

    parser = verbs.add_parser("rename", parents=[common], help="give a member another name")
    parser.add_argument("member", help="its name, id or the beginning of its id")
    parser.add_argument("name", help="the new name")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=rename)


def members(options: argparse.Namespace) -> int:
    with client(options) as node:
        rows = node.call("members")
    if options.json:
        print_json(rows)
        return 0
    if not rows:
        raise UserError("this node is in no home", 'pair it from another node, or found one: meshdoor found "My home"')
    heading = ("NAME", "ROLE", "MAY", "ID", "ADMITTED", "BY")
    lines = [
        (
            row["name"],
            row["role"],
            _may(row),
            row["id"],
            local_time(row["at"]),
            row["by"] or "-",
        )
        if not row["revoked"]
        else (row["name"], row["role"], "revoked", row["id"], local_time(row["at"]), row["by"] or "-")
        for row in rows
    ]
    print(table([heading, *lines], ["dim" if row["revoked"] else "" for row in rows]))
    return 0


def _may(row: Json) -> str:
    permissions = ", ".join(row["permissions"]) or "-"
    if row.get("by_code"):
        permissions += " (opens by code)"
    return permissions if row["until"] is None else f"{permissions} until {local_time(row['until'])}"


def revoke(options: argparse.Namespace) -> int:
    with client(options) as node:
        if sys.stdin.isatty() and not (options.yes or options.json) and not _confirmed(node, options.member):
            raise UserError("nobody was revoked")
        answer = node.call("revoke", member=options.member)
    if options.json:
        print_json(answer)
    else:
        print(f"{answer['name']} ({answer['id']}) is out. {_told(answer['told'])}")
    return 0


def _confirmed(node: Client, text: str) -> bool:
    """There is no way back, so say who it is. Where no single member is meant, the node says so."""
    rows = [row for row in node.call("status")["members"] if row["state"] != "revoked"]
    meant = [row for row in rows if row["name"].casefold() == text.strip().casefold()]
    meant = meant or [row for row in rows if row["id"].startswith(text.strip().lower())]
    if len(meant) != 1:
        return True
    itself = " It is THIS node." if meant[0]["you"] else ""
    return agrees(f"Throw out {meant[0]['name']} ({meant[0]['role']}, {meant[0]['id']}) for good?{itself}")


def _told(count: int) -> str:
    if count == 0:
        return "No other node is in reach: each learns it as soon as it is back."
    nodes = "1 reachable node knows" if count == 1 else f"{count} reachable nodes know"
    return f"{nodes} it already; any other learns it as soon as it is back."


def rename(options: argparse.Namespace) -> int:
    with client(options) as node:
        answer = node.call("rename", member=options.member, name=options.name)
    if options.json:
        print_json(answer)
    else:
        print(f"{answer['was']} is now {answer['name']}")
    return 0
