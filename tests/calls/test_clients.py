"""How SIP clients are called, and what is told of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshdoor.calls.clients import MAX_PRODUCT, QUIRKS, Client, Keying
from meshdoor.errors import RemoteProtocolError

TABLET = Client(Keying.SRTP, "192.168.1.30", "Linphonec/5.1.65", "tcp")


@pytest.mark.parametrize("keying", Keying)
def test_a_client_is_told_of_and_read(keying: Keying) -> None:
    client = replace(TABLET, keying=keying, host="2001:db8::1")
    assert Client.read(client.note()) == client
    previewing = replace(client, preview=True)
    assert Client.read(previewing.note()) == previewing


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {"media": "zrtp"},
        {"host": "kitchen"},
        {"host": 3232235806},
        {"host": None},
        {"product": None},
        {"product": "x" * (MAX_PRODUCT + 1)},
        {"transport": "pigeon"},
        {"transport": ["tcp"]},
    ],
)
def test_what_is_no_client_is_refused(wrong: dict[str, object] | None) -> None:
    with pytest.raises(RemoteProtocolError):
        Client.read(None if wrong is None else TABLET.note() | wrong)


@pytest.mark.parametrize(
    ("product", "feedback", "early"),
    [
        ("Linphonec/5.1.65", True, True),
        ("LinphoneAndroid/5.2", True, True),
        ("baresip v1.0.0 (x86_64/linux)", False, False),
        ("baresip v4.0.0 (x86_64/linux)", False, True),
        ("Akuvox S562", False, True),
        ("", False, True),
    ],
)
def test_what_a_client_takes_depends_on_its_product(product: str, feedback: bool, early: bool) -> None:
    quirk = replace(TABLET, product=product).quirk
    assert (quirk.feedback, quirk.early) == (feedback, early)


def test_every_quirk_has_its_reason_and_the_last_one_fits_all() -> None:
    assert all(quirk.reason for quirk in QUIRKS)
    assert QUIRKS[-1].product == ""


def test_a_person_is_warned_of_what_the_network_can_see() -> None:
    assert "TCP" in TABLET.warning
    assert replace(TABLET, transport="tls").warning == ""
    assert replace(TABLET, keying=Keying.DTLS).warning == ""
    assert "unencrypted" in replace(TABLET, keying=Keying.PLAIN, transport="tls").warning
