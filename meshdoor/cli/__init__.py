"""The command line: one file a verb.

Exit codes: 0 done, 1 refused or something needs attention, 2 bad input or no node.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence

from meshdoor.cli.output import style
from meshdoor.errors import MeshdoorError, Refused, UserError
from meshdoor.version import __version__

VERBS = {
    "run": ("run",),
    "found": ("found",),
    "pair": ("pair",),
    "newcomers": ("newcomers",),
    "enrol": ("enrol",),
    "phone": ("phone",),
    "adopt": ("adopt",),
    "pin": ("pin",),
    "ring": ("ring",),
    "answer": ("answer", "decline", "hangup"),
    "handover": ("handover",),
    "call": ("call", "monitor", "talk", "page", "calls"),
    "dtmf": ("dtmf",),
    "open": ("open",),
    "events": ("events",),
    "history": ("history",),
    "status": ("status",),
    "alarms": ("alarms",),
    "devices": ("devices", "test"),
    "doctor": ("doctor",),
    "members": ("members", "revoke", "rename"),
    "backup": ("export", "import"),
    "identity": ("id",),
    "reset": ("reset",),
    "install": ("install", "uninstall"),
    "demo": ("demo",),
}  # by the module that has them, in the order of the help


def build_parser(wanted: str = "") -> argparse.ArgumentParser:
    """The parser of all verbs, or, since most of what a short verb takes is to load the others, of the one wanted."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state", metavar="DIR", help="the node's state directory (or set MESHDOOR_STATE)")
    parser = argparse.ArgumentParser(
        prog="meshdoor",
        description="A home video intercom with no server, no account and no password to type.",
        epilog='A first home, in three steps: `meshdoor run` on each Pi, `meshdoor found "My home"` on one screen, '
        "and there `meshdoor pair` for every other. Exit codes: 0 done, 1 refused or something needs attention, "
        "2 bad input or no node running.",
    )
    parser.add_argument("--version", action="version", version=f"meshdoor {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    one = [module for module, its in VERBS.items() if wanted in its]
    for module in one or VERBS:
        importlib.import_module(f"meshdoor.cli.{module}").register(verbs, common)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; the process's exit code. A person never gets a traceback, but with MESHDOOR_TRACE=1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.closed:
            stream.reconfigure(errors="replace")  # names may be in a script that this terminal lacks
    words = sys.argv[1:] if arguments is None else arguments
    options = build_parser(*words[:1]).parse_args(words)
    try:
        code: int = options.run(options)
        if sys.stdout:  # none is there after >&-
            sys.stdout.flush()
    except MeshdoorError as error:
        return _complain(error)
    except KeyboardInterrupt:
        print(file=sys.stderr)  # after the ^C that the terminal shows
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _complain(UserError(str(error)))
    except Exception as error:
        if os.environ.get("MESHDOOR_TRACE"):
            raise
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        return _complain(UserError(f"this should not happen: {what}", "with MESHDOOR_TRACE=1 it says where"))
    return code


def _complain(error: MeshdoorError) -> int:
    print(f"{style('meshdoor:', 'red', sys.stderr)} {error}", file=sys.stderr)
    if isinstance(error, UserError) and error.hint:
        print(f"  {error.hint}", file=sys.stderr)
    return 1 if isinstance(error, Refused) else 2
