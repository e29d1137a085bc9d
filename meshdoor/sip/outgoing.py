"""The handle of a request of ours whose response is an event."""

from __future__ import annotations


class Outgoing:
    """Compared by identity: `ResponseReceived.outgoing` is the one that the sending verb returned."""

    __slots__ = ("context", "method")

    def __init__(self, method: str) -> None:
        self.method = method
        self.context: object = None
