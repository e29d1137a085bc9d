"""`meshdoor history`: who was at the door, who answered, and how fast everyone saw it."""

from __future__ import annotations

import argparse
from pathlib import Path

from meshdoor.cli.output import Subparsers, client, local_time, print_json, style, table
from meshdoor.control import Json
from meshdoor.errors import ConfigError

HEADING = ("WHEN", "DOOR", "OUTCOME", "ANSWERED BY", "FIRST PICTURE", "ID")


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "history",
        parents=[common],
        help="who was at the door, who answered, how fast everyone saw it",
        description="Ask a screen for the presses of the home. A missed visitor is one that nobody answered anywhere; "
        "once somebody has seen it on one screen it is seen on all.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="how many at most (default 20)")
    parser.add_argument("--missed", action="store_true", help="only missed visitors that nobody has seen yet")
    parser.add_argument("--seen", metavar="all|ID", help="mark missed visitors as seen, on all screens")
    parser.add_argument("--snapshot", nargs=2, metavar=("ID", "FILE"), help="write the picture of a missed visitor")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    with client(options) as node:
        if options.seen:
            return _seen(node.call("seen", which=options.seen), options.json)
        if options.snapshot:
            press, path = options.snapshot
            return _snapshot(node.call("snapshot", id=press), Path(path), options.json)
        document = node.call("history", limit=options.limit, missed=options.missed)
    if options.json:
        print_json(document)
    else:
        print(render(document, missed=options.missed))
    return 0


def render(document: Json, *, missed: bool = False) -> str:
    """The history as a person reads it."""
    presses, openings = document["presses"], document["openings"]
    if not presses and not openings:
        return "No missed visitors." if missed else "Nobody has rung yet."
    parts = []
    if presses:
        looks = ["yellow" if press["missed"] and not press["seen"] else "" for press in presses]
        parts.append(table([HEADING, *map(_row, presses)], looks))
    parts += [_sentence(opening) for opening in openings]
    unseen = sum(press["missed"] and not press["seen"] for press in presses)
    if unseen:
        visitors = "1 missed visitor" if unseen == 1 else f"{unseen} missed visitors"
        parts.append(f"{style(visitors, 'bold')}. To clear: meshdoor history --seen all")
    return "\n".join(parts)


def _row(press: Json) -> tuple[str, ...]:
    opened = "".join(f", {opening['lock']} {opening['result']}" for opening in press["openings"])
    outcome = press["outcome"] + (", seen" if press["missed"] and press["seen"] else "")
    return (
        local_time(press["at"]),
        press["door"],
        outcome + opened,
        ", then ".join([press["answered_by"] or "-", *press["handed_over_to"]]),
        ", ".join(map(_first_picture, press["branches"])) or "-",
        press["id"][:8],
    )


def _first_picture(branch: Json) -> str:
    shown = branch["first_picture_ms"]
    if shown is not None:
        return f"{branch['name']} {shown - branch['asked_ms']} ms"
    rang = branch["provisional_ms"] is not None
    return f"{branch['name']} {'no picture' if rang else branch['why'] or 'no answer'}"


def _sentence(opening: Json) -> str:
    return f"{local_time(opening['at'])}  {opening['who']} asked {opening['lock']} to open: {opening['result']}"


def _seen(answer: Json, as_json: bool) -> int:
    if as_json:
        print_json(answer)
    else:
        count = len(answer["seen"])
        print("Nothing was left to see." if not count else f"{count} marked as seen, on every screen")
    return 0


def _snapshot(answer: Json, path: Path, as_json: bool) -> int:
    import base64

    try:
        path.write_bytes(base64.b64decode(answer["data"]))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    if as_json:
        print_json({"id": answer["id"], "file": str(path)})
    else:
        print(f"{path}: the visitor of {answer['id'][:8]}")
    return 0
