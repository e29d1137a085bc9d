"""How a client that sleeps is woken: the push parameters of its Contact (RFC 8599 §6)."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Final

from meshdoor.errors import SipError
from meshdoor.sip.uri import Uri, unescape

MAX_VALUE: Final = 512  # characters of one parameter: tokens of today have up to 200
_PROVIDER: Final = re.compile(r"[A-Za-z0-9._~-]{1,32}")
PARAMETERS: Final = {"provider": "pn-provider", "param": "pn-param", "prid": "pn-prid"}


@dataclass(frozen=True, slots=True)
class PushTarget:
    """`provider` is `apns`, `fcm`, `webpush` or another; `param` and `prid` mean what it says that they mean."""

    provider: str
    param: str
    prid: str

    @classmethod
    def of(cls, contact: Uri) -> PushTarget | None:
        """What a Contact says; None where it does not say enough. SipError(400) for what cannot be."""
        said = {name: contact.parameter(key) for name, key in PARAMETERS.items()}
        if not said["provider"] or not said["prid"]:
            return None
        return cls.read({name: unescape(value or "") for name, value in said.items()})

    @classmethod
    def read(cls, document: object) -> PushTarget:
        """As `to_json` wrote it. SipError(400) for what cannot be."""
        given = document if isinstance(document, dict) else {}
        values = [given.get(name) for name in PARAMETERS]
        texts = [value for value in values if isinstance(value, str) and _is_usable(value)]
        if len(texts) != len(PARAMETERS) or _PROVIDER.fullmatch(texts[0]) is None:
            raise SipError("push parameters that cannot be used")
        return cls(*texts)

    def to_json(self) -> dict[str, str]:
        return asdict(self)

    @property
    def capability(self) -> tuple[str, str]:
        """What the answer to its REGISTER says: such clients are woken (§4.1.2)."""
        return "Feature-Caps", f'*;+sip.pns="{self.provider}"'


def _is_usable(value: str) -> bool:
    return len(value) <= MAX_VALUE and value.isprintable()
