"""The files of the page, read once: what is not among them does not exist, whatever a path may spell."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).with_name("page")
INDEX: Final = "index.html"
TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True, slots=True)
class File:
    """What is sent. The tag is that of its content (RFC 9110 §8.8.3)."""

    body: bytes
    type: str
    tag: str

    @classmethod
    def of(cls, body: bytes, kind: str) -> File:
        return cls(body, kind, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def load(folder: Path = PAGE) -> dict[str, File]:
    """The files by their path in the URL; those of other types are not for browsers. Blocks."""
    files = {
        f"/{path.relative_to(folder).as_posix()}": File.of(path.read_bytes(), TYPES[path.suffix])
        for path in sorted(folder.rglob("*"))
        if path.suffix in TYPES and path.is_file()
    }
    index = files.pop(f"/{INDEX}", None)
    return files if index is None else files | {"/": index}


def is_fresh(file: File, if_none_match: str) -> bool:
    """Does the browser have it already? (RFC 9110 §13.1.2)"""
    return any(tag.strip().removeprefix("W/") in (file.tag, "*") for tag in if_none_match.split(","))
