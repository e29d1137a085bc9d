"""Files and hosts: what is served, to whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshdoor.web import files, hosts

NAMES, ADDRESSES = {"hall", "hall.local"}, ("192.0.2.7", "fe80::1%eth0", "2001:db8::7")


@pytest.mark.parametrize(
    "host",
    ["hall", "HALL.local", "hall.local.", "hall:8443", "192.0.2.7", "[2001:db8:0::7]:8443", "[fe80::1]"],
)
def test_hosts_that_are_ours(host: str) -> None:
    assert hosts.is_own(host, NAMES, ADDRESSES)


@pytest.mark.parametrize(
    "host",
    ["", "other", "hall.evil.example", "192.0.2.8", "[2001:db8::8]", "2001:db8::7", "hall:x", "hall:123456", "a b",
     "hall/", "x" * 300, "[hall]", "hall@evil"],
)  # fmt: skip
def test_hosts_that_are_not(host: str) -> None:
    assert not hosts.is_own(host, NAMES, ADDRESSES)


@pytest.mark.parametrize(
    ("origin", "same"),
    [(None, True), ("https://hall:8443", True), ("HTTPS://Hall:8443", True), ("http://hall:8443", False),
     ("https://hall", False), ("null", False), ("https://evil.example", False), ("", False)],
)  # fmt: skip
def test_origins(origin: str | None, same: bool) -> None:
    assert hosts.is_same_origin(origin, "hall:8443") is same


def test_the_page_is_whole() -> None:
    page = files.load()
    assert page["/"].type.startswith("text/html")
    assert {"/sw.js", "/manifest.webmanifest"} <= page.keys()
    assert not any(path.endswith("package.json") for path in page)
    assert b"<script>" not in page["/"].body
    assert b" style=" not in page["/"].body


def test_a_folder_without_a_page(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    (tmp_path / "b.txt").write_text("2")
    assert files.load(tmp_path).keys() == {"/a.js"}


def test_what_a_browser_has() -> None:
    file = files.File.of(b"x", "text/plain")
    assert files.is_fresh(file, f'"a", W/{file.tag}')
    assert files.is_fresh(file, "*")
    assert not files.is_fresh(file, "")
