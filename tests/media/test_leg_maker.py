"""Legs of each kind, as an engine asks for them; what they do is tested with their own modules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from meshdoor.errors import EngineError
from meshdoor.media import dtls_leg, leg_maker
from meshdoor.media.dtls_leg import DtlsLeg, DtlsPath
from meshdoor.media.leg import Leg
from meshdoor.media.leg_maker import LegMaker
from meshdoor.media.messages import Hello, OpenLeg
from meshdoor.media.path import UdpPath
from meshdoor.media.plans import Address
from meshdoor.media.studio import NodeStudio

HERE = "127.0.0.1"


@pytest.fixture
async def maker() -> AsyncIterator[LegMaker]:
    studio = NodeStudio(Hello("screen", camera="none", microphone="none"), lambda event: None)
    yield LegMaker(studio, lambda event: None)
    studio.close()


async def test_what_can_be_had_at_once(maker: LegMaker) -> None:
    plain, keyed = maker.now(OpenLeg("b0", HERE)), maker.now(OpenLeg("b1", HERE, dtls=True))
    assert (type(plain), type(keyed)) == (Leg, DtlsLeg)
    assert maker.now(OpenLeg("b2", HERE, webrtc=True)) is None
    assert maker.now(OpenLeg("b3", HERE, stun=Address(HERE, 9))) is None
    for leg in (plain, keyed):
        assert leg is not None
        leg.close()


@pytest.mark.parametrize(("where", "name", "kind"), [(leg_maker, "UdpPath", UdpPath), (dtls_leg, "DtlsPath", DtlsPath)])
async def test_half_a_leg_is_given_back(
    maker: LegMaker, monkeypatch: pytest.MonkeyPatch, where: object, name: str, kind: type[UdpPath]
) -> None:
    made: list[UdpPath] = []

    def second_fails(*arguments: Any) -> UdpPath:
        if made:
            raise EngineError("no port is left")
        made.append(kind(*arguments))
        return made[0]

    monkeypatch.setattr(where, name, second_fails)
    with pytest.raises(EngineError, match="no port is left"):
        maker.now(OpenLeg("b0", HERE, dtls=kind is DtlsPath))
    UdpPath(HERE, made[0].port).close()  # it is free again
