"""`meshdoor doctor`: says in words what is wrong with this node or its network."""

from __future__ import annotations

import argparse

from meshdoor.cli.output import Subparsers, client, print_json, state_path, style
from meshdoor.control import Json
from meshdoor.errors import NotRunning, StateError

MARKS = {"ok": ("ok", "green"), "warning": ("!", "yellow"), "fault": ("!!", "red")}


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "doctor",
        parents=[common],
        help="what is wrong with this network or node, in words",
        description="Look for what goes wrong in homes: multicast that does not pass, client isolation, a clock far "
        "off, two nodes with one key, a port that is taken, wrong file modes, a stale roster, an old version. "
        "Exit code 1 when something was found.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    findings = [*_files(options), *_node(options)]
    if options.json:
        print_json(findings)
    else:
        print("\n".join(_render(finding) for finding in findings))
    return 0 if all(finding["level"] == "ok" for finding in findings) else 1


def _files(options: argparse.Namespace) -> list[Json]:
    from meshdoor.store.lasting import lasts
    from meshdoor.store.location import SYSTEM
    from meshdoor.store.state import StateDirectory, Table

    path = state_path(options)
    try:
        with StateDirectory.open(path, create=False, lock=False) as state:
            state.load_identity()
            damages = [state.load_roster().damage, *(state.load_table(table).damage for table in Table)]
    except StateError as error:
        return [{"check": "files", "level": "fault", "text": str(error), "hint": error.hint}]
    if any(damages):
        hint = "a node mends it when it starts; where it comes back, the SD card is wearing out"
        return [{"check": "files", "level": "warning", "text": text, "hint": hint} for text in damages if text]
    if path == SYSTEM and not lasts(path):  # another one was chosen by a person
        text = f"{path} is in memory only: after a power cut this node would be in no home"
        hint = "give it a partition of its own, mounted there (docs/hardware.md: a card that is only read)"
        return [{"check": "files", "level": "warning", "text": text, "hint": hint}]
    return [{"check": "files", "level": "ok", "text": f"the files in {path} are as they should be", "hint": ""}]


def _node(options: argparse.Namespace) -> list[Json]:
    try:
        with client(options) as node:
            findings: list[Json] = node.call("doctor")
    except NotRunning as error:
        return [{"check": "node", "level": "fault", "text": str(error), "hint": error.hint}]
    return findings


def _render(finding: Json) -> str:
    mark, look = MARKS[finding["level"]]
    line = f"{style(f'{mark:>2}', look)}  {finding['text']}"
    return f"{line}\n      {finding['hint']}" if finding["hint"] else line
