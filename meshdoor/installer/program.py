"""The program itself: a Python environment of its own, which belongs to root and which the node cannot change.

    /opt/meshdoor/current     a link to the version that runs
    /opt/meshdoor/VERSION-ID  one version; `complete` in it is written last
    /opt/meshdoor/libexec     the small scripts of the units

A version is built beside the one that runs, and the link moves when it is complete: a power cut or a failed download
leaves what was there. The wheel it was made of stays in it, so that the installed program can install itself.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshdoor.errors import UserError
from meshdoor.installer.steps import Link
from meshdoor.installer.system import HOME, System
from meshdoor.store.location import checkout
from meshdoor.version import __version__

CURRENT: Final = HOME / "current"
PYTHON: Final = "/usr/bin/python3"  # not that of a pyenv or a home directory, which the node may not read
PARTS: Final = ("pyproject.toml", "README.md", "LICENSE", "meshdoor")  # of a checkout, what a wheel is made of
COMPLETE: Final = "complete"
CONSTRAINTS: Final = Path(__file__).with_name("constraints.txt")

_IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the program comes from: what pip is asked for, and a hash that changes when it does."""

    wanted: str
    mark: str
    folder: Path | None = None  # of a checkout: a copy of it is built, so that the checkout stays clean


def find_source(asked: str = "") -> Source:
    """`asked` as pip takes it; else the checkout, the wheel or the package that this very program is."""
    if asked:
        return Source(asked, _hash(asked.encode()))
    folder = checkout()
    if folder is not None:
        return Source(str(folder), tree_mark(folder), folder)
    mine = Path(__file__).resolve()
    if mine.is_relative_to(HOME):
        version = HOME / mine.relative_to(HOME).parts[0]
        for wheel in sorted((version / "dist").glob("*.whl")):
            return Source(str(wheel), json.loads((version / COMPLETE).read_text())["mark"])
    wanted = _as_installed()
    return Source(wanted, _hash(wanted.encode(), __version__.encode()))


def tree_mark(folder: Path) -> str:
    """The hash of a checkout."""
    files = [folder / part for part in PARTS[:-1]]
    files += [file for file in sorted((folder / "meshdoor").rglob("*")) if file.suffix != ".pyc"]
    files += sorted((folder / "services").iterdir())
    content = [f"{file.relative_to(folder)}\0".encode() + file.read_bytes() for file in files if file.is_file()]
    return _hash(*content, CONSTRAINTS.read_bytes())


@dataclass(frozen=True, slots=True)
class Program:
    """The program with these extras, and the link that makes it the one that runs."""

    source: Source
    extras: tuple[str, ...]

    @property
    def mark(self) -> str:
        return _hash(self.source.mark.encode(), *(extra.encode() for extra in sorted(self.extras)))

    def place(self, system: System) -> Path:
        """Its directory; another one for another Python of the system."""
        code, output = system.ask(PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
        python = output.strip() if not code else "0"
        return HOME / f"{__version__}-{_hash(self.mark.encode(), python.encode())[:12]}"

    def pending(self, system: System) -> str:
        place = self.place(system)
        if not system.path(place / COMPLETE).is_file():
            with_extras = f" with {', '.join(self.extras)}" if self.extras else ""
            return f"build Meshdoor {__version__}{with_extras} in {place} (pip; some minutes on a Pi)"
        return Link(CURRENT, place).pending(system)

    def apply(self, system: System) -> None:
        place = self.place(system)
        if not system.path(place / COMPLETE).is_file():
            self._build(system, place)
        Link(CURRENT, place).apply(system)

    def _build(self, system: System, place: Path) -> None:
        system.remove(place)
        system.run(PYTHON, "-m", "venv", str(place))
        dist = place / "dist"
        system.path(dist).mkdir()
        pip = (str(place / "bin/python"), "-m", "pip", "--disable-pip-version-check", "--no-input")
        with _reachable(system, self.source) as wanted:
            system.run(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(dist), wanted)
        wheel = next(system.path(dist).glob("meshdoor-*.whl"), None)
        if wheel is None:
            raise UserError(f"{self.source.wanted} is not Meshdoor")
        system.write(place / "constraints.txt", CONSTRAINTS.read_bytes(), 0o644)
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        # Without a cache: the card is spared the wear, and the room.
        options = ("--quiet", "--no-cache-dir", "--prefer-binary", "-c", str(place / "constraints.txt"))
        system.run(*pip, "install", *options, f"meshdoor{extras} @ file://{dist / wheel.name}")
        system.write(place / COMPLETE, json.dumps({"mark": self.source.mark}).encode() + b"\n", 0o644)


@dataclass(frozen=True, slots=True)
class Tidy:
    """Versions that nothing runs any more are removed."""

    program: Program

    def pending(self, system: System) -> str:
        old = self._old(system)
        return f"remove {', '.join(each.name for each in old)}, which is not needed any more" if old else ""

    def apply(self, system: System) -> None:
        for each in self._old(system):
            shutil.rmtree(each)

    def _old(self, system: System) -> list[Path]:
        keep = self.program.place(system).name
        found = system.path(HOME).glob("*-*")
        return sorted(each for each in found if each.name != keep and (each / "pyvenv.cfg").is_file())


@contextmanager
def _reachable(system: System, source: Source) -> Iterator[str]:
    """What pip is asked for, as the machine sees it: a checkout or a wheel of ours is copied into it."""
    path = source.folder or Path(source.wanted)
    if not path.exists():
        yield source.wanted
        return
    (system.root / "tmp").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=system.root / "tmp", prefix="meshdoor-") as text:
        copy = Path(text) / path.name
        if source.folder is None:
            shutil.copy(path, copy) if path.is_file() else shutil.copytree(path, copy, ignore=_IGNORED)
        else:
            copy.mkdir()
            for part in PARTS:
                if (path / part).is_dir():
                    shutil.copytree(path / part, copy / part, ignore=_IGNORED)
                else:
                    shutil.copy(path / part, copy)
        yield f"/{copy.relative_to(system.root)}"


def _as_installed() -> str:
    """What pip or pipx was asked for when it installed this program (PEP 610)."""
    try:
        text = importlib.metadata.distribution("meshdoor").read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        text = None
    if text is None:
        return f"meshdoor=={__version__}"
    told = json.loads(text)
    repository = told.get("vcs_info")
    if repository:
        return f"meshdoor @ {repository['vcs']}+{told['url']}@{repository['commit_id']}"
    return str(told["url"]).removeprefix("file://")


def _hash(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
