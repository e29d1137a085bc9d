"""The table of live transactions: which one a message belongs to (RFC 3261 §17.1.3, §17.2.3, §8.2.2.2)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Final

from meshdoor.sip.flow import Flow
from meshdoor.sip.machine import ClientTransaction, ServerTransaction
from meshdoor.sip.message import Request, Response

MAGIC_COOKIE: Final = "z9hG4bK"  # begins every branch since RFC 3261 (§8.1.1.7)


class TransactionTable:
    """Client and server transactions by what matches them. `full` is advice for whom to refuse."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._clients: dict[Hashable, ClientTransaction] = {}
        self._servers: dict[Hashable, ServerTransaction] = {}
        self._merged: dict[Hashable, ServerTransaction] = {}

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)

    @property
    def full(self) -> bool:
        """Whether no more strangers should be let in."""
        return len(self) >= self._limit

    def add_client(self, transaction: ClientTransaction) -> None:
        """Keep it until it terminates."""
        key = _client_key(transaction.request)
        self._clients[key] = transaction
        transaction.on_terminated = lambda: self._clients.pop(key, None)

    def add_server(self, transaction: ServerTransaction) -> None:
        """Keep it until it terminates."""
        request = transaction.request
        key, merged = server_key(request, request.to.tag), _merge_key(request)
        self._servers[key] = transaction
        if request.to.tag is None:
            self._merged[merged] = transaction

        def forget() -> None:
            del self._servers[key]
            if self._merged.get(merged) is transaction:
                del self._merged[merged]

        transaction.on_terminated = forget

    def client(self, response: Response, flow: Flow) -> ClientTransaction | None:
        """Whose response this is. What a secure transaction asked is not answered over an insecure flow."""
        via = response.via
        transaction = self._clients.get((via.branch, response.cseq.method))
        if transaction is None or len(response.vias) != 1:
            return None
        sent = transaction.request.via
        same_sender = (sent.host, sent.port) == (via.host, via.port)
        safe = flow.secure or not transaction.wire.flow.secure
        return transaction if same_sender and safe else None

    def server(self, request: Request) -> ServerTransaction | None:
        """Which transaction a repeated request, or the ACK of a failed INVITE, belongs to."""
        transaction = self._servers.get(server_key(request, request.to.tag))
        if transaction is None and request.method == "ACK":
            # The To tag of an RFC 2543 ACK is ours, that of its INVITE may have been missing.
            transaction = self._servers.get(server_key(request, None))
            if transaction is not None and transaction.tag != request.to.tag:
                return None
        return transaction

    def cancelled_by(self, cancel: Request) -> ServerTransaction | None:
        """The INVITE that a CANCEL is about (§9.2)."""
        return self._servers.get(server_key(cancel, cancel.to.tag, "INVITE"))

    def merged(self, request: Request) -> bool:
        """Whether a request outside dialogs came before, on another way (§8.2.2.2)."""
        return request.to.tag is None and _merge_key(request) in self._merged

    def on_flow(self, flow: Flow) -> Iterator[ClientTransaction | ServerTransaction]:
        """The transactions that send on a flow."""
        yield from [t for t in self._clients.values() if t.wire.flow == flow]
        yield from [t for t in self._servers.values() if t.wire.flow == flow]


def server_key(request: Request, to_tag: str | None, method: str | None = None) -> Hashable:
    """What is equal for a request, its repetitions, the ACK of its failure and (as "INVITE") its CANCEL.

    `to_tag` counts where there is no branch to trust (RFC 2543).
    """
    method = method or ("INVITE" if request.method == "ACK" else request.method)
    via = request.via
    if via.branch is not None and via.branch.startswith(MAGIC_COOKIE):
        return via.branch, via.host.lower(), via.port, method
    return str(request.uri), to_tag, request.from_.tag, request.call_id, request.cseq.number, str(via), method


def _client_key(request: Request) -> Hashable:
    return request.via.branch, request.method


def _merge_key(request: Request) -> Hashable:
    return request.from_.tag, request.call_id, request.cseq.number, request.method
