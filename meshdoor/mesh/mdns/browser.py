"""What is known of the instances on the network, out of the records that come by."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

from zeroconf import RecordUpdate, RecordUpdateListener, Zeroconf, current_time_millis
from zeroconf._dns import DNSAddress, DNSPointer, DNSRecord, DNSService, DNSText

from meshdoor.errors import AnnouncementError
from meshdoor.mesh.announcement import Announcement
from meshdoor.mesh.fair import FairTable
from meshdoor.mesh.mdns.records import IN, PTR, SRV, TXT, TYPE, host_in, host_of, instance_of, label_of, properties

MAX_UNKNOWN = 160  # instances that are no member's
MAX_RECORDS = 16  # of one name in the cache
REFRESH = 24.0  # seconds of life left at which a record is asked for again: 80 % of 120 (RFC 6762 §5.2)
FLUSHED = 1  # seconds
MAX_ASKED = 3  # questions for an instance of which only a part is known

R = TypeVar("R", bound=DNSRecord)


@dataclass(slots=True)
class _Instance:
    label: str
    addresses: tuple[str, ...] = ()
    visible: bool = False
    asked: int = 0


class Browser(RecordUpdateListener):
    """Calls `saw(announcement, source)`, `lost(label)`, and `want()` when there is something to ask for.

    Set `source` before each datagram. Records of protected labels (this node and the members) are kept
    whatever else comes; of the others a bounded number. `wanted` are the labels to ask for; `goodbye` is true
    while an instance is reported lost because somebody said goodbye, false if it was not heard for too long.
    """

    def __init__(
        self,
        zc: Zeroconf,
        saw: Callable[[Announcement, str], None],
        lost: Callable[[str], None],
        want: Callable[[], None],
    ) -> None:
        self._zc = zc
        self._saw = saw
        self._lost = lost
        self._want = want
        self._protected: frozenset[str] = frozenset()
        self._known: dict[str, _Instance] = {}
        self._unknown = FairTable[_Instance](MAX_UNKNOWN)
        self._batch: dict[str, list[DNSRecord]] = {}
        self._others: list[DNSRecord] = []
        self.use_loopback = False
        self.source = ""
        self.goodbye = False
        self.wanted: dict[str, None] = {}

    def protect(self, labels: Collection[str]) -> None:
        """This node and the members."""
        self._protected = frozenset(labels)
        for label in self._known.keys() - self._protected:
            self._unknown.put(label, self._known.pop(label), "")
        for label in self._protected - self._known.keys():
            instance = self._unknown.pop(label)
            if instance is not None:
                self._known[label] = instance

    def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:
        """Zeroconf is about to store or to remove the records of one datagram."""
        for update in records:
            label = label_of(update.new)
            if label is None:
                self._others.append(update.new)
            else:
                self._batch.setdefault(label, []).append(update.new)

    def async_update_records_complete(self) -> None:
        """It has; now the cache is read, and cleared of what is nobody's."""
        batch, self._batch = self._batch, {}
        others, self._others = self._others, []
        self._remove(others)
        for label, records in batch.items():
            self._settle(label, records)
        if self.wanted:
            self._want()

    def known_pointers(self) -> list[DNSRecord]:
        """The PTR records that are fresh enough to be listed as known answers (RFC 6762 §7.1)."""
        now = current_time_millis()
        return [record for record in self._zc.cache.get_all_by_details(TYPE, PTR, IN) if not record.is_stale(now)]

    def take_wanted(self, count: int) -> list[str]:
        """So many labels to ask for, the members first."""
        taken = sorted(self.wanted, key=lambda label: label not in self._protected)[:count]
        for label in taken:
            del self.wanted[label]
        return taken

    def refresh(self) -> None:
        """Want the instances whose records end soon. Call it every ten seconds or so."""
        now = current_time_millis()
        for instance in [*self._known.values(), *self._unknown.values()]:
            service = self._newest(instance_of(instance.label), SRV, DNSService)
            if service is not None and service.get_remaining_ttl(now) < REFRESH:
                self.wanted[instance.label] = None
        if self.wanted:
            self._want()

    def _settle(self, label: str, records: list[DNSRecord]) -> None:
        now = current_time_millis()
        live = [record for record in records if not record.is_expired(now)]
        instance = self._known.get(label) or self._unknown.get(label)
        if instance is None:
            if not live:
                return
            instance = self._take_in(label)
        self.goodbye = any(record.ttl == 0 for record in records)
        self._trim(instance_of(label))
        self._trim(host_of(label))
        self._follow_addresses(instance, records, live)
        self._tell(instance, bool(live))

    def _take_in(self, label: str) -> _Instance:
        instance = _Instance(label)
        if label in self._protected:
            self._known[label] = instance
            return instance
        evicted = self._unknown.put(label, instance, self.source)
        if evicted is not None:
            self._forget(evicted)
            self._lost(evicted)
        return instance

    def _follow_addresses(self, instance: _Instance, records: list[DNSRecord], live: list[DNSRecord]) -> None:
        """A response with the SRV record lists all addresses; one without, all of a family."""
        named = _hosts(live, self.use_loopback)
        gone = _hosts((record for record in records if record not in live), True)
        if not any(isinstance(record, DNSService) for record in live):
            families = {_family(host) for host in named}
            named += [host for host in instance.addresses if _family(host) not in families and host not in gone]
        elif not named:
            named = list(instance.addresses)
        instance.addresses = tuple(sorted(dict.fromkeys(named), key=_family))

    def _tell(self, instance: _Instance, news: bool) -> None:
        service = self._newest(instance_of(instance.label), SRV, DNSService)
        text = self._newest(instance_of(instance.label), TXT, DNSText)
        if service is None or text is None or not instance.addresses:
            self._incomplete(instance, news)
            return
        instance.visible, instance.asked = True, 0
        self.wanted.pop(instance.label, None)
        if news:
            self._announced(instance, service.port, properties(text.text))

    def _announced(self, instance: _Instance, port: int, txt: dict[bytes, bytes | None]) -> None:
        try:
            announcement = Announcement.parse(instance.label, port, txt, instance.addresses)
        except AnnouncementError:
            return
        self._saw(announcement, self.source)

    def _incomplete(self, instance: _Instance, news: bool) -> None:
        """Gone, or only a part of it was heard so far."""
        if instance.visible:
            self._known.pop(instance.label, None)
            self._unknown.pop(instance.label)
            self._forget(instance.label)
            self._lost(instance.label)
        elif news and instance.asked < MAX_ASKED:
            instance.asked += 1
            self.wanted[instance.label] = None

    def _newest(self, name: str, kind: int, class_: type[R]) -> R | None:
        """The live record that came last. One that was flushed has a second to live (RFC 6762 §10.2): not live."""
        now = current_time_millis()
        stored = (record for record in self._zc.cache.async_all_by_details(name, kind, IN) if record.ttl > FLUSHED)
        live = [record for record in stored if isinstance(record, class_) and not record.is_expired(now)]
        return max(live, key=lambda record: record.created, default=None)

    def _forget(self, label: str) -> None:
        self.wanted.pop(label, None)
        cache = self._zc.cache
        pointer = DNSPointer(TYPE, PTR, IN, 0, instance_of(label))
        self._remove([pointer, *cache.entries_with_name(instance_of(label)), *cache.entries_with_name(host_of(label))])

    def _trim(self, name: str) -> None:
        stored = sorted(self._zc.cache.entries_with_name(name), key=lambda record: record.created)
        self._remove(stored[:-MAX_RECORDS])

    def _remove(self, records: Iterable[DNSRecord]) -> None:
        cache = self._zc.cache
        for record in records:
            if record in cache.cache.get(record.key, ()):
                cache.async_remove_records([record])


def _hosts(records: Iterable[DNSRecord], use_loopback: bool) -> list[str]:
    found = [host_in(record) for record in records if isinstance(record, DNSAddress)]
    return [host for host in found if host is not None and (use_loopback or not _is_loopback(host))]


def _is_loopback(host: str) -> bool:
    return host == "::1" or host.startswith("127.")


def _family(host: str) -> int:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
