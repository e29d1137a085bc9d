"""Ports that wait for an engine."""

from __future__ import annotations

import socket

import pytest

from meshdoor.errors import EngineError
from meshdoor.media import path
from meshdoor.media.datagrams import bind_pair
from meshdoor.media.reservation import Reservation


async def test_nobody_else_gets_them_until_they_are_free() -> None:
    reserved = Reservation("127.0.0.1")
    for port in (reserved.opened.audio_port, reserved.opened.video_port):
        with pytest.raises(EngineError):
            bind_pair("127.0.0.1", port)
    reserved.free()
    for port in (reserved.opened.audio_port, reserved.opened.video_port):
        for each in bind_pair("127.0.0.1", port):
            each.close()


async def test_half_of_them_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    bound: list[tuple[socket.socket, socket.socket]] = []

    def one(local: str, port: int) -> tuple[socket.socket, socket.socket]:
        if bound:
            raise EngineError("no two ports in a row are free")
        bound.append(bind_pair(local))
        return bound[0]

    monkeypatch.setattr(path, "bind_pair", one)
    with pytest.raises(EngineError):
        Reservation("127.0.0.1")
    assert [each.fileno() for each in bound[0]] == [-1, -1]
