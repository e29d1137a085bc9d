"""`meshdoor install` and `uninstall`: this machine as a node for good, started with it."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from meshdoor.cli.output import Subparsers, style
from meshdoor.errors import ConfigError, UserError

if TYPE_CHECKING:
    from meshdoor.installer.steps import Step
    from meshdoor.installer.system import System

MAX_ENROLMENT = 16384  # bytes; as in meshdoor.trust.enrolment, which cannot be loaded before its packages are there

def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "install",
        help="make this machine a node for good: packages, user, service",
        description="Make this machine a node that starts with it: packages of the system, a user of its own, the "
        "program under /opt/meshdoor, hardened systemd units, settings in /etc/meshdoor, all state in "
        "/var/lib/meshdoor. Run it again after an update or to change the role: it does only what is missing.",
    )
    parser.add_argument("--role", choices=("door", "screen", "lock"), default="", help="what this node is")
    parser.add_argument("--name", default="", help="what people call it, for example Kitchen")
    parser.add_argument("--enrol", metavar="FILE", type=Path, help="join with this enrolment file (see enrol)")
    parser.add_argument("--firewall", action="store_true", help="take nothing from outside the home network")
    parser.add_argument(
        "--extras", metavar="LIST", default="", help="of door, screen, lock, aec, push, notify; else as the role needs"
    )
    parser.add_argument("--from", metavar="WHAT", dest="source", default="", help="another source: a wheel, a git URL")
    _shared(parser)
    parser.set_defaults(run=install)

    parser = verbs.add_parser(
        "uninstall",
        help="take the node off this machine, but not its state",
        description="Undo `meshdoor install`: units, user, program, and the packages that came with it and that "
        "nothing else needs. The state of the node, its key first of all, stays in /var/lib/meshdoor, for root alone.",
    )
    _shared(parser)
    parser.set_defaults(run=uninstall)


def _shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--no-packages", action="store_true", help="leave the packages of the system alone")
    parser.add_argument(
        "--root", metavar="DIR", type=Path, default=Path("/"), help="a system mounted there, such as an SD card's"
    )


def install(options: argparse.Namespace) -> int:
    from meshdoor.installer import plan
    from meshdoor.installer.program import find_source
    from meshdoor.installer.steps import STATE

    system = _system(options)
    plan.check_machine(system, not options.no_packages)
    wish = plan.Wish(
        options.role,
        options.name,
        tuple(sorted(filter(None, options.extras.split(",")))),
        _enrolment(options.enrol),
        not options.no_packages,
        options.firewall,
    )
    wish = plan.as_before(wish, system)
    done = _carry_out(plan.steps(wish, find_source(options.source)), system, options.dry_run)
    if wish.extras and not options.dry_run and sorted(wish.extras) != system.record().get("extras"):
        system.remember("extras", wish.extras, anew=True)
    if options.dry_run:
        print(f"{done} things to do; nothing was changed." if done else "Nothing to do.")
    elif not done:
        print("Nothing to do: all is as it should be.")
    else:
        print(f"\nInstalled. Its state is in {STATE}, its settings in /etc/meshdoor/config.toml.")
        print("  sudo meshdoor status         # the house, as this node sees it")
        print("  sudo meshdoor pair --show    # the code to let this node in; not needed with an enrolment file")
        print("  journalctl -fu meshdoor      # its log")
    return 0


def uninstall(options: argparse.Namespace) -> int:
    from meshdoor.installer import removal
    from meshdoor.installer.steps import STATE

    system = _system(options)
    done = _carry_out(removal.steps(not options.no_packages), system, options.dry_run)
    if options.dry_run:
        print(f"{done} things to do; nothing was changed." if done else "Nothing to do.")
    else:
        print("Meshdoor is not installed any more." if done else "Meshdoor was not installed.")
    if system.path(STATE).is_dir():
        print(f"The state of this node stays in {STATE}: its key, its home, its history. `meshdoor install` takes")
        print(f"it up again. To be rid of it for good: sudo rm -r {STATE}; and revoke the node on a screen.")
    return 0


def _carry_out(steps: list[Step], system: System, dry: bool) -> int:
    """How many had something to do."""
    done = 0
    for step in steps:
        if not (what := step.pending(system)):
            continue
        print(f"{style('would' if dry else 'now', 'dim')} {what}", flush=True)
        if not dry:
            step.apply(system)
        system.changed = True
        done += 1
    return done


def _system(options: argparse.Namespace) -> System:
    from meshdoor.installer.system import System

    if os.geteuid() != 0 and not options.dry_run:
        words = [str(Path(sys.argv[0]).absolute()), *sys.argv[1:]]
        raise UserError("only root can change a machine so", f"sudo {shlex.join(words)}")
    root = options.root.resolve()
    if not root.is_dir():
        raise ConfigError(f"--root: there is no directory {root}")
    return System(root)


def _enrolment(path: Path | None) -> bytes:
    """The file, looked at before anything is done; the node itself reads it closely. Raises ConfigError."""
    if path is None:
        return b""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_ENROLMENT + 1)
        told = tomllib.loads(data.decode())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except ValueError:
        told = {}
    if not str(told.get("format", "")).startswith("meshdoor enrolment") or len(data) > MAX_ENROLMENT:
        hint = "write one on a screen: meshdoor enrol --role ROLE --name NAME"
        raise ConfigError(f"{path} is no enrolment file", hint)
    return data
