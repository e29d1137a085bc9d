"""`meshdoor enrol`: a file that lets a new node join by itself at its first boot."""

from __future__ import annotations

import argparse
import sys

from meshdoor.cli.output import Subparsers, client, local_time, print_json
from meshdoor.errors import ConfigError

UNITS = {"m": 60, "h": 3600, "d": 86400}


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "enrol",
        parents=[common],
        help="write an enrolment file: a new node joins with it by itself",
        description="Write an enrolment file to standard output. Put it as meshdoor.enrol on the newcomer's SD card "
        "(the boot partition), or beside its state: it joins on first boot. Good for one node, and only until it "
        "expires. Who holds the file can join this home: keep it as you keep a key.",
    )
    parser.add_argument("--role", choices=("door", "screen", "lock"), required=True, help="what the newcomer will be")
    parser.add_argument("--name", required=True, help="its name in the home")
    parser.add_argument("--expires", default="7d", metavar="TIME", help="30m, 12h or 7d (default 7d)")
    parser.add_argument("--json", action="store_true", help="the file's text inside one JSON document")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    lifetime = parse_lifetime(options.expires)
    with client(options) as node:
        answer = node.call("enrol", role=options.role, name=options.name, lifetime=lifetime)
    if options.json:
        print_json(answer)
        return 0
    print(answer["file"], end="")
    print(f"{options.name} may join until {local_time(answer['expires'])}, once.", file=sys.stderr)
    return 0


def parse_lifetime(text: str) -> int:
    """Seconds of `30m`, `12h` or `7d`; at most 31 days. Raises ConfigError."""
    number, unit = text[:-1], text[-1:]
    if not number.isascii() or not number.isdigit() or unit not in UNITS:
        raise ConfigError(f"--expires: {text!r} is not a time like 30m, 12h or 7d")
    seconds = int(number[:9]) * UNITS[unit]
    if not 60 <= seconds <= 31 * 86400:
        raise ConfigError(f"--expires: {text} is not between one minute and 31 days")
    return seconds
