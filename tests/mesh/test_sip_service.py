"""What SIP clients of others are told of a node."""

from __future__ import annotations

from meshdoor.mesh import dns
from meshdoor.mesh.dns import Message, Record
from meshdoor.mesh.outsiders import Outsiders
from meshdoor.mesh.sip_service import SipService

DOOR = SipService("abcd-efgh-ijkl-mnop", "door", "Front door", "10.77.0.1", 5060)


def test_the_records() -> None:
    records = DOOR.records()
    written = [(dns.written(record.name), record.type, record.ttl) for record in records[:4]]
    instance = "sip:door@10.77.0.1._sipuri._udp.local"
    assert written == [
        ("_services._dns-sd._udp.local", dns.PTR, 4500),
        ("_sipuri._udp.local", dns.PTR, 4500),
        (instance, dns.SRV, 120),
        (instance, dns.TXT, 4500),
    ]
    assert (records[2].port, dns.written(records[2].target)) == (5060, "meshdoor-abcdefgh.local")
    text = records[3].data
    for said in (b"\x09txtvers=1", b"\x0fname=Front door", b"contact=<sip:door@10.77.0.1>", b"instance_id=urn:uuid:"):
        assert said in text
    assert b"contact=<sip:door@10.77.0.1;transport=tcp>" in records[7].data
    assert len(records) == 8


def test_another_port_and_a_long_name() -> None:
    service = SipService("abcd-efgh-ijkl-mnop", "screen", "ü" * 200, "2001:db8::1", 5070)
    assert str(service.uri()) == "sip:screen@[2001:db8::1]:5070"
    assert "ü" * 100 in service.records()[3].data.decode(errors="replace")
    assert "ü" * 101 not in service.records()[3].data.decode(errors="replace")


def test_nodes_are_no_newcomers_for_each_other() -> None:
    outsiders = Outsiders()
    address = Record((b"meshdoor-abcdefgh", b"local"), dns.A, 120, bytes((10, 77, 0, 1)))
    outsiders.received(Message(records=(*DOOR.records(), address), response=True), "10.77.0.1", 0.0)
    assert outsiders.found(0.0) == ()
    assert outsiders.wanted(0.0) == ()
