"""SIP libraries of others in a browser: JsSIP and SIP.js from npm, unmodified, as a page of somebody's own uses them.

The same methods for both (`jssip.js`, `sipjs.js`), so that the tests differ only where the libraries do.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from meshdoor.control import Json
from tests.lab.browser import Browser
from tests.lab.host import Host
from tests.lab.nodes import wait_until
from tests.lab.protocol import LabError
from tests.patience import PATIENCE

HERE = Path(__file__).parent
PACKAGES = HERE.parents[1] / "web"
BUNDLER = PACKAGES / "node_modules" / ".bin" / "esbuild"
LIBRARIES = {"jssip": ("jssip", "JsSIP"), "sipjs": ("sip.js", "SIP")}


def missing() -> str:
    """Why the libraries are not here; empty if they are."""
    if shutil.which("node") is None:
        return "node is not installed"
    wanted = json.loads((PACKAGES / "package.json").read_text())["devDependencies"]
    for name in ("esbuild", *(package for package, _ in LIBRARIES.values())):
        description = PACKAGES / "node_modules" / name / "package.json"
        if not description.exists():
            return f"{name} is not installed: npm install in tests/web"
        if json.loads(description.read_text())["version"] != wanted[name]:
            return f"{name} is not {wanted[name]}: npm install in tests/web"
    return ""


class Client:
    """A page with one of the libraries, in a browser of a host."""

    def __init__(self, browser: Browser, library: str) -> None:
        self.browser = browser
        self.host: Host = browser.host
        self.library = library
        self._script = _bundled(library, browser.host.directory)

    def open(self) -> None:
        """The page, anew: what it was is gone."""
        self.browser.goto((HERE / "page.html").as_uri())
        self.browser.load(self._script)
        self.browser.load(HERE / f"{self.library}.js")

    def start(self, account: Json, register: bool = True) -> None:
        """Connect, and register."""
        self.browser.evaluate("([account, register]) => { client.start(account, register) }", [account, register])

    def do(self, what: str, *given: Json) -> None:
        """One of the methods; what it promised is waited for."""
        self.browser.evaluate("async ([what, given]) => { await client[what](...given) }", [what, list(given)])

    def get(self, name: str) -> Any:
        return self.browser.evaluate("(name) => client[name]", name)

    def until(self, name: str, wanted: str, timeout: float = PATIENCE) -> None:
        """Until something of it begins so."""
        seen = ""

        def reached() -> bool:
            nonlocal seen
            seen = str(self.get(name))
            return seen.startswith(wanted)

        try:
            wait_until(reached, timeout)
        except LabError as error:
            raise LabError(f"{self.library}: {name} is {seen!r}, not {wanted!r}: {self.get('said')}") from error


def _bundled(library: str, directory: Path) -> Path:
    """The library in one file, as all who use it make one."""
    package, name = LIBRARIES[library]
    file = directory / f"{library}.js"
    options = ("--bundle", "--format=iife", f"--global-name={name}", f"--outfile={file}", "--log-level=error")
    subprocess.run([str(BUNDLER), f"./node_modules/{package}/", *options], cwd=PACKAGES, check=True)
    return file
