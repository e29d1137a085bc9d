"""`meshdoor status`: the whole house at a glance."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

from meshdoor.cli.output import Subparsers, client, print_json, style, table
from meshdoor.control import Json
from meshdoor.control.client import Client

LOOKS = {
    "ready": "",
    "ringing": "cyan",
    "in call": "cyan",
    "joining": "yellow",
    "quiet": "dim",
    "unreachable": "red",
    "revoked": "dim",
}


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "status",
        parents=[common],
        help="the whole house: who is reachable, who a press would ring",
        description="Ask the node on this host for the whole house. Exit code 1 when something needs attention, "
        "2 when no node runs.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document (docs/status.md)")
    parser.add_argument("--watch", action="store_true", help="redraw live until Ctrl-C; with --json a document a line")
    parser.add_argument("--interval", type=float, default=1.0, metavar="SECONDS", help="of --watch (default 1)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    with client(options, timeout=5.0) as node:
        if options.watch:
            return _watch(node, options)
        document = node.call("status")
    if options.json:
        print_json(document)
    else:
        print(render(document))
    return 1 if document["attention"] else 0


def _watch(node: Client, options: argparse.Namespace) -> int:
    import json

    screen = sys.stdout.isatty() and not options.json
    document = None
    try:
        while True:
            document = node.call("status")
            if options.json:
                print(json.dumps(document, ensure_ascii=False), flush=True)
            else:
                print(("\x1b[H\x1b[J" if screen else "") + render(document), flush=True)
            time.sleep(max(0.1, options.interval))
    except KeyboardInterrupt:
        return 1 if document is None or document["attention"] else 0


def render(document: Json) -> str:
    """The status as a person reads it."""
    parts = [_heading(document)]
    if document["members"]:
        parts.append(_members(document["members"]))
    if document["newcomers"]:
        parts.append("\n".join(_newcomers(document)))
    if by_code := [row["name"] for row in document["members"] if row.get("by_code")]:
        parts.append(f"Opens by code: {', '.join(by_code)}.")
    parts += ["\n".join(lines) for lines in (list(_devices(document)),) if lines]
    parts += [style(f"! {alarm['text']}. {alarm['hint']}", "red") for alarm in document["alarms"]]
    parts += [style(f"! {warning}.", "yellow") for warning in document.get("warnings", ())]
    if document["home"] is not None and document["node"]["state"] != "revoked":
        sentence = document["press"]["text"]
        parts.append(style(sentence[0].upper() + sentence[1:] + ".", "bold"))
    return "\n\n".join(parts)


def _devices(document: Json) -> Iterator[str]:
    """What does not work, here and elsewhere, and what stands in for devices that are not here."""
    for row in document["members"]:
        yield from (style(f"! {row['name']} has {trouble}", "red") for trouble in row["trouble"])
    for device in document["node"]["devices"]:
        if device["state"] == "stand-in":
            yield style(f"{device['kind']}: {device['text']}", "yellow")


def _newcomers(document: Json) -> Iterator[str]:
    admits = any(row["you"] and "admit" in row["permissions"] for row in document["members"])
    for newcomer in document["newcomers"]:
        name = style(newcomer["name"], "cyan")
        yield f"{name} ({newcomer['role']}, {newcomer['id']}) waits to be paired."
    if admits:
        yield "To let it in: meshdoor pair"
    elif document["home"] is not None:
        yield "It is let in on a node that may admit others, by: meshdoor pair"


def _heading(document: Json) -> str:
    home, node = document["home"], document["node"]
    where = ", ".join(node["addresses"][:2]) or "no address"
    itself = f"{style(node['name'], 'bold')} ({node['role']})  {node['id']}  {where}  {node['state']}"
    if home is not None:
        count = f"{home['members']} member" + ("" if home["members"] == 1 else "s")
        line = f"{style(home['name'], 'bold')}  {count}, roster {home['roster'][:8]}\nThis node: {itself}"
        if node["state"] == "revoked":
            line += "\nThis node was revoked. To pair it again, give it a new identity: meshdoor reset"
        return line
    lines = [f"In no home yet: {itself}"]
    if node["pairing"]:
        lines.append(_pairing(node["pairing"]))
    lines.append('Or found a home here: meshdoor found "My home"')
    return "\n".join(lines)


def _pairing(pairing: Json) -> str:
    if pairing["wait_s"] > 0:
        return f"Too many wrong codes: it can be paired again in {int(pairing['wait_s']) + 1} s"
    return f"To pair it: meshdoor pair on any screen of the home, with the code {style(pairing['code'], 'bold')}"


def _members(members: list[Json]) -> str:
    rows = [("NAME", "ROLE", "STATE", "ADDRESS", "RTT", "ROSTER", "VERSION")]
    rows += [
        (
            row["name"] + (" *" if row["you"] else ""),
            row["role"],
            _state(row),
            row["address"] or "-",
            "-" if row["rtt_ms"] is None else f"{row['rtt_ms']:.1f} ms",
            row["roster"] or "-",
            row["version"] or "-",
        )
        for row in members
    ]
    return table(rows, [LOOKS.get(row["state"], "") for row in members])


def _state(row: Json) -> str:
    if row["state"] != "unreachable":
        return f"{row['state']} at {row['where']}" if row["where"] else str(row["state"])
    if row["role"] == "phone":
        return "not open"
    if row["since"] is None:
        return "unreachable, never seen"
    return "unreachable since " + _clock(row["since"])


def _clock(seconds: float) -> str:
    form = "%H:%M" if time.time() - seconds < 43200 else "%Y-%m-%d %H:%M"
    return time.strftime(form, time.localtime(seconds))
