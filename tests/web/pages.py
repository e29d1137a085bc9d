"""The page in a real browser: a home that is not there, served by the real web server, and a door in another page."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, Route, async_playwright

from meshdoor.config import Config, MeshConfig, WebConfig
from meshdoor.errors import Refused
from meshdoor.node import qr
from meshdoor.node.web import Cut, Guest, Json, Send, SipFlow, Web
from meshdoor.store.state import StateDirectory
from meshdoor.trust import grants
from meshdoor.trust.identity import Identity, device_id
from meshdoor.trust.invitation import Invitation, Reply, Request, reply_proof
from meshdoor.trust.invitations import Invitations
from meshdoor.trust.permissions import Permission
from meshdoor.web.files import PAGE
from meshdoor.web.server import serve
from tests.fakes.webhouse import Flow, WebHouse
from tests.patience import PATIENCE

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",  # tests have no other interface
)
DOOR = Path(__file__).with_name("door.js")
ALL = frozenset({Permission.VIEW, Permission.TALK, Permission.OPEN, Permission.ADMIT})
LONGEST = 120.0  # seconds for all of a test: what a page is asked to evaluate has no time-out of its own

Row = dict[str, Json]


def an_id(text: str) -> str:
    """The device id of a member that is only a name."""
    return device_id(text.encode())


FRONT, GARDEN = an_id("Front door"), an_id("Garden gate")


@dataclass
class Wire(Flow):
    """The SIP socket of the phone, as a proxy with doors behind it."""

    house: PageHouse | None = None

    def received(self, text: str) -> None:
        super().received(text)
        assert self.house is not None
        self.house.route(text)


@dataclass
class PageHouse(WebHouse):
    """A family house: what its page is told stands here."""

    node: str = "Hall"
    home_name: str = "Maple Street 5"
    invitations: Invitations = field(default_factory=Invitations)
    lock: Identity = field(default_factory=Identity.generate)
    permissions: frozenset[Permission] = ALL
    base: str = ""
    fingerprint: bytes = b""
    door: Page | None = None
    doors: list[Row] = field(default_factory=list)
    members: list[Row] = field(default_factory=list)
    visits: list[Row] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)
    result: grants.Result = grants.Result.OPENED
    missed: int = 0
    quiet: Row | None = None
    asked: list[tuple[str, Json]] = field(default_factory=list)
    phone: Guest | None = None
    _opening: dict[str, bytes] = field(default_factory=dict)
    _frames: asyncio.Queue[tuple[str, str]] = field(default_factory=asyncio.Queue)

    def invite(self, name: str = "Alice", until: int | None = None) -> str:
        """The URL in a code."""
        now = time.monotonic()
        made = self.invitations.invite(name, self.permissions, until, now, time.time())
        return made.url(self.base, self.fingerprint, self.home_name)

    def pair(self, body: bytes, address: str, fingerprint: bytes) -> bytes:
        request = Request.parse(body)
        invitation = self.invitations.check(request, fingerprint, address, time.monotonic())
        self.invitations.use(invitation, request.key)
        self.let_in(invitation, request.key)
        home = bytes.fromhex(self.home)
        proof = reply_proof(invitation.token, request.key, fingerprint, home)
        reply = Reply(
            home, self.home_name, device_id(request.key), invitation.name, invitation.permissions, invitation.until,
            self.node, proof,
        )
        return bytes(reply)

    def let_in(self, invitation: Invitation, key: bytes) -> None:
        permissions = tuple(sorted(map(str, invitation.permissions)))
        guest = Guest(key, device_id(key), invitation.name, permissions, invitation.until)
        self.guests[key] = guest
        if self.phone is None:
            self.phone = guest
            row = {"id": guest.id, "name": guest.name, "role": "phone", "state": "ready", "at": self.node}
            self.members.append(row)
        self.tell({"event": "joined", "name": guest.name})

    def attach(self, key: bytes, send: Send, cut: Cut) -> SipFlow:
        self.flows.append(Wire(send, cut, house=self))
        return self.flows[-1]

    def tell(self, event: Json) -> None:
        for listener in tuple(self.listeners):
            listener(event)

    def changed_home(self) -> None:
        self.tell({"event": "home"} | self._home())

    async def ask(self, key: bytes, what: str, args: Mapping[str, Json]) -> Json:
        self.asked.append((what, dict(args)))
        answer = getattr(self, f"_{what.replace('.', '_')}", None)
        if answer is None:
            raise Refused(f"no such verb: {what}")
        return answer(**args)

    def _home(self) -> Row:
        me: Row | None = None
        if self.phone is not None:
            me = {"id": self.phone.id, "name": self.phone.name, "until": self.phone.until, "quiet": self.quiet}
            me |= {"permissions": sorted(self.phone.permissions), "push": False}
        shown: Row = {"home_name": self.home_name, "node": self.node, "doors": self.doors, "members": self.members}
        return shown | {"missed": self.missed, "me": me}

    def _history(self, limit: int, before: str = "") -> Row:
        ids = [visit["id"] for visit in self.visits]
        start = ids.index(before) + 1 if before else 0
        return {"visits": self.visits[start : start + limit]}

    def _picture(self, id: str) -> Row:
        return {"jpeg": self.pictures[id]}

    def _seen(self, ids: list[str]) -> Row:
        for visit in self.visits:
            visit["seen"] = visit["seen"] or visit["id"] in ids
        self.missed = 0
        self.changed_home()
        return {}

    def _shown(self, call: str, press: str) -> Row:
        return {}

    def _quiet(self, **hours: Json) -> Row:
        self.quiet = {"from": hours["from"], "to": hours["to"]} if hours["from"] else None
        return {}

    def _phones(self) -> Row:
        return {"phones": [row for row in self.members if row["role"] == "phone"], "invited": []}

    def _phone_add(self, name: str, permissions: list[str], until: int | None) -> Row:
        allowed = frozenset(map(Permission, permissions))
        made = self.invitations.invite(name, allowed, until, time.monotonic(), time.time())
        url = made.url(self.base, self.fingerprint, self.home_name)
        return {"url": url, "svg": qr.svg(url), "expires": made.expires}

    def _revoke(self, id: str) -> Row:
        self.members = [row for row in self.members if row["id"] != id]
        return {}

    def _open_ask(self, door: str, note: grants.Note) -> Row:
        step = grants.parse(note)
        assert isinstance(step, grants.Ask)
        nonce = self._opening[note["ask"]] = secrets.token_bytes(grants.NONCE_SIZE)
        return {"note": grants.to_note(grants.Challenge(step.ask, nonce, 5000)), "lock": self.lock.key.hex()}

    def _open_grant(self, door: str, note: grants.Note) -> Row:
        step = grants.parse(note)
        assert isinstance(step, grants.GrantNote)
        grant = step.grant
        assert grant.nonce == self._opening.pop(note["ask"])
        receipt = grants.Receipt(
            grant.home, self.lock.key, grant.nonce, grant.opener, grant.person, self.result, int(time.time()), False
        )
        return {"note": grants.to_note(grants.sign_receipt(self.lock, step.ask, receipt)), "lock": self.lock.key.hex()}

    # SIP between the phone and the doors, which are in another page

    def route(self, text: str) -> None:
        """To the door that it is for: the host of the request-URI, or whose Via a response goes back to."""
        known = [door["id"] for door in self.doors]
        start = text.split("\r\n", 1)[0] if not text.startswith("SIP/2.0") else text.lower().split("via:", 1)[1]
        found = min((name for name in known if name in start), key=start.index)
        self._frames.put_nowait((found, text))

    async def carry(self) -> None:
        """Frames of the phone to the page of the doors."""
        while True:
            door, text = await self._frames.get()
            assert self.door is not None
            await self.door.evaluate("([id, text]) => door.received(id, text)", [door, text])

    def from_door(self, text: str) -> None:
        for flow in self.flows:
            if not flow.gone:
                flow.send(text)


@dataclass
class Stage:
    """A browser, the page of a phone, and the doors."""

    house: PageHouse
    web: Web
    server: AsyncExitStack
    state: StateDirectory
    browser: Browser
    context: BrowserContext
    page: Page
    errors: list[str]

    async def pair(self, name: str = "Alice", **more: Any) -> None:
        """Through the page, as a person does it."""
        await self.page.goto(self.house.invite(name, **more))
        await self.page.locator(".welcome .primary").click()
        await self.page.locator(".ask .primary, .pair-microphone .primary").first.click()
        await self.page.locator(".pair-microphone > .primary").click()
        await self.page.locator(".door").first.wait_for()

    async def open_doors(self) -> None:
        """The page in which the doors are."""
        assert self.house.phone is not None
        page = await self.browser.new_page()
        await page.route("https://door.invalid/**", _from_disk)
        await page.goto("https://door.invalid/index.html")
        await page.expose_function("doorSends", lambda _, text: self.house.from_door(text))
        await page.evaluate(f"({DOOR.read_text()})", {"phone": self.house.phone.id})
        self.house.door = page

    async def lose_line(self) -> None:
        """The node stops."""
        await self.server.aclose()

    async def find_line(self) -> None:
        """It is back, on the same port and with the same certificate."""
        settings = WebConfig(port=self.web.port)
        await self.server.enter_async_context(serve(_config(settings), self.house, self.state))

    async def ring(self, door: str = FRONT, press: str = "00" * 8) -> int:
        assert self.house.door is not None
        number: int = await self.house.door.evaluate("([id, press]) => door.ring(id, press)", [door, press])
        return number

    async def at_door(self, expression: str) -> Any:
        assert self.house.door is not None
        return await self.house.door.evaluate(expression)


@asynccontextmanager
async def stage(
    folder: Path, house: PageHouse | None = None, *, width: int = 360, height: int = 740, **options: Any
) -> AsyncIterator[Stage]:
    """Everything runs; whatever the page logged as an error is in `errors`."""
    house = house or furnished()
    state = await asyncio.to_thread(StateDirectory.open, folder / "hall")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, state.close)
        server = await stack.enter_async_context(AsyncExitStack())
        web = await server.enter_async_context(serve(_config(WebConfig(port=0)), house, state))
        house.base, house.fingerprint = f"https://127.0.0.1:{web.port}", web.fingerprint
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        stack.push_async_callback(browser.close)
        settings: dict[str, Any] = {
            "ignore_https_errors": True, "locale": "en-GB", "reduced_motion": "reduce", "permissions": ["microphone"],
            "viewport": {"width": width, "height": height},
        }
        context = await browser.new_context(**(settings | options))
        page = await context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        carrying = asyncio.get_running_loop().create_task(house.carry())
        try:
            async with asyncio.timeout(LONGEST):
                yield Stage(house, web, server, state, browser, context, page, errors)
        finally:
            carrying.cancel()
            await asyncio.gather(carrying, return_exceptions=True)


async def _from_disk(route: Route) -> None:
    await route.fulfill(path=PAGE / urlsplit(route.request.url).path.lstrip("/"))


def _config(settings: WebConfig) -> Config:
    return Config(mesh=MeshConfig(interfaces=("lo",)), web=settings)


def furnished() -> PageHouse:
    """With two doors, three screens and two other phones."""
    house = PageHouse()
    for name, identifier, lock in (("Front door", FRONT, True), ("Garden gate", GARDEN, False)):
        house.doors.append({"id": identifier, "name": name, "state": "ready", "picture": None, "lock": lock})
        house.members.append({"id": identifier, "name": name, "role": "door", "state": "ready", "at": None})
    for name, role, status, at in (
        ("Hall", "screen", "ready", None),
        ("Kitchen", "screen", "ready", None),
        ("Bedroom", "screen", "unreachable", None),
        ("Bob", "phone", "quiet", "Hall"),
        ("Nora", "phone", "unreachable", None),
        ("Front lock", "lock", "ready", None),
    ):
        house.members.append({"id": an_id(name), "name": name, "role": role, "state": status, "at": at})
    return house


async def eventually(condition: Any, within: float = PATIENCE) -> Any:
    """The value of an async condition, once it holds."""
    end = time.monotonic() + within
    while True:
        value = await condition()
        if value or time.monotonic() > end:
            assert value
            return value
        await asyncio.sleep(0.05)


def screenshots() -> Path | None:
    """Where pictures of the page are to be kept, if anywhere."""
    folder = os.environ.get("MESHDOOR_SCREENSHOTS")
    return Path(folder) if folder else None


async def keep(page: Page, name: str, **options: Any) -> None:
    """A picture for people to look at."""
    folder = screenshots()
    if folder is not None:
        await page.screenshot(path=folder / f"{name}.png", **options)
