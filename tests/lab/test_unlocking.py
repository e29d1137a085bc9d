"""Linphone and baresip, unmodified, open the lock: by a code that is typed in a call with the door, and by a message.

One house serves all tests of this file; each leaves it calm. The hall has the lock of the door, and knows the clients.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.baresip import MISSING as NO_BARESIP
from tests.lab.baresip import Baresip
from tests.lab.guests import TABLET, adopted, home
from tests.lab.linphone import MISSING, Linphonec, LinphoneDaemon, Settings
from tests.lab.nodes import wait_until
from tests.lab.presses import Family
from tests.lab.test_linphone import roots

pytestmark = [pytest.mark.lab, pytest.mark.peers, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

CODE, OTHER = "4711", "4712"
BY_INFO: Settings = {"sip": {"use_info": 1, "use_rfc2833": 0}}
BY_SOUND: Settings = {"sip": {"use_info": 0, "use_rfc2833": 1}}


@pytest.fixture(scope="module")
def built() -> Iterator[Family]:
    with home("tablet", "phone", "other") as family:
        yield family


@pytest.fixture
def family(built: Family) -> Iterator[Family]:
    built.forget()
    yield built
    built.calm()


@contextmanager
def talking(family: Family, settings: Settings, *permissions: str, code: str = CODE) -> Iterator[Linphonec]:
    """A Linphone that was adopted, has a code, and has answered a press."""
    with (
        Linphonec(family.house["tablet"], settings) as linphone,
        adopted(family, "tablet", "udp", "srtp", *permissions),
    ):
        if code:
            assert family["hall"].ask("pin", member=TABLET, code=code)["by_code"]
        answered(family, linphone)
        yield linphone


def answered(family: Family, linphone: Linphonec) -> None:
    family.press()
    family.hears("step", "door", step="early", member=TABLET)
    linphone.type("answer")
    family.hears("step", "door", step="answered", member=TABLET)
    family.hears("sound", "door")


@pytest.mark.parametrize("settings", [BY_SOUND, BY_INFO], ids=["by sound", "by INFO"])
def test_linphone_answers_and_opens_by_its_code_once(family: Family, settings: Settings) -> None:
    with talking(family, settings) as linphone:
        linphone.type(f"{CODE}#")
        opened = family.hears("lock", "hall", result="opened")
        assert opened.event["who"] == f"{TABLET}, by code"
        family.ears.hear(1)
        assert len(family.told("lock", "hall")) == 1
        assert len(family.told("dtmf", "door")) == (5 if settings is BY_SOUND else 0)


def test_three_wrong_codes_shut_the_call(family: Family) -> None:
    with talking(family, BY_INFO) as linphone:
        for number in range(1, 4):
            linphone.type(f"{OTHER}#")
            wrong(family, number)
        linphone.type(f"{CODE}#")
        family.ears.hear(7)  # linphonec takes a second for each
        assert not family.told("lock")
        assert len(family.told("opening")) == 3


def wrong(family: Family, number: int) -> None:
    """Until so many wrong codes were typed."""
    family.ears.until(lambda: len(family.told("opening", result="wrong code")) == number)


def test_before_the_answer_nothing_opens(family: Family) -> None:
    with (
        Linphonec(family.house["tablet"], BY_SOUND) as linphone,
        adopted(family, "tablet", "udp", "srtp"),
    ):
        family["hall"].ask("pin", member=TABLET, code=CODE)
        family.press()
        wait_until(linphone.decodes)
        linphone.type(f"{CODE}#")
        family.ears.hear(3)
        assert not family.told("lock")
        assert not family.told("opening")


def test_without_a_code_nothing_opens(family: Family) -> None:
    with talking(family, BY_SOUND, code="") as linphone:
        linphone.type(f"{CODE}#")
        family.ears.until(lambda: len(family.told("dtmf", "door")) == 5)
        family.ears.hear(0.5)
        assert not family.told("lock")


@pytest.mark.skipif(bool(NO_BARESIP), reason=NO_BARESIP)
def test_baresip_opens_by_its_code(family: Family) -> None:
    console = "cons_listen 127.0.0.1:5555\nmodule cons.so\n"
    with (
        Baresip(family.house["tablet"], "mediaenc=srtp", more=console) as baresip,
        adopted(family, "tablet", "tcp", "srtp"),
    ):
        family["hall"].ask("pin", member=TABLET, code=CODE)
        family.press()
        family.hears("step", "door", step="early", member=TABLET)
        baresip.ask("accept")
        family.hears("sound", "door")
        baresip.type(f"{CODE}#")
        assert family.hears("lock", "hall", result="opened").event["who"] == f"{TABLET}, by code"


@pytest.fixture(scope="module")
def anna(built: Family) -> Iterator[LinphoneDaemon]:
    """A `linphone-daemon` that has set itself up by the code of the hall."""
    with provisioned(built, "phone", "Anna") as linphone:
        yield linphone


@contextmanager
def provisioned(built: Family, place: str, name: str, *options: str) -> Iterator[LinphoneDaemon]:
    hall, host = built["hall"], built.house[place]
    command = hall.host.python("meshdoor", "phone", "add", name, "--linphone", "--json", *options)
    invited = hall.host.start(command)
    invited.expect('"url"')
    url = json.loads(invited.text.splitlines()[0])["url"]
    hosts = host.directory / "hosts"
    hosts.write_text(hosts.read_text() + f"{hall.host.ipv4} hall.local\n")
    with LinphoneDaemon(host, provisioning=url, trust=str(roots(hall, host.directory))) as linphone:
        wait_until(lambda: built.door.sees(name))
        yield linphone
    wait_until(lambda: not built.door.sees(name))
    hall.ask("revoke", member=name)


def test_a_linphone_that_set_itself_up_opens_by_a_message(family: Family, anna: LinphoneDaemon) -> None:
    anna.ask("message sip:door@hall.local open")
    assert family.hears("lock", "hall", result="opened").event["who"] == "Anna, by message"
    wait_until(lambda: "hall: opened." in anna.log.read_text(errors="replace"))
    family.ears.hear(0.5)
    assert len(family.told("lock")) == 1


def test_its_digits_are_none_of_the_doors_business(family: Family, anna: LinphoneDaemon) -> None:
    assert family["hall"].ask("pin", member="Anna", code=CODE)["warning"] == ""
    family.press()
    wait_until(lambda: anna.shows("LinphoneCallIncomingEarlyMedia"))
    anna.ask("answer")
    family.hears("step", "door", step="answered", member="Anna")
    for digit in f"{CODE}#":
        anna.ask(f"dtmf {digit}")
    assert family.hears("lock", "hall", result="opened").event["who"] == "Anna, by code"
    assert not family.told("dtmf", "door")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_linphone_that_was_adopted_with_a_secret_opens_by_a_message(family: Family, transport: str) -> None:
    hall = family["hall"].host.ipv4
    with adopted(family, "tablet", transport, "srtp", digest=True) as made:
        proof = {"username": made["user"], "passwd": made["secret"], "realm": "meshdoor"}
        itself = {"sip_port": 5060, "sip_tcp_port": 5060, "contact": made["uri"].partition(";")[0]}
        with LinphoneDaemon(family.house["tablet"], {"sip": itself, "auth_info_0": proof}) as linphone:
            wait_until(lambda: family.door.sees(TABLET))
            linphone.ask(f"message sip:door@{hall};transport={transport} open")
            assert family.hears("lock", "hall", result="opened").event["who"] == f"{TABLET}, by message"
            wait_until(lambda: "hall: opened." in linphone.log.read_text(errors="replace"))


def test_who_may_not_open_is_told_so(family: Family) -> None:
    with provisioned(family, "other", "Guest", "--permissions", "view,talk") as guest:
        guest.ask("message sip:door@hall.local open")
        assert family.hears("lock", "hall").event["result"] == "not permitted"
        wait_until(lambda: "hall stays shut: not permitted" in guest.log.read_text(errors="replace"))
