from collections.abc import Mapping
from typing import Any

from py_vapid import Vapid02

class WebPushException(Exception):
    response: Any

def webpush(
    subscription_info: Mapping[str, Any],
    data: str | None = ...,
    vapid_private_key: Vapid02 | None = ...,
    vapid_claims: dict[str, str | int] | None = ...,
    *,
    timeout: float | None = ...,
    ttl: int = ...,
    headers: dict[str, str] | None = ...,
) -> object: ...
