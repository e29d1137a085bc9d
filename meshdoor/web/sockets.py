"""The three WebSockets: who is let in at each, and who has to leave when the roster changes."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from aiohttp import web

from meshdoor.errors import AttachError, RemoteProtocolError
from meshdoor.node.web import Guest, Json, SipFlow, WebHouse
from meshdoor.ratelimit import KeyedRateLimit, RateLimit
from meshdoor.trust.attach import CHALLENGE_SIZE, Proof, Purpose, Refusal, refused, verify
from meshdoor.web.questions import Questions
from meshdoor.web.socket import GOING_AWAY, NO_PROOF, REPLACED, TOO_MUCH, Socket, upgrade

PROOF_DEADLINE: Final = 5.0  # seconds
MAX_SIP: Final = 1 << 16  # bytes of a message
MAX_QUESTION: Final = 1 << 15
SIP_RATE: Final = (30.0, 200.0)  # messages a second and at once
QUESTION_RATE: Final = (10.0, 100.0)
TRIES: Final = (2.0, 30.0)  # sockets a second and at once, of one address
SOCKETS_OF_ONE: Final = {Purpose.SIP: 1, Purpose.HOME: 4}  # of one phone; the newest stay
MAX_ATTACHED: Final = 256
MAX_CLIENTS: Final = 32
LOOK_AGAIN: Final = 5.0  # seconds, as the clock may be set meanwhile
AGREED: Final = {Purpose.SIP: "sip", Purpose.HOME: "meshdoor"}  # subprotocols


class Proven(Protocol):
    """What the certificate and the connections have to do with it."""

    def fingerprints(self) -> tuple[bytes, ...]:
        """What a phone may have signed, the present one first."""

    def known(self, request: web.BaseRequest) -> None:
        """A phone has attached on this connection."""


@dataclass(frozen=True, slots=True, eq=False)
class _Attached:
    key: bytes
    purpose: Purpose
    until: int | None
    socket: Socket


class Sockets:
    """All that are open. `stop` closes them."""

    def __init__(self, house: WebHouse, proven: Proven, ice_servers: list[Json]) -> None:
        self._house = house
        self._proven = proven
        self._ice_servers = ice_servers
        self._attached: list[_Attached] = []
        self._clients: set[Socket] = set()
        self._knocking: set[asyncio.Task[object]] = set()
        self._tries = KeyedRateLimit(*TRIES)
        self._timer: asyncio.TimerHandle | None = None
        self._unwatch = house.watch(self.look)

    def __len__(self) -> int:
        return len(self._attached) + len(self._clients)

    def stop(self) -> None:
        """The node stops: phones try another one at once."""
        self._unwatch()
        if self._timer is not None:
            self._timer.cancel()
        for task in self._knocking:
            task.cancel()
        for socket in (*(each.socket for each in self._attached), *self._clients):
            socket.end(GOING_AWAY)

    def look(self) -> None:
        """Cut whoever may not stay, and look again when the next guest's time is over."""
        for each in tuple(self._attached):
            try:
                self._house.standing(each.key)
            except AttachError as error:
                each.socket.cut(error)
                self._attached.remove(each)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        ends = [each.until for each in self._attached if each.until is not None]
        if ends:
            wait = min(LOOK_AGAIN, max(0.02, min(ends) - time.time()))
            self._timer = asyncio.get_running_loop().call_later(wait, self.look)

    async def sip(self, request: web.BaseRequest) -> web.StreamResponse:
        """`/phone`"""
        return await self._serve(request, Purpose.SIP, MAX_SIP, RateLimit(*SIP_RATE))

    async def home(self, request: web.BaseRequest) -> web.StreamResponse:
        """`/home`"""
        return await self._serve(request, Purpose.HOME, MAX_QUESTION, RateLimit(*QUESTION_RATE))

    async def client(self, request: web.BaseRequest) -> web.StreamResponse:
        """`/sip`: who this is, the node finds out by digest."""
        ws = upgrade("sip", MAX_SIP)
        await ws.prepare(request)
        socket = Socket(ws, request.transport, RateLimit(*SIP_RATE))
        if len(self._clients) >= MAX_CLIENTS or not self._may_try(request):
            socket.end(TOO_MUCH)
        self._clients.add(socket)
        flow: SipFlow | None = None
        try:
            flow = self._house.attach_client(request.remote or "", socket.send, socket.cut)
            await socket.run(flow.received)
        except AttachError as error:
            socket.cut(error)
            await socket.run(_ignore)
        finally:
            self._clients.discard(socket)
            if flow is not None:
                flow.closed()
        return ws

    async def _serve(
        self, request: web.BaseRequest, purpose: Purpose, limit: int, rate: RateLimit
    ) -> web.StreamResponse:
        ws = upgrade(AGREED[purpose], limit)
        await ws.prepare(request)
        socket = Socket(ws, request.transport, rate)
        if not self._may_try(request) or len(self._attached) >= MAX_ATTACHED:
            socket.end(TOO_MUCH)
            await socket.run(_ignore)
            return ws
        try:
            with self._until_known():
                guest = await self._proof(request, ws, socket, purpose)
            self._proven.known(request)
            attached = self._enter(guest, purpose, socket)
            try:
                await (self._run_sip if purpose is Purpose.SIP else self._run_home)(guest, socket)
            finally:
                if attached in self._attached:
                    self._attached.remove(attached)
        except AttachError as error:
            socket.cut(error)
            await socket.run(_ignore)
        except TimeoutError:
            socket.end(NO_PROOF)
            await socket.run(_ignore)
        return ws

    async def _proof(
        self, request: web.BaseRequest, ws: web.WebSocketResponse, socket: Socket, purpose: Purpose
    ) -> Guest:
        """The phone that proves its key. Raises AttachError, TimeoutError."""
        challenge = secrets.token_bytes(CHALLENGE_SIZE)
        await ws.send_json({"challenge": challenge.hex(), "home": self._house.home, "node": self._house.node})
        try:
            proof = Proof.parse(await socket.receive(PROOF_DEADLINE))
        except AttachError:
            raise
        except RemoteProtocolError:
            raise refused(Refusal.WRONG) from None
        if not any(verify(proof, challenge, known, purpose) for known in self._proven.fingerprints()):
            raise refused(Refusal.WRONG)
        return self._house.standing(proof.key)

    @contextmanager
    def _until_known(self) -> Iterator[None]:
        """Whoever has not proven anything is not waited for when the node stops."""
        task = asyncio.current_task()
        assert task is not None
        self._knocking.add(task)
        try:
            yield
        finally:
            self._knocking.discard(task)

    def _enter(self, guest: Guest, purpose: Purpose, socket: Socket) -> _Attached:
        same = [each for each in self._attached if each.key == guest.key and each.purpose is purpose]
        for each in same[: len(same) + 1 - SOCKETS_OF_ONE[purpose]]:
            each.socket.end(REPLACED)
            self._attached.remove(each)
        attached = _Attached(guest.key, purpose, guest.until, socket)
        self._attached.append(attached)
        self.look()
        return attached

    async def _run_sip(self, guest: Guest, socket: Socket) -> None:
        socket.tell(self._welcome(guest))
        flow = self._house.attach(guest.key, socket.send, socket.cut)
        try:
            await socket.run(flow.received)
        finally:
            flow.closed()

    async def _run_home(self, guest: Guest, socket: Socket) -> None:
        socket.tell(self._welcome(guest))
        questions = Questions(lambda what, args: self._house.ask(guest.key, what, args), socket.tell)
        unlisten = self._house.listen(guest.key, socket.tell)
        try:
            await socket.run(questions.received)
        finally:
            unlisten()
            await questions.aclose()

    def _welcome(self, guest: Guest) -> Json:
        return {
            "attached": {
                "id": guest.id,
                "name": guest.name,
                "permissions": list(guest.permissions),
                "until": guest.until,
                "ice_servers": self._ice_servers,
            }
        }

    def _may_try(self, request: web.BaseRequest) -> bool:
        return self._tries.allow(request.remote, asyncio.get_running_loop().time())


def _ignore(text: str) -> None:
    """Whoever is leaving is not heard any more."""
