"""SIP clients that sleep: when somebody rings they are woken by a push (RFC 8599), and ring when they are back.

What a client said of itself when it registered is kept after its connection is gone, until it takes leave or is no
member any more. A gateway of the owner's is told, as this node has no keys of Apple's or Google's: one POST a client,

    {"provider": "apns", "param": "…", "prid": "…", "event": "ring", "door": "Front door"}

with the first line of `sip.push_secret_file` as a bearer token. The door rings whoever appears while it rings, so the
call waits for the client as long as the visitor does.
"""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from meshdoor.control import Json
from meshdoor.errors import ConfigError, SipError
from meshdoor.node import journal
from meshdoor.node.house import House
from meshdoor.node.outside_account import read_secret
from meshdoor.ratelimit import KeyedRateLimit
from meshdoor.sip.push import PushTarget
from meshdoor.sip.uri import Uri

DEADLINE: Final = 5.0  # seconds for the gateway
PUSHES: Final = (0.1, 3.0)  # a second and at once, to one client
MAX_SLEEPERS: Final = 64
AT_ONCE: Final = 8  # requests

Post = Callable[[str, bytes, str], int]  # URL, body, secret; the status. Blocks. Raises OSError.
Save = Callable[[dict[str, Json]], object]


def post(url: str, body: bytes, secret: str) -> int:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {secret}"} if secret else {})
    request = urllib.request.Request(url, body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        return int(answer.status)


class Sleepers:
    """`stored` is what `save` was given last. Without a gateway nobody is woken, and no client is told otherwise."""

    def __init__(self, gateway: str, secret_file: str, house: House, *, send: Post = post) -> None:
        self.folder = Path()
        self._gateway = gateway
        self._secret_file = secret_file
        self._house = house
        self._post = send
        self._save: Save = lambda table: None
        self._known: dict[bytes, PushTarget] = {}
        self._limit = KeyedRateLimit(*PUSHES)
        self._lock = asyncio.Lock()
        self._writing: set[asyncio.Task[None]] = set()

    def load(self, stored: Mapping[str, Json], save: Save) -> None:
        """What cannot be read is not there."""
        self._save = save
        for key, document in list(stored.items())[:MAX_SLEEPERS]:
            try:
                self._known[bytes.fromhex(key)] = PushTarget.read(document)
            except (ValueError, SipError):
                continue

    def registered(self, key: bytes, contact: Uri | None) -> tuple[tuple[str, str], ...]:
        """A client has registered, or taken leave (None): what its answer says of pushes."""
        before = self._known.get(key)
        try:
            target = PushTarget.of(contact) if contact is not None and self._gateway else None
        except SipError:
            target = None
        if target != before:
            members = self._house.membership.roster.members
            self._known = {each: found for each, found in self._known.items() if each in members and each != key}
            if target is not None and len(self._known) < MAX_SLEEPERS:
                self._known[key] = target
            task = asyncio.create_task(self._write())
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
        return () if target is None else (target.capability,)

    async def _write(self) -> None:
        async with self._lock:  # what is newer is written later
            table = {key.hex(): found.to_json() for key, found in self._known.items()}
            await asyncio.to_thread(self._save, table)

    async def rang(self, door: str, is_awake: Callable[[bytes], bool]) -> None:
        """Somebody is at a door: wake who sleeps."""
        now = asyncio.get_running_loop().time()
        members = self._house.membership.roster.members
        asleep = [key for key in self._known if key in members and not is_awake(key) and self._limit.allow(key, now)]
        if not asleep or not self._gateway:
            return
        try:
            secret = await asyncio.to_thread(read_secret, self.folder / self._secret_file) if self._secret_file else ""
        except ConfigError as error:
            journal.warn("push", str(error))
            return
        few = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._wake(key, door, secret, few) for key in asleep))

    async def _wake(self, key: bytes, door: str, secret: str, few: asyncio.Semaphore) -> None:
        name = self._house.membership.roster.members[key].name
        message: dict[str, Any] = self._known[key].to_json() | {"event": "ring", "door": door}
        try:
            async with few:
                status = await asyncio.to_thread(self._post, self._gateway, json.dumps(message).encode(), secret)
        except (OSError, ValueError) as error:
            journal.warn("push", f"{name} cannot be woken: {error}", member=name)
            return
        journal.say("push", f"{name} is being woken ({status})", member=name)
