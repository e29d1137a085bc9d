"""Our account at a server of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from meshdoor.sip.compose import Fields
from meshdoor.sip.core import Config
from meshdoor.sip.credentials import Challenge
from meshdoor.sip.digest import WITH_MD5, DigestClient, DigestServer, make_ha1
from meshdoor.sip.events import RegistrationChanged, RequestReceived
from meshdoor.sip.flow import Target
from meshdoor.sip.headers import NameAddr
from meshdoor.sip.message import Request, Response
from meshdoor.sip.registration import Registration, State
from meshdoor.sip.uri import SipUri
from meshdoor.sip.validate import Capabilities
from tests.sip.wire import Net

SERVER = Config(capabilities=Capabilities(methods=(*Capabilities().methods, "REGISTER")))
AOR = SipUri.parse("sip:flat42@sip.example.org")
DOMAIN = SipUri.parse("sip:sip.example.org")

Answer = Callable[[Request], tuple[int, Fields]]


class Scene:
    """A node and its server; `answer` says what becomes of each REGISTER."""

    def __init__(self, config: Config | None = None, transport: str = "UDP") -> None:
        self.net = Net(transport)
        self.node, self.server = self.net.party(config), self.net.party(SERVER)
        self.answer: Answer = granted
        self.asked: list[Request] = []

    def register(self, expires: int = 600) -> Registration:
        made = self.node.stack.register(self.target(), "flat42-x", expires, self.net.now)
        self.serve()
        return made

    def target(self) -> Target:
        return Target(DOMAIN, self.net.flow(self.node, self.server), caller=NameAddr(None, AOR))

    def serve(self, seconds: float = 0.0) -> None:
        """Let time pass, and the server answer."""
        end = self.net.now + seconds
        while True:
            self.net.roundtrip()
            for event in self.server.all(RequestReceived)[len(self.asked) :]:
                self.asked.append(event.request)
                status, headers = self.answer(event.request)
                self.server.stack.respond(event, status, self.net.now, headers)
            self.net.roundtrip()
            if len(self.asked) < len(self.server.all(RequestReceived)):
                continue
            deadline = self.net.deadline()
            if deadline is None or deadline > end:
                break
            self.net.now = max(self.net.now, deadline)
            for party in self.net.parties:
                party.stack.handle_timer(self.net.now)
        self.net.now = end

    @property
    def told(self) -> list[State]:
        return [event.registration.state for event in self.node.all(RegistrationChanged)]


def granted(request: Request) -> tuple[int, Fields]:
    return 200, [("Contact", value) for value in request.headers.get_all("contact")]


def expiring(request: Request) -> list[str | None]:
    return [contact.parameter("expires") for contact in request.contacts]


def test_it_registers_and_does_so_again_before_the_end() -> None:
    scene = Scene()
    made = scene.register()
    (first,) = scene.asked
    assert (str(first.uri), str(first.to.uri), str(first.from_.uri)) == (str(DOMAIN), str(AOR), str(AOR))
    assert str(first.contacts[0]) == "<sip:flat42-x@10.0.0.1:5060>;expires=600"
    assert (scene.told, made.state, made.status) == ([State.REGISTERED], State.REGISTERED, 200)
    scene.serve(567.0)
    assert len(scene.asked) == 1
    scene.serve(2.0)
    second = scene.asked[1]
    assert (second.call_id, second.cseq.number) == (first.call_id, first.cseq.number + 1)
    assert scene.told == [State.REGISTERED] * 2


def test_it_goes_by_what_the_server_grants() -> None:
    scene = Scene()
    other = ("Contact", "<sip:o@x>;expires=9")
    scene.answer = lambda request: (200, [other, ("Contact", f"<{request.contacts[0].uri}>;expires=20")])
    scene.register()
    scene.serve(10.5)
    assert len(scene.asked) == 2
    scene.answer = lambda request: (200, [("Expires", "60")])
    scene.serve(10.5)
    scene.answer = lambda request: (200, [])
    scene.serve(30.0)
    assert len(scene.asked) == 4
    scene.serve(560.0)
    assert len(scene.asked) == 4


def seen_at(scene: Scene, host: str, port: str) -> None:
    """The server sees the node there."""
    inner = scene.answer

    def answer(request: Request) -> tuple[int, Fields]:
        via = request.via.with_parameter("received", host).with_parameter("rport", port)
        request.headers.set("Via", str(via))
        return inner(request)

    scene.answer = answer


def test_behind_nat_the_contact_is_what_the_server_sees() -> None:
    scene = Scene()
    seen_at(scene, "203.0.113.7", "40000")
    made = scene.register()
    assert str(made.contact) == "sip:flat42-x@203.0.113.7:40000"
    assert [str(each) for each in scene.asked[1].contacts] == [
        "<sip:flat42-x@203.0.113.7:40000>;expires=600",
        "<sip:flat42-x@10.0.0.1:5060>;expires=0",
    ]
    assert (len(scene.asked), scene.told) == (2, [State.REGISTERED])
    options = scene.node.stack.invite(scene.target(), b"v=0", (), scene.net.now)
    scene.net.roundtrip()
    (invite,) = [each.data for each in scene.net.sent if each.data.startswith(b"INVITE")]
    assert b"Contact: <sip:flat42-x@203.0.113.7:40000>" in invite
    options.abandon(scene.net.now)


@pytest.mark.parametrize(("host", "port"), [("203.0.113.7", "0x"), ("203.0.113.7", "99999"), ("where", "5060")])
def test_nonsense_about_where_we_are_is_not_believed(host: str, port: str) -> None:
    scene = Scene()
    made = scene.register()
    response = Response(200, "OK", scene.asked[0].headers)
    via = scene.asked[0].via.with_parameter("received", host).with_parameter("rport", port)
    response.headers.set("Via", str(via))
    made.refresh(scene.net.now)
    made._answered(response, None, scene.net.now)
    assert made.state is State.REGISTERED
    assert str(made.contact) == "sip:flat42-x@10.0.0.1:5060"


def test_a_nat_that_changes_its_mind_each_time_is_not_followed_for_ever() -> None:
    scene = Scene()
    ports = iter(range(40000, 50000))
    inner = scene.answer

    def answer(request: Request) -> tuple[int, Fields]:
        via = request.via.with_parameter("received", "203.0.113.7").with_parameter("rport", str(next(ports)))
        request.headers.set("Via", str(via))
        return inner(request)

    scene.answer = answer
    assert scene.register().state is State.REGISTERED
    assert len(scene.asked) == 2


@pytest.mark.parametrize("algorithms", [("SHA-256",), ("MD5",)])
def test_it_proves_who_it_is(algorithms: tuple[str, ...]) -> None:
    client = DigestClient("flat42", "secret", WITH_MD5)

    def authorize(request: Request, response: Response) -> Fields:
        assert client.challenged(response.www_authenticate, next(iter(request.authorization), None))
        credentials = client.authorize(request.method, str(request.uri), request.body)
        return [("Authorization", str(credentials))]

    server = DigestServer("x", lambda user, name: make_ha1(name, user, "x", "secret"), algorithms)
    scene = Scene(Config(authorize=authorize))

    def answer(request: Request) -> tuple[int, Fields]:
        who = server.authenticate(request, scene.net.now)
        asked: tuple[Challenge, ...] = who.challenges
        return granted(request) if who.username else (401, [("WWW-Authenticate", str(each)) for each in asked])

    scene.answer = answer
    assert scene.register().state is State.REGISTERED
    assert len(scene.asked) == 2


def test_a_longer_interval_is_taken() -> None:
    scene = Scene()
    brief = (423, [("Min-Expires", "1800")])
    scene.answer = lambda request: granted(request) if expiring(request) == ["1800"] else brief
    scene.register()
    assert [expiring(request) for request in scene.asked] == [["600"], ["1800"]]
    scene.answer = lambda request: (423, [("Min-Expires", "999999999")])
    scene.serve(1800.0)
    assert scene.told[-1] is State.FAILED


def test_it_is_tried_again_ever_later() -> None:
    scene = Scene()
    scene.answer = lambda request: (500, [])
    made = scene.register()
    assert (made.state, made.status) == (State.FAILED, 500)
    scene.serve(30.0)
    assert len(scene.asked) == 2
    scene.serve(28.0)
    assert len(scene.asked) == 2
    scene.answer = lambda request: (503, [("Retry-After", "300")])
    scene.serve(40.0)
    assert len(scene.asked) == 3
    scene.serve(255.0)
    assert len(scene.asked) == 3
    scene.answer = granted
    scene.serve(60.0)
    assert made.state is State.REGISTERED


@pytest.mark.parametrize("status", [401, 403, 404])
def test_who_is_not_let_in_does_not_insist(status: int) -> None:
    scene = Scene()
    scene.answer = lambda request: (status, [])
    scene.register()
    scene.serve(890.0)
    assert len(scene.asked) == 1
    scene.serve(920.0)
    assert len(scene.asked) == 2


def test_without_an_answer_it_moves_to_another_way() -> None:
    scene = Scene()
    other = scene.net.party(SERVER)
    made = scene.node.stack.register(scene.target(), "flat42-x", 600, 0.0)
    made.refresh(0.0)  # it is under way
    made.move(scene.target(), 0.0)
    scene.net.parties.remove(scene.server)
    scene.serve(33.0)
    assert (made.state, made.status) == (State.FAILED, 408)
    scene.server, scene.asked = other, []
    made.move(replace(scene.target(), flow=scene.net.flow(scene.node, other)), scene.net.now)
    scene.serve()
    assert made.state is State.REGISTERED
    made.refresh(scene.net.now)
    scene.serve()
    assert len(scene.asked) == 2


def test_it_takes_its_leave() -> None:
    scene = Scene()
    made = scene.register()
    made.end(scene.net.now)
    made.end(scene.net.now)
    scene.serve()
    assert expiring(scene.asked[-1]) == ["0"]
    assert (made.state, len(scene.asked)) == (State.ENDED, 2)
    made.refresh(scene.net.now)
    scene.serve(100.0)
    assert len(scene.asked) == 2
    assert scene.node.stack.idle


def test_what_never_was_has_nothing_to_take_back() -> None:
    scene = Scene()
    scene.answer = lambda request: (403, [])
    made = scene.register()
    made.end(scene.net.now)
    assert made.state is State.ENDED
    scene.serve(33.0)
    assert (len(scene.asked), scene.node.stack.idle) == (1, True)
