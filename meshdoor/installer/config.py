"""The settings file of an installed node: made once, and after that only `role` and `name` are changed."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from typing import Final

from meshdoor.config import SYSTEM_FILE
from meshdoor.errors import ConfigError
from meshdoor.installer.steps import STATE, USER
from meshdoor.installer.system import System

KEPT: Final = STATE / "config.toml.kept"  # where `uninstall` puts settings that a person has written
MODE: Final = 0o640  # they may hold the password of a camera

_UNSET = {
    "role": '# role = "screen"             # door, screen or lock; else as enrolled, or as the hardware suggests',
    "name": '# name = "Kitchen"            # else as enrolled, or the host name',
}


@dataclass(frozen=True, slots=True)
class Settings:
    """`/etc/meshdoor/config.toml` with this role and name; an empty one leaves what is there."""

    template: str
    role: str = ""
    name: str = ""

    def pending(self, system: System) -> str:
        there = system.read(SYSTEM_FILE)
        if there is None:
            return f"write {SYSTEM_FILE}" + (", with the settings kept before" if system.read(KEPT) else "")
        changes = [f"{key} = {_quoted(value)}" for key, value in self._differing(there.decode()).items()]
        return f"set {' and '.join(changes)} in {SYSTEM_FILE}" if changes else ""

    def apply(self, system: System) -> None:
        kept = system.read(KEPT)
        text = (system.read(SYSTEM_FILE) or kept or self.fresh().encode()).decode()
        for key, value in self._differing(text).items():
            text = with_setting(text, key, value)
        system.write(SYSTEM_FILE, text.encode(), MODE, USER)
        if kept is not None:
            system.remove(KEPT)

    def fresh(self) -> str:
        """The file as it is made."""
        lines = {key: f"{key} = {_quoted(value)}" if value else _UNSET[key] for key, value in self._wanted().items()}
        return self.template.replace("@ROLE@", lines["role"]).replace("@NAME@", lines["name"])

    def _wanted(self) -> dict[str, str]:
        return {"role": self.role, "name": self.name}

    def _differing(self, text: str) -> dict[str, str]:
        try:
            there = tomllib.loads(text)
        except ValueError as error:
            raise ConfigError(f"{SYSTEM_FILE}: not valid TOML: {error}", "mend it, or move it away") from None
        return {key: value for key, value in self._wanted().items() if value and there.get(key) != value}


def role_of(system: System) -> str:
    """The role that the settings say; empty where they say none."""
    try:
        role = tomllib.loads((system.read(SYSTEM_FILE) or b"").decode()).get("role", "")
    except ValueError:
        return ""
    return role if isinstance(role, str) else ""


def with_setting(text: str, key: str, value: str) -> str:
    """The text with one setting of its first part, before any table, changed or added; all else stays as it is."""
    line = f"{key} = {_quoted(value)}"
    head = re.split(r"^\s*\[", text, maxsplit=1, flags=re.MULTILINE)[0]
    for pattern in (rf"^{key}\s*=.*$", rf"^#\s*{key}\s*=.*$"):
        if re.search(pattern, head, re.MULTILINE):
            return re.sub(pattern, lambda _: line, head, count=1, flags=re.MULTILINE) + text[len(head) :]
    return f"{line}\n{text}"


def is_as_made(text: str, template: str) -> bool:
    """Has nobody but the installer written it? Then it need not be kept."""
    made = re.sub(r"^#? ?(role|name) = .*$", "", text, flags=re.MULTILINE)
    return made == re.sub(r"^@(ROLE|NAME)@$", "", template, flags=re.MULTILINE)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
