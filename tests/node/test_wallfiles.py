from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from meshdoor.node.wallfiles import WallFiles


async def read(path: str) -> bytes:
    return await asyncio.to_thread(Path(path).read_bytes)


async def test_only_what_is_shown_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    fetched = []

    async def fetch(press: str) -> bytes:
        fetched.append(press)
        return b"" if press == "none" else press.encode()

    files = WallFiles(fetch)
    assert await files.keep(["a", "b", "none"])
    assert await read(files.files["a"]) == b"a"
    assert not await files.keep(["a", "b"])
    assert fetched == ["a", "b", "none"]
    gone = files.files["a"]
    assert await files.keep(["b", "../c"])
    with pytest.raises(FileNotFoundError):
        await read(gone)
    assert Path(files.files["../c"]).parent == Path(files.files["b"]).parent
    await files.close()
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []


async def test_nothing_was_kept() -> None:
    async def fetch(press: str) -> bytes:
        return b""

    files = WallFiles(fetch)
    assert not await files.keep(["a"])
    await files.close()
