"""What a node and its pin keeper say to each other: one JSON object a line.

To the keeper, first what is wired, then orders:

    {"inputs": {NAME: {"gpio", "pull_up", "when_open"}}, "outputs": {NAME: {"gpio", "active_high"}}, "debounce": S}
    {"do": "on", "name": NAME, "seconds": S, "order": N}
    {"do": "off", "name": NAME, "order": N}

From the keeper:

    {"said": "no pins", "why": TEXT, "hint": TEXT}  its last word
    {"said": "wired", "name": NAME, "why": TEXT}    a pin is in use, or why not ("": it is)
    {"said": "ready", "pid": N}                     all pins are, as far as they can be; the process that holds them
    {"said": "done", "order": N, "why": TEXT}       an order, and why it failed ("": it did not)
    {"said": "input", "name": NAME, "active": BOOL}
    {"said": "output", "name": NAME, "active": BOOL}

When the end of the node is seen, every relay is put to rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from meshdoor.errors import LocalProtocolError
from meshdoor.settings.devices import MAX_SECONDS, InputPin, OutputPin

MAX_LINE: Final = 8192  # bytes


@dataclass(frozen=True, slots=True)
class Wiring:
    """What is at which pin."""

    inputs: Mapping[str, InputPin] = field(default_factory=dict)
    outputs: Mapping[str, OutputPin] = field(default_factory=dict)
    debounce: float = 0.03

    def __bool__(self) -> bool:
        return bool(self.inputs or self.outputs)

    def __bytes__(self) -> bytes:
        inputs = {name: asdict(pin) for name, pin in self.inputs.items()}
        outputs = {name: asdict(pin) for name, pin in self.outputs.items()}
        return line({"inputs": inputs, "outputs": outputs, "debounce": self.debounce})

    @classmethod
    def parse(cls, data: bytes) -> Wiring:
        """Raises LocalProtocolError: both ends are ours."""
        said = parse(data)
        try:
            return cls(
                {name: InputPin(**pin) for name, pin in said["inputs"].items()},
                {name: OutputPin(**pin) for name, pin in said["outputs"].items()},
                float(said["debounce"]),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise LocalProtocolError(f"no wiring: {error}") from None


@dataclass(frozen=True, slots=True)
class Order:
    """A relay is to be on for some seconds, or at rest (0)."""

    number: int
    name: str
    seconds: float

    def __bytes__(self) -> bytes:
        said: dict[str, Any] = {"do": "on" if self.seconds else "off", "name": self.name, "order": self.number}
        return line(said | ({"seconds": self.seconds} if self.seconds else {}))

    @classmethod
    def parse(cls, data: bytes) -> Order:
        """Raises LocalProtocolError."""
        said = parse(data)
        number, name, seconds = said.get("order"), said.get("name"), said.get("seconds", 0.0)
        if not isinstance(number, int) or not isinstance(name, str) or not isinstance(seconds, float | int):
            raise LocalProtocolError(f"no order: {data!r:.80}")
        if not ((said.get("do") == "on" and 0 < seconds <= MAX_SECONDS) or (said.get("do") == "off" and not seconds)):
            raise LocalProtocolError(f"no order: {data!r:.80}")
        return cls(number, name, float(seconds))


def line(said: Mapping[str, Any]) -> bytes:
    """What one end says."""
    return json.dumps(said, ensure_ascii=True).encode() + b"\n"


def parse(data: bytes) -> dict[str, Any]:
    """What one end said. Raises LocalProtocolError."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise LocalProtocolError(f"no line of a keeper: {data!r:.80}")
    return said


class Lines:
    """A stream cut into its lines. Raises LocalProtocolError for one that is too long."""

    def __init__(self) -> None:
        self._rest = b""

    def receive(self, data: bytes) -> list[bytes]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE:
            raise LocalProtocolError("a line that does not end")
        return whole
