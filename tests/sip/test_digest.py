from __future__ import annotations

import itertools

import pytest

from meshdoor.sip.digest import (
    STRONG,
    WITH_MD5,
    Authentication,
    DigestClient,
    DigestServer,
    Proof,
    choose,
    hash_hex,
    make_ha1,
)
from meshdoor.sip.fields import Headers
from meshdoor.sip.headers import Challenge, Credentials
from meshdoor.sip.message import Request
from meshdoor.sip.uri import parse_uri

REALM = "home"
ALL = (*STRONG, "MD5")


NUMBERS = itertools.count()


def counter(size: int) -> bytes:
    return next(NUMBERS).to_bytes(size, "big")


def server(algorithms: tuple[str, ...] = STRONG) -> DigestServer:
    def find(username: str, algorithm: str) -> str | None:
        return make_ha1(algorithm, username, REALM, "pässword") if username == "bob" else None

    return DigestServer(REALM, find, algorithms, random_bytes=counter)


def client(algorithms: tuple[str, ...] = STRONG, password: str = "pässword", username: str = "bob") -> DigestClient:
    return DigestClient(username, password, algorithms, random_bytes=counter)


def request(*credentials: Credentials | None, method: str = "REGISTER", body: bytes = b"") -> Request:
    pairs = [("Authorization", str(c)) for c in credentials if c is not None]
    return Request(method, parse_uri("sip:home.local"), Headers(pairs), body)


def signed(digest_client: DigestClient, body: bytes = b"") -> Request:
    return request(digest_client.authorize("REGISTER", "sip:home.local", body), body=body)


def changed(credentials: Credentials | None, **values: str) -> Credentials:
    assert credentials is not None
    return Credentials(credentials.scheme, {**credentials.parameters, **values})


def without(credentials: Credentials, name: str) -> Credentials:
    return Credentials(credentials.scheme, {k: v for k, v in credentials.parameters.items() if k != name})


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
    ],
)
def test_the_vectors_of_rfc_7616(algorithm: str, response: str) -> None:
    ha1 = make_ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")
    nonce, cnonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    proof = Proof(algorithm, nonce, "auth", cnonce, "00000001")
    assert proof.response(ha1, "GET", "/dir/index.html", b"") == response


def test_the_vector_of_rfc_2069_without_qop() -> None:
    ha1 = make_ha1("MD5", "Mufasa", "testrealm@host.com", "Circle Of Life")
    proof = Proof("MD5", "dcd98b7102dd2f0e8b11d0f600bfb0c093")
    assert proof.response(ha1, "GET", "/dir/index.html", b"") == "670fd8c2df070c60b045671b8b24ff02"


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("qop", ["auth", "auth-int", "other, AUTH-INT", None])
@pytest.mark.parametrize("session", ["", "-sess"])
def test_both_sides_agree(algorithm: str, qop: str | None, session: str) -> None:
    realm = server((algorithm,))
    (challenge,) = realm.challenges(0.0)
    parameters = {**challenge.parameters, "algorithm": algorithm + session}
    parameters = {k: v for k, v in parameters.items() if k != "qop"} | ({"qop": qop} if qop else {})
    asker = client((algorithm,))
    assert asker.challenged([Challenge("Digest", parameters)])
    expected = "bob" if qop or algorithm == "MD5" else None
    assert realm.authenticate(signed(asker, b"body"), 1.0).username == expected


def test_the_server_prefers_sha_256_and_asks_no_md5() -> None:
    asked = server().authenticate(request(), 0.0)
    assert asked.username is None
    assert [c.parameters["algorithm"] for c in asked.challenges] == ["SHA-256", "SHA-512-256"]
    assert "stale" not in asked.challenges[0].parameters


def test_the_first_request_has_no_credentials() -> None:
    assert client().authorize("REGISTER", "sip:h") is None


def test_a_nonce_serves_several_requests_each_once() -> None:
    realm, asker = server(), client()
    asker.challenged(realm.challenges(0.0))
    first, second = signed(asker), signed(asker)
    assert second.authorization[0].parameters["nc"] == "00000002"
    assert realm.authenticate(first, 1.0) == Authentication("bob")
    assert realm.authenticate(second, 1.0) == Authentication("bob")
    replayed = realm.authenticate(second, 1.0)
    assert replayed.username is None
    assert replayed.challenges[0].parameters["stale"] == "true"


def test_a_late_nonce_is_stale_and_the_client_goes_on() -> None:
    realm, asker = server(), client()
    asker.challenged(realm.challenges(0.0))
    late = signed(asker)
    asked = realm.authenticate(late, 301.0)
    assert asked.challenges[0].parameters["stale"] == "true"
    assert asker.challenged(asked.challenges, late.authorization[0])
    assert realm.authenticate(signed(asker), 302.0).username == "bob"


