"""What a node says of itself to SIP clients of others: DNS-SD for SIP URIs (sans-IO).

    sip:door@10.77.0.1._sipuri._udp.local   SRV  5060 meshdoor-abcdefgh.local
                                            TXT  txtvers=1 name=Front door contact=<sip:door@10.77.0.1>
                                                 instance_id=urn:uuid:... meshdoor=<device id>

and the same under `_tcp`. The key `meshdoor` is ours: by it nodes know that a service is no newcomer.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from meshdoor.mesh.announcement import MAX_NAME_BYTES, instance_of
from meshdoor.mesh.dns import Name, Record, pointer, service, text
from meshdoor.mesh.outsiders import OURS, SIPURI_TCP, SIPURI_UDP
from meshdoor.sip.uri import SipUri

TYPES: dict[str, Name] = {"udp": SIPURI_UDP, "tcp": SIPURI_TCP}
ENUMERATION: Name = (b"_services", b"_dns-sd", b"_udp", b"local")  # RFC 6763 §9
HOST_TTL, OTHER_TTL = 120, 4500  # seconds, RFC 6762 §10
DEFAULT_PORT = 5060


@dataclass(frozen=True, slots=True)
class SipService:
    """`user` is what the node is called at, `name` what people call it; `host` is numeric, without scope."""

    id: str
    user: str
    name: str
    host: str
    port: int

    def uri(self, transport: str = "udp") -> SipUri:
        """Where it is called."""
        port = None if self.port == DEFAULT_PORT else self.port
        parameters = () if transport == "udp" else (("transport", transport),)
        return SipUri("sip", self.user, None, self.host, port, parameters)

    def records(self) -> tuple[Record, ...]:
        """All that is to be published, but for the addresses of the host."""
        return tuple(record for transport in TYPES for record in self._records(transport))

    def _records(self, transport: str) -> tuple[Record, ...]:
        kind = TYPES[transport]
        instance = (str(self.uri()).encode(), *kind)
        host = (instance_of(self.id).encode(), b"local")
        txt = {
            b"txtvers": b"1",
            b"name": self.name.encode()[:MAX_NAME_BYTES].decode(errors="ignore").encode(),
            b"contact": f"<{self.uri(transport)}>".encode(),
            b"instance_id": uuid.uuid5(uuid.NAMESPACE_URL, f"meshdoor:{self.id}").urn.encode(),
            OURS: self.id.encode(),
        }
        return (
            pointer(ENUMERATION, kind, OTHER_TTL),
            pointer(kind, instance, OTHER_TTL),
            service(instance, self.port, host, HOST_TTL),
            text(instance, tuple(b"=".join(pair) for pair in txt.items()), OTHER_TTL),
        )
