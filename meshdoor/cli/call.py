"""`meshdoor call`, `monitor`, `talk`, `page` and `calls`: from room to room, and through a door."""

from __future__ import annotations

import argparse

from meshdoor.cli.output import Subparsers, client, print_json, table, tell
from meshdoor.control import Json


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = _add(verbs, common, "call", "call another room", "Ring there; whoever answers talks with this room.")
    parser.add_argument("name", help="its name, id or the beginning of its id")
    parser.set_defaults(run=call)

    text = "See through a door. Nobody there is heard or hears until `meshdoor talk`; the door says that it is watched."
    parser = _add(verbs, common, "monitor", "look through a door", text)
    parser.add_argument("door", nargs="?", help="its name, id or the beginning of its id; needed if there are several")
    parser.set_defaults(run=monitor)

    text = "Open the sound both ways with whom this screen looks at (monitor) or listens to (page)."
    _add(verbs, common, "talk", "speak to whom this screen looks at or listens to", text).set_defaults(run=talk)

    text = "Speak to every other screen. It is heard at once where the settings there list this room under "
    text += "auto_answer; elsewhere it rings. End it with: meshdoor hangup"
    _add(verbs, common, "page", "speak to all screens", text).set_defaults(run=page)

    text = "List the press, the visitors and the calls of this node. Exit code 1 when there are none."
    _add(verbs, common, "calls", "what is on here now", text).set_defaults(run=calls)


def _add(
    verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser, verb: str, what: str, text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(verb, parents=[common], help=what, description=text)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    return parser


def call(options: argparse.Namespace) -> int:
    return _told(options, _ask(options, "call", member=options.name), "calling {with}")


def monitor(options: argparse.Namespace) -> int:
    return _told(options, _ask(options, "monitor", door=options.door), "looking through {with}")


def talk(options: argparse.Namespace) -> int:
    return _told(options, _ask(options, "talk"), "asking {with} for sound")


def page(options: argparse.Namespace) -> int:
    said = _ask(options, "page")
    if options.json:
        print_json(said)
        return 0
    print(f"paging {', '.join(row['with'] for row in said['calls'])}")
    for silent in said["silent"]:
        tell(f"{silent['name']} is not paged: {silent['why']}")
    return 0


def calls(options: argparse.Namespace) -> int:
    said = _ask(options, "calls")
    rows = _rows(said)
    if options.json:
        print_json(said)
    elif rows:
        print(table([("WHAT", "NUMBER", "WITH", "STATE"), *rows]))
    else:
        tell("nothing is on here")
    return 0 if rows else 1


def _rows(said: Json) -> list[tuple[str, str, str, str]]:
    rows = [("visitor", str(visit["visit"]), visit["door"], visit["state"]) for visit in said["visitors"]]
    rows += [(row["kind"], str(row["call"]), row["with"], row["state"]) for row in said["calls"]]
    return [("press", "-", "-", said["press"]["state"]), *rows] if said["press"] else rows


def _ask(options: argparse.Namespace, verb: str, **args: Json) -> Json:
    with client(options) as node:
        return node.call(verb, **args)


def _told(options: argparse.Namespace, row: Json, text: str) -> int:
    if options.json:
        print_json(row)
    else:
        print(text.format_map(row))
    return 0
