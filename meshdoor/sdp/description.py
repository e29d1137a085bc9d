"""The lines of a session description (RFC 8866), kept byte for byte: what is parsed can be sent on unchanged."""

from __future__ import annotations

from dataclasses import dataclass

from meshdoor.errors import SdpError

# Ours.
MAX_SIZE = 65_536  # bytes
MAX_LINES = 2000
MAX_MEDIA = 32
MAX_FORMATS = 128


@dataclass(frozen=True, slots=True, repr=False)
class Line:
    """`kind=value`; `ending` is as it came. A line of another form has kind "" and is all value.
    Shown without the key that it may carry."""

    kind: str
    value: str
    ending: str = "\r\n"

    @classmethod
    def parse(cls, text: str) -> Line:
        body = text.rstrip("\r\n")
        ending = text[len(body) :]
        if body[1:2] == "=":
            return cls(body[0], body[2:], ending)
        return cls("", body, ending)

    def __str__(self) -> str:
        return f"{self.kind}={self.value}{self.ending}" if self.kind else self.value + self.ending

    def __repr__(self) -> str:
        value = "crypto:…" if self.value.startswith("crypto:") else self.value
        return f"Line({self.kind!r}, {value!r})"


@dataclass(frozen=True, slots=True)
class Section:
    """The lines of the session part, or of one media description."""

    lines: tuple[Line, ...]

    def __str__(self) -> str:
        return "".join(map(str, self.lines))

    def value(self, kind: str) -> str | None:
        """Of the first line of this kind."""
        return next((line.value for line in self.lines if line.kind == kind), None)

    def attributes(self, name: str) -> tuple[str, ...]:
        """The values of all `a=name:value`, in order; of a mere `a=name`, ""."""
        found = (line.value.partition(":") for line in self.lines if line.kind == "a")
        return tuple(value for key, _, value in found if key == name)

    def attribute(self, name: str) -> str | None:
        """The value of the first one, or None."""
        return next(iter(self.attributes(name)), None)

    @property
    def address(self) -> str | None:
        """The connection address (§5.7) without a multicast suffix."""
        value = self.value("c")
        if value is None:
            return None
        words = value.split()
        if len(words) != 3 or words[0] != "IN" or words[1] not in {"IP4", "IP6"}:
            raise SdpError(f"no connection line: {value[:80]!r}")
        return words[2].partition("/")[0]


@dataclass(frozen=True, slots=True)
class Media(Section):
    """One media description (§5.14)."""

    kind: str
    port: int
    profile: str
    formats: tuple[str, ...]

    @classmethod
    def of(cls, lines: tuple[Line, ...]) -> Media:
        """Raises SdpError for a media line that breaks the grammar."""
        words = lines[0].value.split()
        port = words[1].partition("/")[0] if len(words) > 3 else ""
        if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 0xFFFF):
            raise SdpError(f"no media line: {lines[0].value[:80]!r}")
        if len(words) > 3 + MAX_FORMATS:
            raise SdpError("too many formats in a media line")
        return cls(lines, words[0], int(port), words[2], tuple(words[3:]))


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """The session part and the media descriptions. `bytes()` gives what was parsed."""

    session: Section
    media: tuple[Media, ...]

    @classmethod
    def parse(cls, data: bytes) -> SessionDescription:
        """Raises SdpError for what is no SDP, or too much of it."""
        if len(data) > MAX_SIZE or data.count(b"\n") > MAX_LINES:
            raise SdpError("the session description is too long")
        texts = data.decode("utf-8", "surrogateescape").split("\n")
        lines = [Line.parse(text + "\n") for text in texts[:-1]]
        lines += [Line.parse(texts[-1])] if texts[-1] else []
        if not lines or lines[0].kind != "v" or lines[0].value.strip() != "0":
            raise SdpError("a session description begins with v=0")
        starts = [at for at, line in enumerate(lines) if line.kind == "m"]
        if len(starts) > MAX_MEDIA:
            raise SdpError("too many media descriptions")
        ends = [*starts[1:], len(lines)]
        media = tuple(Media.of(tuple(lines[a:b])) for a, b in zip(starts, ends, strict=False))
        return cls(Section(tuple(lines[: starts[0] if starts else None])), media)

    def __str__(self) -> str:
        return str(self.session) + "".join(map(str, self.media))

    def __bytes__(self) -> bytes:
        return str(self).encode("utf-8", "surrogateescape")

    def address(self, media: Media) -> str:
        """Where this medium is received. Raises SdpError when neither part says so."""
        address = media.address or self.session.address
        if address is None:
            raise SdpError("a session description without an address")
        return address
