"""`meshdoor run`: the node itself."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from meshdoor.cli.output import Subparsers, state_path
from meshdoor.errors import StateError

if TYPE_CHECKING:
    from meshdoor.config import Config
    from meshdoor.node.web import WebFactory


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "run",
        parents=[common],
        help="run the node on this machine",
        description="Run the node until SIGTERM or Ctrl-C. Without arguments it does the sensible thing: the role from "
        "the hardware found, the name from the host name. A node that is in no home shows a pairing code.",
    )
    parser.add_argument("--role", choices=("door", "screen", "lock"), help="what this node is")
    parser.add_argument("--name", help="what people call it, for example Kitchen")
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings (TOML); none is needed")
    parser.add_argument("--port", type=int, help="TCP port of the mesh (default 5071; 0 takes any)")
    parser.add_argument(
        "--interface",
        action="append",
        metavar="NAME",
        help="use this network interface only; may be given several times (lo stays on this machine)",
    )
    parser.add_argument("--enrol", metavar="FILE", type=Path, help="join with this enrolment file")
    parser.add_argument(
        "--pipe", metavar="NAME", help="obey scripts that were written for linphone-daemon, at the socket /tmp/NAME"
    )
    parser.add_argument("--log", choices=("text", "json"), help="how the log reads")
    parser.set_defaults(run=run)


def settings(options: argparse.Namespace) -> Config:
    """The file's settings with those of the command line over them. Raises ConfigError."""
    import dataclasses

    from meshdoor import config

    chosen = config.load(options.config, state_path(options))
    mesh = dataclasses.replace(
        chosen.mesh,
        port=chosen.mesh.port if options.port is None else options.port,
        interfaces=tuple(options.interface or chosen.mesh.interfaces),
    )
    return dataclasses.replace(
        chosen,
        name=chosen.name if options.name is None else options.name,
        role=options.role or chosen.role,
        mesh=mesh,
        sip=dataclasses.replace(chosen.sip, pipe=chosen.sip.pipe if options.pipe is None else options.pipe),
        log=config.LogConfig(options.log or chosen.log.format),
    )


def run(options: argparse.Namespace) -> int:
    chosen = settings(options)
    _check_owner(state_path(options))
    from meshdoor.node import journal
    from meshdoor.node.node import run_node

    journal.configure(chosen.log.format)
    return run_node(chosen, state_path(options), options.enrol, sys.stdin.isatty(), load_web)


def _check_owner(state: Path) -> None:
    """Root may look after the state of an installed node, but what a node of root writes it could not read again."""
    if os.geteuid() == 0 and state.is_dir() and state.stat().st_uid != 0:
        raise StateError(
            f"{state} is of the node that is installed here, which is not root",
            "it runs as a service: systemctl status meshdoor; for another node: --state DIR",
        )


def load_web() -> WebFactory:
    """The web server: what it is made of is loaded when there is a phone."""
    from meshdoor.web.server import serve

    return serve
