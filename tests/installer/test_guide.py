"""The guides: what is to be typed into a settings file is one, links lead somewhere, and pins are where they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meshdoor.config import read

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = ("build-guide.md", "hardware.md", "troubleshooting.md")

# Number on the header by GPIO, as `pinout` draws it.
HEADER = {4: 7, 5: 29, 6: 31, 7: 26, 17: 11, 22: 15, 23: 16, 24: 18, 27: 13}


@pytest.mark.parametrize("name", GUIDES)
def test_settings_can_be_typed_as_they_stand(name: str, tmp_path: Path) -> None:
    for block in re.findall(r"^```toml\n(.*?)^```", (DOCS / name).read_text(), re.MULTILINE | re.DOTALL):
        (tmp_path / "config.toml").write_text(block)
        read(tmp_path / "config.toml")


@pytest.mark.parametrize("name", GUIDES)
def test_links_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([\w./-]+)\)", (DOCS / name).read_text())
    assert [link for link in links if not (DOCS / link).exists()] == []


def test_each_pin_has_its_number() -> None:
    text = (DOCS / "build-guide.md").read_text() + (DOCS / "troubleshooting.md").read_text()
    picture = (DOCS / "wiring.svg").read_text()
    told = re.findall(r"GPIO (\d+) (?:\(|is pin \*\*)(\d+)", text)
    told += [(gpio, pin) for pin, gpio in re.findall(r"pin (\d+)(?:: | \()GPIO (\d+)", picture)]
    assert len(told) > 10
    assert [(gpio, pin) for gpio, pin in told if HEADER[int(gpio)] != int(pin)] == []
