"""Settings: defaults, files, and errors that name the file and the field."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshdoor import config
from meshdoor.errors import ConfigError

ACCOUNT = "[[accounts]]\naddress = 'sip:flat42@sip.example.org'\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


def test_no_file_is_needed(tmp_path: Path) -> None:
    assert config.load(None, tmp_path) == config.Config()


def test_the_state_directory_may_hold_one(tmp_path: Path) -> None:
    written(tmp_path, 'name = "Kitchen"\n[mesh]\nport = 0\ninterfaces = ["eth0"]\n')
    loaded = config.load(None, tmp_path)
    assert (loaded.name, loaded.mesh.port, loaded.mesh.interfaces) == ("Kitchen", 0, ("eth0",))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nam = 'x'", "nam: no such setting"),
        ("name = 3", "name: must be a string, not 3"),
        ("mesh = 3", "mesh: must be a table"),
        ("[mesh]\nport = 70000", "mesh.port: 70000 is not a port"),
        ("[mesh]\nport = true", "mesh.port: must be a whole number"),
        ("[mesh]\ninterfaces = 'eth0'", "mesh.interfaces: must be a list"),
        ("role = 'butler'", "role: 'butler' is none of door, screen, lock"),
        ("[log]\nformat = 'xml'", "log.format: 'xml' is none of text, json"),
        ("name = ' x'", "name: ' x' has characters"),
        ("name = '" + "x" * 65 + "'", "name: longer than 64"),
        ("name =", "not valid TOML"),
        ("lock = 3", "lock: must be a table"),
        ("[lock]\npulse = 0", "lock.pulse: 0.0 is not from 0.1 to 60 seconds"),
        ("[lock]\npulse = nan", "lock.pulse: nan is not"),
        ("[lock]\nof = ' x'", "lock.of: ' x' has characters"),
        ("[web]\nport = -1", "web.port: -1 is not a port"),
        ("[web]\nkey = 'key.pem'", "web: a certificate needs its key"),
        ("[web]\nice_servers = ['turn:example.org']", "web.ice_servers: `stun:HOST:PORT` or"),
        ("[web]\nice_servers = ['stun:u:p@example.org']", "web.ice_servers: `stun:HOST:PORT` or"),
        ("[web]\nice_servers = ['http://example.org']", "web.ice_servers: `stun:HOST:PORT` or"),
        ("[sip]\npush_gateway = 'file:///x'", "sip.push_gateway: 'file:///x' is no URL"),
        ("routes = 3", "routes: must be a table"),
        ("[routes]\nall = 'Hall'", "routes.all: must be a list of strings"),
        ("accounts = 3", "accounts: must be a list of tables: [[accounts]]"),
        ("accounts = [3]", "accounts: must be a table"),
        ("[[accounts]]", "accounts.address: '' is not like sip:user@"),
        ("[[accounts]]\naddress = 'sip:example.org'", "accounts.address: 'sip:example.org' is not like"),
        (ACCOUNT + "password = 'x'", "accounts.password: no such setting"),
        (ACCOUNT + "transport = 'ws'", "accounts.transport: 'ws' is none of udp, tcp, tls"),
        (ACCOUNT + "media = 'zrtp'", "accounts.media: 'zrtp' is none of"),
        (ACCOUNT + "stun = 'stun:example.org'", "accounts.stun: 'stun:example.org' is not like"),
        (ACCOUNT + "incoming = 'cat'", "accounts.incoming: 'cat' is none of"),
        (ACCOUNT + "expires = 5", "accounts.expires: 5 is not from 60"),
    ],
)
def test_errors_name_the_file_and_the_field(tmp_path: Path, text: str, complaint: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        config.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert complaint in str(caught.value)


def test_routes_and_accounts(tmp_path: Path) -> None:
    text = f"[routes]\nall = ['Hall', 'sip:bob@example.org']\n{ACCOUNT}user = 'me'\n{ACCOUNT}"
    read = config.read(written(tmp_path, text))
    assert read.routes == {"all": ("Hall", "sip:bob@example.org")}
    assert [account.user for account in read.accounts] == ["me", ""]
    assert read.accounts[0].address == "sip:flat42@sip.example.org"


def test_a_lock(tmp_path: Path) -> None:
    assert config.Config().lock is None
    assert config.read(written(tmp_path, "[lock]")).lock == config.LockConfig()
    lock = config.read(written(tmp_path, "[lock]\nof = 'Front door'\npulse = 5")).lock
    assert lock == config.LockConfig("Front door", 5.0)


def test_a_close_name_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.read(written(tmp_path, "nam = 'x'"))
    assert caught.value.hint == "did you mean 'name'?"


def test_an_explicit_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        config.load(tmp_path / "missing.toml", tmp_path)


def test_whom_this_node_answers_by_itself(tmp_path: Path) -> None:
    path = written(tmp_path, '[calls]\nauto_answer = ["Hall", "abcd-efgh-ijkl-mnop"]\n')
    assert config.read(path).calls.auto_answer == ("Hall", "abcd-efgh-ijkl-mnop")


def test_ice_servers_are_given_as_a_browser_takes_them() -> None:
    assert config.IceServer.parse("stun:[2001:db8::1]:3478").to_json() == {"urls": "stun:[2001:db8::1]:3478"}
    server = config.IceServer.parse("turns:alice:a%40b:c@turn.example.org:443?transport=tcp")
    assert server.to_json() == {
        "urls": "turns:turn.example.org:443?transport=tcp",
        "username": "alice",
        "credential": "a@b:c",
    }


def test_no_password_of_a_server_is_shown() -> None:
    text = "turn:alice:secret@turn.example.org"
    shown = f"{config.WebConfig(ice_servers=(text,))} {config.IceServer.parse(text)}"
    assert "secret" not in shown
    with pytest.raises(ConfigError) as caught:
        config.Config(web=config.WebConfig(ice_servers=(text + " ",)))
    assert "secret" not in str(caught.value)
