"""What a node that is in no home does to get into one."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from pathlib import Path

from meshdoor.config import check_name
from meshdoor.errors import ConfigError, PairingError, StatementError, UserError
from meshdoor.mesh.announcement import instance_name
from meshdoor.mesh.peers import PeerTable
from meshdoor.node import journal
from meshdoor.node.membership import Membership
from meshdoor.node.pairing import PairingDesk
from meshdoor.node.terminal import typed_line
from meshdoor.trust.enrolment import MAX_FILE, Enrolment
from meshdoor.trust.permissions import Role

OFFER_AFTER = 3.0  # seconds of listening after which there is no home in reach
ENROL_RETRY = 5.0  # seconds, at first
BOOT = (Path("/boot/firmware"), Path("/boot"))
ENROLMENT = "meshdoor.enrol"
ONCE = "It is tried again; a file that another device has used is good no more"


class Beginning:
    """`folder` is the node's state directory, where an enrolment file may lie; so may one on the boot partition."""

    def __init__(self, membership: Membership, desk: PairingDesk, peers: PeerTable, folder: Path) -> None:
        self._membership = membership
        self._desk = desk
        self._peers = peers
        self._folder = folder

    def become(self, enrolment: Path | None) -> None:
        """A newcomer with an enrolment is built as what it will be. A bad file is told of when it is used."""
        found = enrolment or self._find_enrolment()
        if self._desk.open and found is not None:
            with contextlib.suppress(ConfigError):
                read = _read_enrolment(found)
                self._desk.name, self._desk.role = read.name, read.role

    async def run(self, enrolment: Path | None, interactive: bool) -> None:
        """Until the node belongs to a home, or nothing more can be done. Raises ConfigError."""
        if not self._desk.open:
            if self._membership.itself is None:
                journal.warn("revoked", "this node was revoked; to join again give it a new identity: meshdoor reset")
            return
        journal.say("pairing", f"to let this node in: meshdoor pair on a screen, code {self._desk.window.code}")
        found = enrolment or self._find_enrolment()
        if found is not None:
            await self._join(found, chosen=found is enrolment)
        elif interactive:
            await self._offer_to_found()

    def _find_enrolment(self) -> Path | None:
        places = (self._folder, *BOOT)
        return next((place / ENROLMENT for place in places if (place / ENROLMENT).is_file()), None)

    async def _join(self, path: Path, chosen: bool) -> None:
        """Join with an enrolment file; tried again while nobody answers. One that was `chosen` must be usable."""
        try:
            enrolment = _read_enrolment(path)
            enrolment.check(self._membership.roster.home, time.time(), str(path))
        except ConfigError as error:
            if chosen:
                raise
            journal.warn("enrolment", f"{error}; {error.hint}")
            return
        wait = ENROL_RETRY
        while self._desk.open:
            try:
                await self._desk.join(enrolment, self._peers.whereabouts(instance_name(enrolment.issuer)))
            except PairingError as error:
                journal.warn("enrolment", f"joining {enrolment.home_name} with {path}: {error}. {ONCE}")
                await asyncio.sleep(wait)
                wait = min(2 * wait, 300.0)
        _discard(path)

    async def _offer_to_found(self) -> None:
        await asyncio.sleep(OFFER_AFTER)
        if self._peers.homes() or self._desk.role != Role.SCREEN:
            return
        tell = "There is no home in reach. To found one here, type its name; or wait until this node is paired."
        while self._desk.open:
            print(tell, file=sys.stderr, flush=True)
            name = await typed_line()
            if name is None or not self._desk.open:
                return
            try:
                if check_name(name):
                    self._membership.found(name, self._desk.name, self._desk.role, time.time())
            except (UserError, StatementError) as error:
                tell = f"That is no name for a home: {error}. Type another one."


def _read_enrolment(path: Path) -> Enrolment:
    try:
        with path.open("rb") as file:
            return Enrolment.parse(file.read(MAX_FILE + 1), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error


def _discard(path: Path) -> None:
    """Its token is used up; on a read-only boot partition it may stay."""
    with contextlib.suppress(OSError):
        path.unlink()
