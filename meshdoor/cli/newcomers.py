"""`meshdoor newcomers`: who is in reach and could be let in."""

from __future__ import annotations

import argparse
import shlex

from meshdoor.cli.output import Subparsers, client, print_json, table
from meshdoor.control import Json


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "newcomers",
        parents=[common],
        help="nodes and SIP devices in reach that could be let in",
        description="Lists the nodes that can be paired (meshdoor pair), and the SIP devices of others that announce "
        "themselves on the network, which can be adopted (meshdoor adopt). What they say of themselves is only that.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    with client(options) as node:
        nodes, devices = node.call("newcomers"), node.call("outsiders")
    if options.json:
        print_json({"nodes": nodes, "devices": devices})
        return 0
    if nodes:
        print(table([("NODE", "ROLE", "ID", "ADDRESS"), *(_node(row) for row in nodes)]))
        print("To let one in: meshdoor pair")
    if nodes and devices:
        print()
    if devices:
        print(table([("SIP DEVICE", "URI", "SINCE"), *(_device(row) for row in devices)]))
        print(f"To let one in: meshdoor adopt {shlex.quote(devices[0]['uri'])} --name NAME")
    if not nodes and not devices:
        print("No newcomer is in reach.")
    return 0


def _node(row: Json) -> tuple[str, ...]:
    return row["name"], row["role"], row["id"], row["address"] or "-"


def _device(row: Json) -> tuple[str, ...]:
    return row["name"] or "-", row["uri"], f"{int(row['age_s'])} s"
