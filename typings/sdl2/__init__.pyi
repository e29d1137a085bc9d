# PySDL2 binds each function of SDL under its own name; `meshdoor.media.sdl` gives those that are used a typed face.
from typing import Any

def __getattr__(name: str) -> Any: ...
