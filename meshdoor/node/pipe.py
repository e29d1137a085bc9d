"""`meshdoor run --pipe NAME`: the Unix socket of linphone-daemon, `/tmp/NAME`, for scripts that were written for it.

It is opened by the same name in the abstract namespace as well, which a private /tmp (systemd's PrivateTmp) does not
hide. A name with a slash is a path. Who may command it is who may command the node: its own user and root, and its
group, whose members may connect to the file.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

from meshdoor.control.daemon import Commands, Reply
from meshdoor.errors import ConfigError
from meshdoor.node import journal

FOLDER: Final = Path("/tmp")
MODE: Final = 0o660
MAX_SCRIPTS: Final = 8  # connections; linphone-daemon takes one
PAUSE: Final = 0.02  # seconds without another byte after which a command needs no line feed
CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid (SO_PEERCRED, unix(7))

Obey = Callable[[str], Awaitable[Reply]]


def sockets_of(name: str, folder: Path = FOLDER) -> list[socket.socket]:
    """Listening. Raises ConfigError."""
    if not name or name.startswith("-") or "\0" in name or len(os.fsencode(name)) > 80:
        raise ConfigError(f"pipe: {name!r} is no name for a socket")
    opened = []
    try:
        if not name.startswith("@"):
            opened.append(_listen_at(Path(name) if "/" in name else folder / name))
        if "/" not in name:
            opened.append(_listen("\0" + name.removeprefix("@")))
    except OSError as error:
        for sock in opened:
            sock.close()
        raise ConfigError(f"pipe: {name}: {error.strerror}", "does linphone-daemon still run?") from error
    return opened


def _listen_at(path: Path) -> socket.socket:
    """Where nobody listens any more the file is taken away first; nothing but a socket is."""
    if path.is_socket() and not path.is_symlink() and not _is_served(path):
        path.unlink()
    before = os.umask(0o777 & ~MODE)
    try:
        return _listen(str(path))
    finally:
        os.umask(before)


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(1.0)
        return sock.connect_ex(str(path)) == 0


def _listen(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.bind(address)
        sock.listen(MAX_SCRIPTS)
    except OSError:
        sock.close()
        raise
    return sock


@contextlib.asynccontextmanager
async def pipe(name: str, obey: Obey, folder: Path = FOLDER) -> AsyncIterator[None]:
    """Obey what scripts say until the block ends. Raises ConfigError."""
    listening = await asyncio.to_thread(sockets_of, name, folder)
    paths = [Path(sock.getsockname()) for sock in listening if isinstance(sock.getsockname(), str)]
    scripts: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(scripts) >= MAX_SCRIPTS or not _may(writer):
            writer.close()
            return
        # Not this task itself is cancelled at the end: asyncio (3.11) takes that for an error, and logs it.
        task = asyncio.create_task(_serve(reader, writer, obey))
        scripts.add(task)
        try:
            await asyncio.wait({task})
        finally:
            scripts.discard(task)
            writer.close()

    servers = [await asyncio.start_unix_server(accept, sock=sock) for sock in listening]
    journal.say("pipe", f"scripts of linphone-daemon are obeyed at {', '.join(map(str, paths)) or name}")
    try:
        yield
    finally:
        for server in servers:
            server.close()
        running = tuple(scripts)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for path in paths:
            await asyncio.to_thread(_discard, path)


def _may(writer: asyncio.StreamWriter) -> bool:
    """The kernel has checked who may connect to a file; in the abstract namespace nobody has."""
    sock: socket.socket = writer.get_extra_info("socket")
    if isinstance(sock.getsockname(), str):
        return True
    told = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    _, user, group = CREDENTIALS.unpack(told)
    return user in (0, os.geteuid()) or group == os.getegid()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, obey: Obey) -> None:
    """One script. `quit` ends its connection: the house goes on."""
    commands = Commands()
    with contextlib.suppress(ConnectionError, ValueError):
        while True:
            lines, over = await _next(reader, commands)
            for line in lines:
                writer.write(bytes(await obey(line)))
                await writer.drain()
                if line.split()[0] == "quit":
                    return
            if over:
                return


async def _next(reader: asyncio.StreamReader, commands: Commands) -> tuple[list[str], bool]:
    """The next commands, and whether these were the last. Raises ValueError, ConnectionError."""
    try:
        async with asyncio.timeout(PAUSE if commands.begun else None):
            data = await reader.read(4096)
    except TimeoutError:
        return commands.take(), False
    return (commands.receive(data), False) if data else (commands.take(), True)


def _discard(path: Path) -> None:
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
