"""QR codes: the same modules in each form."""

from __future__ import annotations

import re
import struct

from meshdoor.node import qr
from tests.fakes.scanner import read_png, read_terminal

URL = "https://10.0.0.2:8443/#pair=ICEiIyQlJicoKSorLC0uLw&f=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8&n=Home"


def test_a_phone_reads_it_from_paper_and_from_the_terminal() -> None:
    assert read_png(qr.png(URL)) == URL
    assert read_terminal(qr.text(URL, colours=False)) == URL


def test_two_modules_a_character() -> None:
    lines = qr.text(URL, colours=False).split("\n")
    width = len(lines[0])
    assert {len(line) for line in lines} == {width}
    assert 2 * len(lines) - width in (0, 1)
    assert set("".join(lines)) == set(" █▀▄")


def test_on_a_terminal_it_is_dark_on_light() -> None:
    plain = qr.text(URL, colours=False).split("\n")
    assert qr.text(URL, colours=True).split("\n") == [f"\x1b[97;40m{line}\x1b[0m" for line in plain]


def test_a_drawing_needs_no_style() -> None:
    drawn = qr.svg(URL)
    (size,) = re.findall(r'viewBox="0 0 (\d+) \1"', drawn)
    assert int(size) - 2 * qr.QUIET == len(qr.text(URL, colours=False).split("\n")[0]) - qr.QUIET
    assert "style" not in drawn
    assert "://10.0.0.2" not in drawn


def test_a_picture_has_a_quiet_zone() -> None:
    picture = qr.png(URL)
    width, height = struct.unpack(">II", picture[16:24])
    assert width == height == qr.SCALE * (len(qr.text(URL, colours=False).split("\n")[0]) + qr.QUIET)
