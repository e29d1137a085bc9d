"""A Flexisip set-up, line by line."""

from __future__ import annotations

import tomllib

import pytest

from meshdoor.calls.flexisip import MAX_TEXT, Became, Device, Found, User, translate
from meshdoor.errors import ConfigError

CONF = """
## what it does
[global]
transports=sip:*:5060
aliases=localhost
debug=false

[module::Authentication]
enabled=true
auth-domains=localhost myhouse
available-algorithms=MD5 SHA-256
db-implementation=file
file-path=/etc/flexisip/users.db.txt
trusted-hosts=127.0.0.1

[module::Registrar]
enabled=true
reg-domains=\\
  myhouse
static-records-file=/etc/flexisip/routes.conf

[module::Router]
fork-late=true
call-fork-timeout=90
"""
MD5, SHA = "a" * 32, "b" * 64
USERS = f"""version:1

door@myhouse clrtxt:knock md5:{MD5} sha256:{SHA} ;
kitchen@myhouse md5:{MD5} ;
"""
RECORDS = """
<sip:everyone@myhouse> <sip:homescreen@myhouse>, <sip:bob@sip.example.org;transport=tls>
<sip:homescreen@myhouse> <sip:homescreen@192.168.1.30>
<sip:garage@myhouse> sip:gate@192.168.1.31:5080, sip:gate@192.168.1.32
<sip:garage@myhouse> sip:gate@192.168.1.31:5080
"""
FILES = {"/etc/flexisip/users.db.txt": USERS, "/etc/flexisip/routes.conf": RECORDS}


def read(path: str) -> str:
    if path not in FILES:
        raise ConfigError(f"{path}: No such file")
    return FILES[path]


def translated(text: str = CONF) -> Found:
    return translate(text, "flexisip.conf", read)


def became(text: str) -> tuple[Became, str]:
    """Of one setting in [module::Authentication]."""
    line = translated(f"[module::Authentication]\n{text}").lines[0]
    return line.became, line.said


def test_the_set_up_of_a_house() -> None:
    found = translated()
    assert found.domain == "myhouse"
    assert tomllib.loads(found.settings()) == {
        "sip": {"domain": "myhouse"},
        "ring": {"timeout": 90.0},
        "routes": {
            "everyone": ["homescreen", "sip:bob@sip.example.org;transport=tls"],
            "garage": ["gate", "gate 192.168.1.32"],
        },
    }
    assert found.users == [User("door", "myhouse", "knock"), User("kitchen", "myhouse")]
    assert found.devices == [
        Device("homescreen", "sip:homescreen@192.168.1.30"),
        Device("gate", "sip:gate@192.168.1.31:5080"),
        Device("gate 192.168.1.32", "sip:gate@192.168.1.32"),
    ]


def test_every_line_is_spoken_of() -> None:
    found = translated()
    said = [(line.file, line.number) for line in found.lines]
    written = [
        (name, number)
        for name, text in {"flexisip.conf": CONF, **FILES}.items()
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and line[0] not in "#[ "
    ]
    assert said == written
    assert "knock" not in "".join(map(str, found.lines)) + repr(found.users)
    assert str(found.lines[-1]).startswith("/etc/flexisip/routes.conf:5: <sip:garage@myhouse> sip:gate")


@pytest.mark.parametrize(
    ("text", "what", "said"),
    [
        ("auth-domains=localhost", Became.GONE, "this host is the house"),
        ("auth-domains=One two", Became.BY_HAND, "a house has one domain, one; two would be outside"),
        ("db-implementation=soci", Became.BY_HAND, "users in a soci cannot be read"),
        ("trusted-hosts=10.0.0.1", Became.BY_HAND, "an address alone is trusted for nothing"),
        ("file-path=", Became.GONE, "nobody else is let in"),
        ("what is this", Became.BY_HAND, "this was not understood"),
        ("x" * 200, Became.BY_HAND, "this was not understood"),
        ("nonce-expires=3600", Became.GONE, "nobody else is let in"),
        ("nonce-expires=\\", Became.GONE, "nobody else is let in"),
    ],
)
def test_settings(text: str, what: Became, said: str) -> None:
    assert became(text)[0] is what
    assert said in became(text)[1]


def test_sections_that_mean_nothing_here() -> None:
    (line,) = translated("[module::Redirect]\nenabled=true").lines
    assert (line.became, line.said) == (Became.GONE, "needed no more: there is no server")
    (line,) = translated("[module::Router]\ncall-fork-timeout=long").lines
    assert line.became is Became.GONE


def test_a_file_that_is_not_there_is_told_of() -> None:
    found = translated("[module::Authentication]\nfile-path=/none\n")
    assert (found.lines[1].became, found.lines[1].said) == (Became.BY_HAND, "/none: No such file")
    assert found.settings() == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version:2", "another version"),
        ("alice", "not understood"),
        ("@myhouse clrtxt:x ;", "not understood"),
        ("alice@myhouse ;", "not understood"),
        ("alice@elsewhere clrtxt:x ;", "elsewhere is not of the house"),
        ("alice@myhouse md5:abc ;", "a hash that is none"),
    ],
)
def test_users_that_are_none(text: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FILES, "/etc/flexisip/users.db.txt", text)
    found = translated()
    line = next(line for line in found.lines if line.file.endswith("users.db.txt"))
    assert line.became is Became.BY_HAND
    assert said in line.said
    assert found.users == []


@pytest.mark.parametrize("text", ["", "<sip:a@myhouse>", "<sip:myhouse> <sip:a@myhouse>", "<a> <b>"])
def test_records_that_are_none(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FILES, "/etc/flexisip/routes.conf", text)
    found = translated()
    assert found.routes == {}
    assert [line.became for line in found.lines if line.file.endswith("routes.conf")] == [Became.BY_HAND] * bool(text)


@pytest.mark.parametrize("text", ["", "name = 'x'", "[global]\n" + "x" * MAX_TEXT])
def test_other_files_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="no settings of Flexisip"):
        translated(text)
