"""The pictures of this node in one codec: access units in, packets for all sinks out."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from meshdoor.media.encoder import Coded
from meshdoor.media.outlet import KEY_FRAME_INTERVAL, Outlet
from meshdoor.media.sink import Unit
from meshdoor.rtp import vp8
from meshdoor.rtp.group import RtpStream
from meshdoor.rtp.h264 import H264Packetizer
from meshdoor.rtp.nal import ParameterSets

PAYLOAD_TYPE = 96  # in the packets as they are made; each sink puts in what its peer wants
PASSED_THROUGH = 2.5  # s: how old a key frame a joiner is given of a stream that makes none on request; ours

Payloads = Callable[[bytes], list[bytes]]  # of one access unit


def packetizer(codec: str, parameter_sets: ParameterSets | None = None) -> Payloads:
    """What cuts access units."""
    return H264Packetizer(parameter_sets=parameter_sets).payloads if codec == "H264" else vp8.payloads


class VideoStream:
    """`payloads` cuts a picture. `watched` is told when the first sink opens and when the last one shuts. `offset` is
    added to timestamps. `lasting`: pictures come while nobody looks, too, so that what was kept goes on with them."""

    def __init__(
        self,
        payloads: Payloads,
        ssrc: int,
        want_key_frame: Callable[[], None],
        watched: Callable[[bool], None],
        offset: int,
        *,
        lasting: bool = False,
    ) -> None:
        self.outlet = Outlet(want_key_frame)
        self._lasting = lasting
        self._payloads = payloads
        self._stream = RtpStream(ssrc, PAYLOAD_TYPE, secrets.randbelow(1 << 15))  # RFC 3550 §5.1: it begins anywhere
        self._offset = offset
        self._watched = watched
        self._is_watched = False

    def deliver(self, coded: Coded) -> None:
        timestamp = (coded.timestamp + self._offset) & 0xFFFFFFFF
        self.outlet.replay = PASSED_THROUGH if coded.passed_through else KEY_FRAME_INTERVAL
        payloads = self._payloads(coded.data)
        if payloads:
            groups = self._stream.groups(payloads, timestamp)
            self.outlet.deliver(Unit.of(groups, coded.key, timestamp, coded.captured))

    def check(self) -> None:
        """After a sink came, went, opened or shut."""
        if self.outlet.watched != self._is_watched:
            self._is_watched = not self._is_watched
            if not self._is_watched and not self._lasting:
                self.outlet.history.clear()
            self._watched(self._is_watched)
