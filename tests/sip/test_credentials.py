from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import LocalProtocolError, SipError
from meshdoor.sip.credentials import Challenge, Credentials, format_auth_parameters, parse_auth_parameters

VALUES = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"))


def test_challenge() -> None:
    text = 'Digest realm="a, \\"b\\"", nonce="n", qop="auth,auth-int", algorithm=SHA-256, stale=true'
    challenge = Challenge.parse(text)
    assert challenge.parameters["realm"] == 'a, "b"'
    assert challenge.parameters["qop"] == "auth,auth-int"
    assert str(challenge) == text


def test_credentials() -> None:
    text = 'Digest username="bob", uri="sip:h", qop=auth, nc=00000001, response="ff"'
    credentials = Credentials.parse(text)
    assert (credentials.scheme, credentials.parameters["nc"]) == ("Digest", "00000001")
    assert str(credentials) == text
    assert Credentials.parse("Basic").parameters == {}


@pytest.mark.parametrize(
    "text", ["", "Digest a", "Digest a=1, A=2", 'Digest a="b', 'Digest a="b"c', "Digest =1", "D<", "D " + "a=1," * 65]
)
def test_malformed(text: str) -> None:
    with pytest.raises(SipError):
        Credentials.parse(text)


@given(st.dictionaries(st.sampled_from(["realm", "nonce", "nc", "qop", "x"]), VALUES))
def test_round_trip(parameters: dict[str, str]) -> None:
    assert parse_auth_parameters(format_auth_parameters(parameters)) == parameters


@pytest.mark.parametrize("challenge", [Challenge("Di gest", {}), Challenge("Digest", {"a b": ""})])
def test_nothing_breaks_out(challenge: Challenge) -> None:
    with pytest.raises(LocalProtocolError):
        str(challenge)
