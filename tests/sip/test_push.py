"""Push parameters."""

from __future__ import annotations

import pytest

from meshdoor.errors import SipError
from meshdoor.sip.push import MAX_VALUE, PushTarget
from meshdoor.sip.uri import parse_uri

# RFC 8599 §14, the example of §14.1, and what Linphone writes.
CONTACT = "sip:alice@192.0.2.1;pn-provider=acme;pn-param=acme-param;pn-prid=ZTY4ZDJlMzODE1NmUgKi0K"
LINPHONE = "sip:a@192.0.2.1;pn-provider=apns;pn-param=ABC.org.x.voip%26remote;pn-prid=00fc:voip%2600ab:remote"


def test_a_client_says_how_it_is_woken() -> None:
    target = PushTarget.of(parse_uri(CONTACT))
    assert target == PushTarget("acme", "acme-param", "ZTY4ZDJlMzODE1NmUgKi0K")
    assert PushTarget.read(target.to_json()) == target
    assert target.capability == ("Feature-Caps", '*;+sip.pns="acme"')
    assert PushTarget.of(parse_uri(LINPHONE)) == PushTarget("apns", "ABC.org.x.voip&remote", "00fc:voip&00ab:remote")


@pytest.mark.parametrize("text", ["sip:a@b", "sip:a@b;pn-provider=acme", "sip:a@b;pn-provider;pn-prid=x", "tel:+1"])
def test_most_do_not(text: str) -> None:
    assert PushTarget.of(parse_uri(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "sip:a@b;pn-provider=ac%22me;pn-prid=x",
        f"sip:a@b;pn-provider=acme;pn-prid={'x' * (MAX_VALUE + 1)}",
        "sip:a@b;pn-provider=acme;pn-prid=x%0Ay",
    ],
)
def test_what_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(SipError):
        PushTarget.of(parse_uri(text))


@pytest.mark.parametrize("document", [None, {}, {"provider": "acme", "param": 3, "prid": "x"}])
def test_what_is_stored_is_checked(document: object) -> None:
    with pytest.raises(SipError):
        PushTarget.read(document)
