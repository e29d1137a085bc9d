"""Flows and where messages go."""

from __future__ import annotations

import pytest

from meshdoor.sip.flow import Flow, next_hop, reopened, reply_flows, stamp
from meshdoor.sip.uri import parse_uri
from tests.sip.machines import request


def flow(transport: str = "UDP", host: str = "192.0.2.9", port: int = 40000) -> Flow:
    return Flow(transport, ("192.0.2.1", 5060), (host, port), None if transport == "UDP" else "c")


@pytest.mark.parametrize(
    ("via", "host", "stamped"),
    [
        ("192.0.2.9;branch=z9hG4bK1", "192.0.2.9", ""),
        ("192.0.2.7;branch=z9hG4bK1", "192.0.2.9", ";received=192.0.2.9"),
        ("door.local;branch=z9hG4bK1", "192.0.2.9", ";received=192.0.2.9"),
        ("192.0.2.9;branch=z9hG4bK1;rport", "192.0.2.9", "=40000;received=192.0.2.9"),
        ("[2001:db8::9];branch=z9hG4bK1", "2001:db8:0::9", ""),
        ("[2001:db8::8];branch=z9hG4bK1", "fe80::9%eth0", ";received=fe80::9"),
        ("192.0.2.9;branch=z9hG4bK1", "::ffff:192.0.2.9", ""),
    ],
)
def test_the_via_tells_where_a_request_came_from(via: str, host: str, stamped: str) -> None:
    message = request("OPTIONS", f"SIP/2.0/UDP {via}")
    stamp(message, flow(host=host))
    assert str(message.via) == f"SIP/2.0/UDP {via}{stamped}"


def test_only_the_topmost_via_is_stamped() -> None:
    message = request("OPTIONS", "SIP/2.0/UDP a.example;branch=z9hG4bK1, SIP/2.0/TCP b.example;branch=z9hG4bK2")
    stamp(message, flow())
    assert [via.received for via in message.vias] == ["192.0.2.9", None]
    assert message.vias[1].host == "b.example"


@pytest.mark.parametrize(
    ("via", "remotes"),
    [
        ("192.0.2.9;branch=z9hG4bK1;rport", [("192.0.2.9", 40000)]),
        ("192.0.2.9;branch=z9hG4bK1", [("192.0.2.9", 5060)]),
        ("192.0.2.7:5070;branch=z9hG4bK1", [("192.0.2.9", 5070)]),
        ("192.0.2.7;maddr=203.0.113.1;branch=z9hG4bK1", [("192.0.2.9", 5060)]),
    ],
)
def test_responses_over_udp_go_to_the_sender(via: str, remotes: list[tuple[str, int]]) -> None:
    assert [f.remote for f in reply_flows(request("OPTIONS", f"SIP/2.0/UDP {via}"), flow())] == remotes


@pytest.mark.parametrize(("transport", "port"), [("TCP", 5060), ("TLS", 5061)])
def test_responses_use_the_connection_and_then_a_new_one(transport: str, port: int) -> None:
    came = flow(transport)
    first, second = reply_flows(request("OPTIONS"), came)
    assert first == came
    assert (second.remote, second.connection) == (("192.0.2.9", port), None)


@pytest.mark.parametrize("transport", ["LINK", "WS"])
def test_responses_have_no_other_way_back(transport: str) -> None:
    assert reply_flows(request("OPTIONS"), flow(transport)) == (flow(transport),)


@pytest.mark.parametrize(
    ("uri", "transport", "remote"),
    [
        ("sip:a@192.0.2.5", "UDP", ("192.0.2.5", 5060)),
        ("sip:a@192.0.2.5:5070", "UDP", ("192.0.2.5", 5070)),
        ("sip:a@192.0.2.5;transport=tcp", "TCP", ("192.0.2.5", 5060)),
        ("sip:a@192.0.2.5;transport=sctp", "UDP", ("192.0.2.9", 40000)),
        ("sip:a@phone.local", "UDP", ("192.0.2.9", 40000)),
        ("tel:+4930", "UDP", ("192.0.2.9", 40000)),
    ],
)
def test_the_next_hop_over_udp_is_what_the_uri_says(uri: str, transport: str, remote: tuple[str, int]) -> None:
    hop = next_hop(parse_uri(uri), flow())
    assert (hop.transport, hop.remote) == (transport, remote)


def test_the_next_hop_keeps_the_scope_of_a_link_local_address() -> None:
    hop = next_hop(parse_uri("sip:a@[fe80::9]:5060"), flow(host="fe80::9%eth0"))
    assert hop.remote == ("fe80::9%eth0", 5060)


def test_the_next_hop_of_a_connection_is_the_connection() -> None:
    assert next_hop(parse_uri("sip:a@192.0.2.5"), flow("LINK")) == flow("LINK")


@pytest.mark.parametrize(
    ("transport", "uri", "remote"),
    [
        ("TCP", "sip:a@192.0.2.9:5070", ("192.0.2.9", 5070)),
        ("TCP", "sip:a@192.0.2.9", ("192.0.2.9", 5060)),
        ("TLS", "sip:a@192.0.2.9", ("192.0.2.9", 5061)),
        ("TLS", "sip:a@phone.local", None),
        ("TCP", "tel:+4930", None),
        ("LINK", "sip:a@192.0.2.9", None),
        ("UDP", "sip:a@192.0.2.5", None),
    ],
)
def test_a_broken_connection_is_replaced_where_the_uri_says_how(
    transport: str, uri: str, remote: tuple[str, int] | None
) -> None:
    old = flow(transport)
    new = reopened(parse_uri(uri), old)
    if remote is None:
        assert new == old
    else:
        assert (new.transport, new.remote, new.connection) == (transport, remote, None)


def test_contact_and_via_name_the_transport() -> None:
    link = Flow("LINK", ("fe80::1%eth0", 7000), ("fe80::2%eth0", 7000), b"key")
    assert str(link.contact("door")) == "sip:door@[fe80::1]:7000;transport=tls"
    assert str(link.via("z9hG4bK1")) == "SIP/2.0/TLS [fe80::1]:7000;branch=z9hG4bK1;rport"
    assert str(flow().contact("door")) == "sip:door@192.0.2.1:5060"