@pytest.mark.parametrize(("username", "password"), [("bob", "wrong"), ("eve", "pässword")])
def test_a_wrong_password_or_name(username: str, password: str) -> None:
    realm, asker = server(), client(username=username, password=password)
    asker.challenged(realm.challenges(0.0))
    tried = signed(asker)
    asked = realm.authenticate(tried, 1.0)
    assert asked.username is None
    assert "stale" not in asked.challenges[0].parameters
    assert not asker.challenged(asked.challenges, tried.authorization[0])


def test_an_old_server_that_never_says_stale() -> None:
    asker = client()
    realm = server()
    asker.challenged(realm.challenges(0.0))
    signed(asker)
    second = signed(asker)
    assert asker.challenged(realm.challenges(500.0), second.authorization[0])
    assert signed(asker).authorization[0].parameters["nc"] == "00000001"


def test_the_body_is_covered_by_auth_int() -> None:
    realm, asker = server(), client()
    (challenge, _) = realm.challenges(0.0)
    asker.challenged([Challenge("Digest", {**challenge.parameters, "qop": "auth-int"})])
    message = signed(asker, b"one")
    message.body = b"two"
    assert realm.authenticate(message, 1.0).username is None


@pytest.mark.parametrize(
    "values",
    [
        {"realm": "other"},
        {"algorithm": "MD5"},
        {"algorithm": "NEW"},
        {"qop": ""},
        {"qop": "new"},
        {"cnonce": ""},
        {"nc": "1"},
        {"nc": "0000000g"},
        {"nc": "00000002"},
        {"uri": "sip:other"},
        {"uri": "<"},
        {"response": "\udcff"},
        {"username": "\udcff"},
        {"nonce": "forged"},
    ],
)
def test_tampered_credentials(values: dict[str, str]) -> None:
    realm, asker = server(), client()
    asker.challenged(realm.challenges(0.0))
    forged = changed(asker.authorize("REGISTER", "sip:home.local"), **values)
    assert realm.authenticate(request(forged), 1.0).username is None


@pytest.mark.parametrize("name", ["username", "realm", "nonce", "uri", "response", "algorithm"])
def test_missing_parameters(name: str) -> None:
    realm, asker = server(), client()
    asker.challenged(realm.challenges(0.0))
    given = changed(asker.authorize("REGISTER", "sip:home.local"))
    assert realm.authenticate(request(without(given, name)), 1.0).username is None


@pytest.mark.parametrize("uri", ["sip:other", "<"])
def test_a_proof_for_another_uri(uri: str) -> None:
    realm, asker = server(), client()
    asker.challenged(realm.challenges(0.0))
    assert realm.authenticate(request(asker.authorize("REGISTER", uri)), 1.0).username is None


def test_an_equivalent_uri_and_other_schemes_beside() -> None:
    realm, asker = server(), client()
    asker.challenged(realm.challenges(0.0))
    message = request(Credentials("Other", {"a": "b"}), asker.authorize("REGISTER", "SIP:HOME.local"))
    assert realm.authenticate(message, 1.0).username == "bob"


def test_the_count_goes_on_where_the_server_keeps_its_nonce() -> None:
    asker, offer = client(), {"realm": "r", "nonce": "n", "algorithm": "SHA-256", "stale": "true", "qop": "auth"}
    for count in ("00000001", "00000002"):
        assert asker.challenged([Challenge("Digest", offer)])
        assert signed(asker).authorization[0].parameters["nc"] == count


def test_the_client_chooses() -> None:
    def challenge(algorithm: str, **more: str) -> Challenge:
        return Challenge("Digest", {"realm": "r", "nonce": "n", "algorithm": algorithm, **more})

    md5, sha, new = challenge("MD5"), challenge("sha-256"), challenge("SHA3")
    assert choose([new, md5, sha], STRONG) is sha
    assert choose([md5, sha], WITH_MD5) is sha
    assert choose([md5, new], WITH_MD5) is md5
    assert choose([md5, Challenge("Basic", {})], STRONG) is None
    assert choose([challenge("SHA-256", qop="new"), Challenge("Digest", {"realm": "r"})], WITH_MD5) is None
    assert not client().challenged([md5])


def test_userhash_and_opaque() -> None:
    asker = client(WITH_MD5)
    asker.challenged([Challenge("Digest", {"realm": "r", "nonce": "n", "userhash": "true", "opaque": "o"})])
    given = asker.authorize("REGISTER", "sip:h")
    assert given is not None
    assert given.parameters["username"] == hash_hex("MD5", b"bob:r")
    assert (given.parameters["opaque"], given.parameters["userhash"]) == ("o", "true")
    assert "qop" not in given.parameters
