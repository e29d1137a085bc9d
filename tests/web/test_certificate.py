"""The certificate of the page: what it speaks for, who signs it, and when there is another."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import plistlib
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from meshdoor.config import WebConfig
from meshdoor.errors import ConfigError, Refused, StateError
from meshdoor.store.state import Keys, StateDirectory, Table
from meshdoor.web import certificate as module
from meshdoor.web.certificate import Names, Pair, authority, fingerprint, is_current, issued, profile, self_signed
from meshdoor.web.identity import MAX_FORMER, WebIdentity

NAMES = Names("Hall", ("hall", "hall.local"), ("192.168.1.5", "fe80::1%eth0", "2001:db8::5"))
NOW = datetime(2026, 12, 24, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    with StateDirectory.open(tmp_path / "hall") as opened:
        yield opened


def said(certificate: x509.Certificate) -> set[str]:
    """What it speaks for."""
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(each.value) for each in san}


def test_the_first_one_is_self_signed_for_all_names() -> None:
    pair = self_signed(NAMES)
    assert said(pair.certificate) == {"hall", "hall.local", "192.168.1.5", "fe80::1", "2001:db8::5"}
    assert pair.certificate.issuer == pair.certificate.subject
    assert Pair.from_pem(pair.to_pem(), "x").certificate == pair.certificate
    assert pair.certificate.not_valid_before_utc.year == 2020


def test_an_authority_signs_for_the_house() -> None:
    root = authority("Meshdoor of Hall", "door.example.org", "hall")
    leaf = issued(root, self_signed(NAMES).key, NAMES, NOW)
    assert said(leaf.certificate) == {"hall", "hall.local", "192.168.1.5", "fe80::1"}
    assert is_current(leaf.certificate, root, NAMES, NOW)
    life = leaf.certificate.not_valid_after_utc - leaf.certificate.not_valid_before_utc
    assert life < timedelta(days=825)
    store = Store([root.certificate])
    for subject in (x509.DNSName("hall.local"), x509.IPAddress(ipaddress.ip_address("192.168.1.5"))):
        PolicyBuilder().store(store).time(NOW).build_server_verifier(subject).verify(leaf.certificate, [])


@pytest.mark.parametrize("name", ["bank.example.com", "8.8.8.8"])
def test_a_stolen_authority_speaks_for_nobody_else(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = authority("Meshdoor of Hall", "", "hall")
    everything = (ipaddress.ip_network("0.0.0.0/0"),)
    monkeypatch.setattr(module, "LOCAL_NETWORKS", everything)
    is_address = name[0].isdigit()
    false = Names("bank", () if is_address else (name,), (name,) if is_address else ())
    leaf = issued(root, root.key, false, NOW)
    (tmp_path / "root.pem").write_bytes(root.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "leaf.pem").write_bytes(leaf.certificate.public_bytes(Encoding.PEM))
    command = ["openssl", "verify", "-no_check_time", "-CAfile", "root.pem", "leaf.pem"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode != 0
    assert "permitted subtree violation" in told.stdout + told.stderr
    subject = x509.IPAddress(ipaddress.ip_address(name)) if is_address else x509.DNSName(name)
    verifier = PolicyBuilder().store(Store([root.certificate])).time(NOW).build_server_verifier(subject)
    with pytest.raises(VerificationError):
        verifier.verify(leaf.certificate, [])


def test_when_it_is_renewed() -> None:
    root, other = authority("A", "", "hall"), authority("B", "", "hall")
    leaf = issued(root, root.key, NAMES, NOW).certificate
    assert not is_current(leaf, other, NAMES, NOW)
    assert not is_current(leaf, root, NAMES, NOW + timedelta(days=750))
    assert not is_current(leaf, root, NAMES, NOW - timedelta(days=9))
    moved = Names("Hall", NAMES.dns, ("192.168.1.6",))
    assert not is_current(leaf, root, moved, NOW)
    assert is_current(leaf, root, Names("Hall", NAMES.dns, ("2001:db8::9",)), NOW)


def test_without_a_clock_it_is_valid_all_the_same() -> None:
    root = authority("A", "", "hall")
    leaf = issued(root, root.key, NAMES, datetime(1970, 1, 1, tzinfo=UTC)).certificate
    assert leaf.not_valid_before_utc == module.NOT_BEFORE


def test_the_profile_of_an_iphone() -> None:
    root = authority("Meshdoor of Hall", "", "hall").certificate
    document = plistlib.loads(profile(root, "Meshdoor of Hall"))
    (payload,) = document["PayloadContent"]
    assert payload["PayloadType"] == "com.apple.security.root"
    assert payload["PayloadContent"] == root.public_bytes(Encoding.DER)
    assert profile(root, "x") == profile(root, "x")


async def test_it_stays_though_addresses_change(state: StateDirectory) -> None:
    first = WebIdentity(WebConfig(), state, lambda: NAMES)
    await first.prepare()
    again = WebIdentity(WebConfig(), state, lambda: Names("Hall", ("hall",), ("10.0.0.9",)))
    await again.prepare()
    assert again.fingerprint == first.fingerprint
    assert again.former == ()
    assert not await again.refresh()
    assert again.authority_der() is None
    assert again.authority_profile() is None
    assert (state.path / Keys.WEB).stat().st_mode & 0o777 == 0o600


async def test_an_authority_follows_the_addresses_and_old_ones_are_remembered(state: StateDirectory) -> None:
    names = NAMES

    def current() -> Names:
        return names

    identity = WebIdentity(WebConfig(), state, current)
    await identity.prepare()
    first = identity.fingerprint
    root = await identity.found_authority()
    second = identity.fingerprint
    names = Names("Hall", ("hall",), ("10.0.0.9",))
    assert await identity.refresh()
    assert identity.fingerprints == (identity.fingerprint, second, first)
    again = WebIdentity(WebConfig(), state, current)
    await again.prepare()
    assert again.fingerprints == identity.fingerprints
    assert await again.found_authority() == root


async def test_fingerprints_that_are_none_are_left_out(state: StateDirectory) -> None:
    kept = ["x", 3, "ab" * 32, *(f"{number:064x}" for number in range(30))]
    await asyncio.to_thread(state.save_table, Table.WEB, {"fingerprints": kept})
    identity = WebIdentity(WebConfig(), state, lambda: NAMES)
    await identity.prepare()
    assert identity.former[0] == b"\xab" * 32
    assert len(identity.fingerprints) == MAX_FORMER


@pytest.mark.parametrize("pem", [b"x", b""])
async def test_a_damaged_one_is_told_of(state: StateDirectory, pem: bytes) -> None:
    await asyncio.to_thread(state.save_keys, Keys.WEB, pem)
    with pytest.raises(StateError, match=r"web\.pem is damaged"):
        await WebIdentity(WebConfig(), state, lambda: NAMES).prepare()


def test_a_key_of_another_certificate() -> None:
    pem = self_signed(NAMES).to_pem()
    other = self_signed(NAMES).to_pem()
    key = pem[: pem.index(b"-----BEGIN CERT")]
    with pytest.raises(StateError, match="another one"):
        Pair.from_pem(key + other[other.index(b"-----BEGIN CERT") :], "web.pem")


async def test_one_of_ones_own(state: StateDirectory, tmp_path: Path) -> None:
    pair, renewed = self_signed(NAMES), self_signed(NAMES)
    file = tmp_path / "own.pem"
    file.write_bytes(pair.to_pem())
    identity = WebIdentity(WebConfig(certificate=str(file), key=str(file)), state, lambda: NAMES)
    await identity.prepare()
    assert identity.fingerprint == fingerprint(pair.certificate)
    with pytest.raises(Refused, match="of your own"):
        await identity.found_authority()
    assert not await identity.refresh()
    file.write_bytes(renewed.to_pem())
    os.utime(file, (1, 1))
    assert await identity.refresh()
    assert identity.former == (fingerprint(pair.certificate),)
    assert not await asyncio.to_thread((state.path / Keys.WEB).exists)


@pytest.mark.parametrize("text", ["", "garbage", None])
async def test_one_of_ones_own_that_cannot_be_used(state: StateDirectory, tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "own.pem"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match="cannot be used"):
        await WebIdentity(WebConfig(certificate=str(file), key=str(file)), state, lambda: NAMES).prepare()


async def test_a_key_under_a_password_is_not_asked_for_at_the_terminal(state: StateDirectory, tmp_path: Path) -> None:
    pair = self_signed(NAMES)
    (tmp_path / "plain.pem").write_bytes(pair.to_pem())
    command = ["openssl", "ec", "-in", "plain.pem", "-aes128", "-passout", "pass:x", "-out", "key.pem"]
    await asyncio.to_thread(subprocess.run, command, cwd=tmp_path, capture_output=True, check=True)
    settings = WebConfig(certificate=str(tmp_path / "plain.pem"), key=str(tmp_path / "key.pem"))
    with pytest.raises((StateError, ConfigError)):
        await WebIdentity(settings, state, lambda: NAMES).prepare()


def test_the_context_takes_nothing_old(state: StateDirectory) -> None:
    context = WebIdentity(WebConfig(), state, lambda: NAMES).context
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    names = {cipher["name"] for cipher in context.get_ciphers()}
    assert all("GCM" in name or "CHACHA20" in name for name in names)
    assert not any(name.startswith(("AES", "DHE")) for name in names)
