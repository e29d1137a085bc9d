"""SIP devices of others that announce themselves by DNS-SD: who could be adopted (sans-IO).

What is understood, each under `_udp` and `_tcp`:

    _sipuri   DNS-SD for SIP URIs (Blink, baresip): the instance is a SIP URI; TXT has txtvers, name, contact and
              instance_id
    _sip      any other; of belle-sip (Linphone, Flexisip) the TXT has prio, weight and ttl, and the bytes of the port
              are the wrong way round

All of it is the device's own claim. Where it is reached is taken from its SRV and address records, never from the
contact or the instance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from meshdoor.errors import SipError
from meshdoor.mesh import dns
from meshdoor.mesh.announcement import MAX_NAME
from meshdoor.mesh.dns import Message, Name, Question, Record, folded
from meshdoor.mesh.fair import FairTable
from meshdoor.ratelimit import RateLimit
from meshdoor.sip.uri import SipUri, parse_uri

LOCAL = b"local"
SIPURI_UDP: Name = (b"_sipuri", b"_udp", LOCAL)
SIPURI_TCP: Name = (b"_sipuri", b"_tcp", LOCAL)
SIP_UDP: Name = (b"_sip", b"_udp", LOCAL)
TYPES: tuple[Name, ...] = (SIPURI_UDP, SIPURI_TCP, SIP_UDP, (b"_sip", b"_tcp", LOCAL))
OURS = b"meshdoor"  # the key of the TXT record by which nodes know each other's

MAX_DEVICES = 64
MAX_HOSTS = 64
MAX_ADDRESSES = 4  # of one host
MAX_STRINGS = 32  # of one TXT record
MAX_ASKED = 3  # questions for a device of which only a part is known
RATE, BURST = 10.0, 128.0  # unknown devices a second that are looked at
LONGEST_TTL = 4500  # seconds, RFC 6762 §10
REFRESH = 0.8  # of its life, after which a record is asked for again (§5.2)
EPHEMERAL = 49152  # RFC 6335 §6: nobody listens for SIP from here on
BELLE_SIP = frozenset({b"prio", b"weight", b"ttl"})

_NODE = re.compile(rb"meshdoor-[a-z2-7]{8}")


@dataclass(frozen=True, slots=True)
class Outsider:
    """A SIP device. `uri` leads to its address; `name` is what it calls itself, or "" where it says nothing."""

    uri: str
    name: str
    transport: str
    since: float


@dataclass(slots=True)
class _Device:
    instance: Name
    since: float
    port: int = 0
    host: Name = ()
    until: float = 0.0  # that its SRV is good for
    refresh: float = 0.0
    txt: dict[bytes, bytes] | None = None
    asked: int = 0


@dataclass(slots=True)
class _Host:
    addresses: dict[str, float]  # until when


class Outsiders:
    """Give it every response; ask what `wanted` says. A source that floods displaces its own devices only; nodes of
    ours, which tell all of themselves at once, take no place."""

    def __init__(self) -> None:
        self._devices = FairTable[_Device](MAX_DEVICES)
        self._hosts = FairTable[_Host](MAX_HOSTS)
        self._rate = RateLimit(RATE, BURST)

    def received(self, message: Message, source: str, now: float) -> None:
        """What `source`, a host, sent."""
        if not message.response:
            return
        texts = (record for record in message.records if record.type == dns.TXT)
        nodes = {_key(record.name) for record in texts if OURS in _strings(record.data)}
        for key in nodes:
            self._devices.pop(key)
        for record in message.records:
            if record.type == dns.PTR and folded(record.name) in TYPES and _key(record.target) not in nodes:
                self._pointer(record, source, now)
        for record in message.records:
            self._detail(record, source, now)

    def found(self, now: float) -> tuple[Outsider, ...]:
        """Those of which all is known, the one that is there longest first."""
        seen = (self._outsider(device, now) for device in self._devices.values())
        return tuple(outsider for outsider in seen if outsider is not None)

    def hosts(self) -> list[bytes]:
        """The first labels of the hosts that are told of."""
        return [device.host[0].lower() for device in self._devices.values() if device.host]

    def wanted(self, now: float) -> tuple[Question, ...]:
        """What to ask for: devices of which a part is missing, or whose records end soon."""
        questions: list[Question] = []
        for device in self._devices.values():
            # Asked about in vain, or not heard for too long: if it is there, its pointer comes again.
            gone = now >= device.until if device.host else device.asked >= MAX_ASKED
            if gone:
                self._devices.pop(_key(device.instance))
            elif self._is_incomplete(device, now) or (device.refresh and now >= device.refresh):
                questions += self._ask(device, now)
        return tuple(questions)

    def _ask(self, device: _Device, now: float) -> list[Question]:
        if device.asked >= MAX_ASKED:
            return []
        device.asked += 1
        asked = [Question(device.instance, dns.ANY)]
        return [*asked, Question(device.host, dns.A)] if device.host else asked

    def _pointer(self, record: Record, source: str, now: float) -> None:
        instance = record.target
        if len(instance) != 4 or folded(instance[1:]) != folded(record.name) or _NODE.fullmatch(instance[0].lower()):
            return
        if record.ttl == 0:
            self._devices.pop(_key(instance))
        elif self._devices.get(_key(instance)) is None and self._rate.allow(now):
            self._devices.put(_key(instance), _Device(instance, now), source)

    def _detail(self, record: Record, source: str, now: float) -> None:
        if record.type in (dns.A, dns.AAAA):
            self._address(record, source, now)
            return
        device = self._devices.get(_key(record.name))
        if device is None:
            return
        if record.ttl == 0:
            self._devices.pop(_key(record.name))
        elif record.type == dns.SRV:
            life = min(record.ttl, LONGEST_TTL)
            device.port, device.host, device.asked = record.port, record.target, 0
            device.until, device.refresh = now + life, now + REFRESH * life
        elif record.type == dns.TXT:
            device.txt = _strings(record.data)

    def _address(self, record: Record, source: str, now: float) -> None:
        address = ip_address(record.data)
        if address.is_multicast or address.is_unspecified or (address.version == 6 and address.is_link_local):
            return
        key = _key(record.name)
        if not any(_key(device.host) in (key, NOWHERE) for device in self._devices.values()):
            return
        host = self._hosts.get(key) or _Host({})
        host.addresses = {text: until for text, until in host.addresses.items() if until > now}
        host.addresses.pop(str(address), None)
        if record.ttl and len(host.addresses) < MAX_ADDRESSES:
            host.addresses[str(address)] = now + min(record.ttl, LONGEST_TTL)
        self._hosts.put(key, host, source)

    def _is_incomplete(self, device: _Device, now: float) -> bool:
        return not device.host or device.txt is None or not self._address_of(device, now)

    def _address_of(self, device: _Device, now: float) -> str:
        """The best that is known, IPv4 first; "" while there is none."""
        host = self._hosts.get(_key(device.host))
        known: Iterable[str] = () if host is None else (text for text, until in host.addresses.items() if until > now)
        return next(iter(sorted(known, key=lambda text: ":" in text)), "")

    def _outsider(self, device: _Device, now: float) -> Outsider | None:
        txt = device.txt
        if txt is None or OURS in txt or now >= device.until or self._is_incomplete(device, now):
            return None
        claimed = _claimed(txt.get(b"contact", b"")) or _claimed(device.instance[0])
        transport = (claimed.parameter("transport") or "" if claimed else "").lower()
        if transport not in ("udp", "tcp", "tls"):
            transport = device.instance[2][1:].lower().decode(errors="replace")
        user = claimed.user if claimed else None
        parameters = () if transport == "udp" else (("transport", transport),)
        uri = SipUri("sip", user, None, self._address_of(device, now), _port(device.port, txt), parameters)
        return Outsider(str(uri), _name(device, txt, claimed), transport, device.since)


def _key(name: Name) -> str:
    return repr(folded(name))


NOWHERE = _key(())  # of a device whose SRV may still come


def _port(port: int, txt: dict[bytes, bytes]) -> int | None:
    if txt.keys() >= BELLE_SIP and port >= EPHEMERAL:
        port = int.from_bytes(port.to_bytes(2, "little"), "big")
    return None if port in (0, 5060) else port


def _strings(data: bytes) -> dict[bytes, bytes]:
    """The strings of a TXT record (RFC 6763 §6): the first of each key counts, beyond some all are ignored."""
    found: dict[bytes, bytes] = {}
    while data and len(found) < MAX_STRINGS:
        end = 1 + data[0]
        key, _, value = data[1:end].partition(b"=")
        found.setdefault(key.lower(), value)
        data = data[end:]
    return found


def _claimed(raw: bytes) -> SipUri | None:
    """The SIP URI that a contact or an instance is, if it is one."""
    text = raw.decode(errors="replace").strip()
    if "<" in text:
        text = text.partition("<")[2].partition(">")[0]
    try:
        uri = parse_uri(text.partition(" ")[0])
    except SipError:
        return None
    return uri if isinstance(uri, SipUri) else None


def _name(device: _Device, txt: dict[bytes, bytes], claimed: SipUri | None) -> str:
    """What people may be shown."""
    said = txt.get(b"name", b"").decode(errors="replace")
    label = device.instance[0].decode(errors="replace")
    text = said or (claimed.user if claimed and claimed.user else "" if claimed else label)
    return "".join(character for character in text if character.isprintable()).strip()[:MAX_NAME]
