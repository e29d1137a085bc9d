"""`meshdoor demo`: a house to look at, on this machine alone."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from meshdoor.cli import status
from meshdoor.cli.output import Subparsers
from meshdoor.errors import UserError

MOST_SCREENS = 32


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "demo",
        help="a house on this machine: pair, press, see, answer, open",
        description="Found a home of one door, some screens and a lock, each a process of its own; pair them; press; "
        "and show what happens. The camera is a test card, the microphones are tones; what the screens decoded and "
        "the door heard is written to files. Nothing reaches the network.",
    )
    parser.add_argument("--auto", action="store_true", help="do not wait for ENTER")
    parser.add_argument("--screens", type=int, default=3, metavar="N", help="how many screens (default 3)")
    parser.add_argument("--camera", default="card", metavar="FILE", help="a video file instead of the test card")
    parser.add_argument("--loss", type=float, default=0.0, metavar="PERCENT", help="lose packets, at random, each way")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where pictures and sound go (default: a new folder)")
    parser.add_argument("--loopback", action="store_true", help="no virtual house, even where one can be built")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    import asyncio
    import tempfile

    from rich.console import Console

    from meshdoor.demo.play import Choices, Play
    from meshdoor.demo.stage import stage

    _check(options)
    began = time.monotonic()
    console = Console()
    out = _out(options.out)
    choices = Choices(options.screens, options.camera, options.loss, options.auto)
    with tempfile.TemporaryDirectory(prefix="meshdoor-demo-") as folder, stage(Path(folder), options.loopback) as set_:
        faults = asyncio.run(Play(console, set_, out, choices, status.render).run())
    for fault in faults:
        console.print(f"not as it should be: {fault}", style="bold red", highlight=False)
    console.print(f"Pictures and sound are in {out}", highlight=False)
    console.print(f"All nodes have ended; {time.monotonic() - began:.1f} s in all.", highlight=False)
    return 1 if faults else 0


def _check(options: argparse.Namespace) -> None:
    if not 1 <= options.screens <= MOST_SCREENS:
        raise UserError(f"--screens: {options.screens} is not between 1 and {MOST_SCREENS}")
    if not 0 <= options.loss <= 50:
        raise UserError(f"--loss: {options.loss:g} is not between 0 and 50")
    if options.camera != "card" and not Path(options.camera).is_file():
        raise UserError(f"--camera: there is no file {options.camera}")


def _out(given: Path | None) -> Path:
    import tempfile

    if given is None:
        return Path(tempfile.mkdtemp(prefix="meshdoor-seen-"))
    try:
        given.mkdir(parents=True)
    except FileExistsError:
        raise UserError(f"--out: {given} exists", "name a folder that does not") from None
    return given.resolve()
