"""The H.264 payload format, sending side (RFC 6184)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from meshdoor.errors import LocalProtocolError
from meshdoor.rtp.nal import DELIMITER, FILLER, IDR, PPS, SPS, ParameterSets, nal_type, split_annex_b

CLOCK_RATE = 90_000  # Hz, §8.2.1
# Payload structure types, §5.2.
STAP_A, FU_A = 24, 28
FU_START, FU_END = 0x80, 0x40

# Ours. With header, GCM tag, UDP and IPv6 this is 1276 bytes: it fits the IPv6 minimum, so every tunnel.
MAX_PAYLOAD = 1200
# Ours, for packetization-mode 0, which has no fragments: one UDP datagram.
MAX_DATAGRAM_PAYLOAD = 65_000

_SIZE = struct.Struct("!H")
_NOT_SENT = frozenset({DELIMITER, FILLER, 10, 11})  # also end of sequence, end of stream


class H264Packetizer:
    """Cuts access units into RTP payloads.

    In mode 1, a NAL unit that is too long becomes FU-A fragments of *equal* size (the last is shorter by
    less than their number), and small neighbours (SPS, PPS, SEI) share one STAP-A. So a picture is one run
    of equal packets, and a key frame two: the parameter sets, then the slice. Nothing is padded: one more
    send for a key frame is cheaper than what padding would put on the wire of each sink.

    A key frame that comes without its parameter sets gets the last ones seen (or given) put before it.
    """

    def __init__(
        self,
        max_payload: int = MAX_PAYLOAD,
        packetization_mode: int = 1,
        parameter_sets: ParameterSets | None = None,
    ) -> None:
        if packetization_mode not in {0, 1}:
            raise LocalProtocolError("packetization-mode 2 is not for intercoms")
        self.max_payload = max_payload
        self.packetization_mode = packetization_mode
        self.parameter_sets = parameter_sets

    def payloads(self, access_unit: bytes) -> list[bytes]:
        """The payloads of one Annex B access unit, in order; none when it holds nothing to send."""
        return self.payloads_of(split_annex_b(access_unit))

    def payloads_of(self, nals: Iterable[bytes]) -> list[bytes]:
        """The same for NAL units that are split already. Raises LocalProtocolError for a NAL unit that
        mode 0 cannot carry."""
        units = self._with_parameter_sets([nal for nal in nals if nal_type(nal) not in _NOT_SENT])
        if self.packetization_mode == 1:
            return self._aggregate_and_fragment(units)
        if any(len(unit) > MAX_DATAGRAM_PAYLOAD for unit in units):
            raise LocalProtocolError("packetization-mode 0 needs smaller slices")
        return units

    def _with_parameter_sets(self, units: list[bytes]) -> list[bytes]:
        types = {nal_type(unit) for unit in units}
        if {SPS, PPS} <= types:
            self.parameter_sets = ParameterSets.of(units)
        elif IDR in types and self.parameter_sets is not None:
            units = [*self.parameter_sets.nals, *(unit for unit in units if nal_type(unit) not in {SPS, PPS})]
        return units

    def _aggregate_and_fragment(self, units: Sequence[bytes]) -> list[bytes]:
        payloads: list[bytes] = []
        small: list[bytes] = []
        room = self.max_payload - 1
        for unit in units:
            if small and len(unit) + 2 > room:
                payloads.append(_aggregate(small))
                small, room = [], self.max_payload - 1
            if len(unit) > self.max_payload:
                payloads.extend(_fragment(unit, self.max_payload))
            else:
                small.append(unit)
                room -= len(unit) + 2
        if small:
            payloads.append(_aggregate(small))
        return payloads


def _fragment(nal: bytes, max_payload: int) -> list[bytes]:
    """A NAL unit longer than `max_payload` as FU-A payloads (§5.8), equal but for the last."""
    indicator, kind = nal[0] & 0xE0 | FU_A, nal[0] & 0x1F
    length = len(nal) - 1
    count = -(-length // (max_payload - 2))
    size = -(-length // count)
    middle = bytes((indicator, kind))
    payloads = [middle + nal[at : at + size] for at in range(1, len(nal), size)]
    payloads[0] = bytes((indicator, kind | FU_START)) + payloads[0][2:]
    payloads[-1] = bytes((indicator, kind | FU_END)) + payloads[-1][2:]
    return payloads


def _aggregate(units: Sequence[bytes]) -> bytes:
    """One NAL unit as it is, several as a STAP-A (§5.7.1), whose importance is that of the greatest."""
    if len(units) == 1:
        return units[0]
    header = max(unit[0] & 0x60 for unit in units) | STAP_A
    return bytes((header,)) + b"".join(_SIZE.pack(len(unit)) + unit for unit in units)
