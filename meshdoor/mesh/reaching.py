"""Reaching a member that may be at several addresses: one attempt after another, none waiting for the last."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from meshdoor.mesh.announcement import Address

STAGGER = 0.25  # seconds between two attempts (Connection Attempt Delay, RFC 8305 §5)

P = TypeVar("P", bound=asyncio.Protocol)


async def race(attempts: Iterable[Callable[[], Coroutine[Any, Any, None]]], goal: asyncio.Future[None]) -> None:
    """Start an attempt every `STAGGER`, or at once when another ends, until `goal` is done or all have ended."""
    running: set[asyncio.Future[None]] = set()
    try:
        for attempt in attempts:
            running.add(asyncio.ensure_future(attempt()))
            running = await _wait(running, goal, STAGGER)
            if goal.done():
                return
        while running and not goal.done():
            running = await _wait(running, goal, None)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _wait(
    running: set[asyncio.Future[None]], goal: asyncio.Future[None], patience: float | None
) -> set[asyncio.Future[None]]:
    """Those that still run once one has ended or the time is over."""
    ended, _ = await asyncio.wait({*running, goal}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
    for task in ended - {goal}:
        task.result()
    return running - ended


async def connect(address: Address, make: Callable[[], P]) -> P:
    """A TCP connection to a numeric address. Raises OSError."""
    loop = asyncio.get_running_loop()
    family, name = _sockaddr(address)
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        await loop.sock_connect(sock, name)
    except BaseException:
        sock.close()
        raise
    _, protocol = await loop.create_connection(make, sock=sock)
    return protocol


def _sockaddr(address: Address) -> tuple[int, tuple[Any, ...]]:
    """As the kernel wants it: the scope of a link-local address is a number (RFC 4007 §11)."""
    host, _, scope = address.host.partition("%")
    if ":" not in host:
        return socket.AF_INET, (host, address.port)
    return socket.AF_INET6, (host, address.port, 0, socket.if_nametoindex(scope) if scope else 0)
