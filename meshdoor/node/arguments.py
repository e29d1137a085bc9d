"""The arguments of a verb of the control socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from meshdoor.control import Json
from meshdoor.control.server import Progress, Verb
from meshdoor.errors import UserError


class Args:
    """The arguments of one request. Raises UserError that names the one that is missing or wrong."""

    def __init__(self, values: Mapping[str, Json]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        value = self._values.get(name)
        if not isinstance(value, str):
            raise UserError(f"{name}: a string is needed")
        return value

    def optional(self, name: str) -> str | None:
        return None if self._values.get(name) is None else self.text(name)

    def number(self, name: str) -> int:
        value = self._values.get(name)
        if type(value) is not int:
            raise UserError(f"{name}: a whole number is needed")
        return value

    def optional_number(self, name: str) -> int | None:
        return None if self._values.get(name) is None else self.number(name)

    def texts(self, name: str) -> list[str]:
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise UserError(f"{name}: a list of strings is needed")
        return value

    def table(self, name: str) -> dict[str, Json]:
        value = self._values.get(name)
        if not isinstance(value, dict):
            raise UserError(f"{name}: an object is needed")
        return value

    def named(self, name: str) -> bool:
        """Is it there, if only as null?"""
        return name in self._values

    def has(self, name: str) -> bool:
        """Is it there, and not null?"""
        return self._values.get(name) is not None

    def flag(self, name: str) -> bool:
        return self._values.get(name, False) is True


def checked(verb: Callable[[Args], Awaitable[Json]]) -> Verb:
    """The verb as the control server calls it."""

    async def run(args: Mapping[str, Json], progress: Progress) -> Json:
        return await verb(Args(args))

    return run
