"""The rehearsal before the first press."""

from __future__ import annotations

import logging

import pytest

from meshdoor.errors import EngineError
from meshdoor.media.background import wait_for_workers
from meshdoor.media.plans import VideoFormat
from meshdoor.media.rehearsal import begin, rehearse


def test_it_goes_well_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        begin(VideoFormat(320, 192, 30, 500_000))
        wait_for_workers(5.0)
    assert not caplog.records


def test_what_fails_is_said_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_encoder(*_: object) -> None:
        raise EngineError("no such codec")

    monkeypatch.setattr("meshdoor.media.rehearsal.Encoder", no_encoder)
    rehearse(VideoFormat(320, 192, 30, 500_000))
    assert [record.message for record in caplog.records] == ["the rehearsal failed: no such codec"]
