"""What becomes of the camera's pictures before anybody sees them.

    [camera]
    masks = ["0,0,25,100"]      # what nobody is to see: left, top, width, height, in percent of the picture
    encoder = "auto"            # or "software": libx264 even where the Pi has an encoder of its own
    adapt = true                # a second, smaller stream for those whose links cannot carry the house's picture
    options = ["--vflip"]       # more words for rpicam-vid
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from meshdoor.errors import ConfigError

MAX_MASKS: Final = 16
MAX_OPTIONS: Final = 32
ENCODERS: Final = ("auto", "software")

_NUMBER = r"(\d{1,3}(?:\.\d{1,3})?)"
_MASK = re.compile(rf"\s*{_NUMBER}\s*,\s*{_NUMBER}\s*,\s*{_NUMBER}\s*,\s*{_NUMBER}\s*")


@dataclass(frozen=True, slots=True)
class Mask:
    """A part of the picture that is blackened; in percent of it, so it holds at every size."""

    left: float
    top: float
    width: float
    height: float

    @classmethod
    def parse(cls, text: str) -> Mask:
        """Raises ConfigError."""
        found = _MASK.fullmatch(text)
        mask = cls(*map(float, found.groups())) if found else None
        if mask is None or not mask.width or not mask.height or max(mask.right, mask.bottom) > 100:
            raise ConfigError(
                f"camera.masks: {text!r} is no part of a picture",
                'left, top, width and height in percent, for example "0,0,25,100" for its left quarter',
            )
        return mask

    def __str__(self) -> str:
        return f"{self.left:g},{self.top:g},{self.width:g},{self.height:g}"

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height


@dataclass(frozen=True, slots=True)
class CameraConfig:
    """The pictures of this node's camera; which camera that is stands in `[media]`."""

    masks: tuple[str, ...] = ()
    encoder: str = "auto"
    adapt: bool = True
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.masks) > MAX_MASKS:
            raise ConfigError(f"camera.masks: more than {MAX_MASKS}")
        for text in self.masks:
            Mask.parse(text)
        if self.encoder not in ENCODERS:
            raise ConfigError(f"camera.encoder: {self.encoder!r} is none of {', '.join(ENCODERS)}")
        if len(self.options) > MAX_OPTIONS or not all(option.isprintable() for option in self.options):
            raise ConfigError(f"camera.options: up to {MAX_OPTIONS} printable words")

    def parsed_masks(self) -> tuple[Mask, ...]:
        return tuple(map(Mask.parse, self.masks))
