from __future__ import annotations

from meshdoor.rtp.packet import RtpPacket
from meshdoor.rtp.statistics import SourceStatistics, compact, ntp_time


def test_ntp_time_is_fixed_point() -> None:
    assert ntp_time(1.5) == 3 << 31
    assert compact(ntp_time(2.25)) == 0x24000


def test_nothing_expected_is_nothing_lost() -> None:
    source = SourceStatistics(RtpPacket(0, 5, 0, 1, b""), 8000)
    source.count(RtpPacket(0, 5, 0, 1, b""), 0.0)
    source.report(1.0)
    block = source.report(2.0)
    assert (block.fraction_lost, block.cumulative_lost, source.lost) == (0, 0, 0)


def test_all_lost_is_255() -> None:
    source = SourceStatistics(RtpPacket(0, 0, 0, 1, b""), 8000)
    source.count(RtpPacket(0, 0, 0, 1, b""), 0.0)
    source.report(0.0)
    source.count(RtpPacket(0, 2500, 0, 1, b""), 0.0)
    assert source.report(1.0).fraction_lost == 255
