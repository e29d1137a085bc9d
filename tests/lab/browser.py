"""A browser in the virtual house, seen from outside: a phone, once its page has paired.

    with Browser(house["phone"]) as browser:
        browser.goto(url)
        browser.click(".primary")
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shutil
import socket
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import av

from meshdoor.media import card
from tests.lab.host import Host
from tests.lab.protocol import LabError
from tests.patience import PATIENCE

MISSING = (
    "chromium is not installed" if shutil.which("chromium") is None
    else "playwright is not installed" if find_spec("playwright") is None
    else ""
)


class Browser:
    """One page of one browser, in a host."""

    def __init__(self, host: Host, flags: Sequence[str] = (), name: str = "browser") -> None:
        self.host = host
        self._flags = flags
        self._name = name

    def __enter__(self) -> Browser:
        path = self.host.directory / f"{self._name}.sock"
        path.unlink(missing_ok=True)
        # What chromium keeps is thrown away with the house.
        self.process = self.host.start(self.host.python("tests.lab.chromium", path, *self._flags))
        self.process.expect("^listening")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(2 * PATIENCE)  # it waits itself, and says what for
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rwb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._lines.close()
            self._socket.close()
        self.process.wait()

    def goto(self, url: str) -> None:
        self._ask(do="goto", url=url)

    def load(self, script: Path) -> None:
        """Runs a file in the page."""
        self._ask(do="script", path=str(script))

    def evaluate(self, script: str, given: Any = None) -> Any:
        return self._ask(**{"do": "evaluate", "script": script, "with": given})

    def click(self, on: str) -> None:
        self._ask(do="click", on=on)

    def hold(self, on: str, seconds: float) -> None:
        """Keeps a button pressed."""
        self._ask(do="hold", on=on, ms=seconds * 1000)

    def wait(self, selector: str, state: str = "visible", timeout: float = PATIENCE) -> None:
        self._ask(**{"do": "wait", "for": selector, "state": state, "ms": timeout * 1000})

    def text(self, of: str) -> str:
        return str(self._ask(do="text", of=of))

    def screenshot(self, to: Path) -> None:
        self._ask(do="screenshot", to=str(to))

    @property
    def errors(self) -> list[str]:
        """What the page complained of."""
        return cast(list[str], self._ask(do="errors"))

    @property
    def microphone(self) -> list[float]:
        """When the page asked for the microphone; seconds since 1970."""
        return [at / 1000 for at in self.evaluate("() => lab.microphone")]

    @property
    def pictures(self) -> list[float]:
        """When the page showed the first picture of each stream; seconds since 1970."""
        return [picture["at"] / 1000 for picture in self.evaluate("() => lab.pictures")]

    def frame(self) -> int | None:
        """The number of the card that is shown now; None when no card is."""
        shown = self.evaluate("() => lab.picture()")
        if shown is None:
            return None
        with av.open(io.BytesIO(base64.b64decode(shown)), "r") as picture:
            return card.read(next(picture.decode(video=0)))

    def pitch(self) -> float | None:
        """The strongest tone that is heard, in Hz; None for silence."""
        found = self.evaluate("() => lab.pitch()")
        return found[0] if found and found[1] > -70 else None

    def _ask(self, **asked: Any) -> Any:
        self._lines.write(json.dumps(asked).encode() + b"\n")
        self._lines.flush()
        line = self._lines.readline()
        if not line:
            raise LabError(f"the browser of {self.host.name} is gone")
        answer = json.loads(line)
        if "failed" in answer:
            raise LabError(f"{self.host.name}: {asked}: {answer['failed']}")
        return answer["ok"]
