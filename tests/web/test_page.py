"""The page in Debian's Chromium: what a person sees and does, from the code to the conversation."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.async_api", reason="playwright is not installed")

from playwright.async_api import Page, Route, expect

from meshdoor.trust.grants import Result
from tests.web.pages import CHROMIUM, FRONT, GARDEN, PageHouse, Stage, eventually, keep, stage

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
UNTRUSTED = "An SSL certificate error occurred when fetching the script."  # the service worker wants a trusted one
OPEN = re.compile("Hold to open Front door|Press again")
SERIOUS = {"serious", "critical"}

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

# Every call of getUserMedia is counted, so that a microphone that was opened too early shows.
COUNT_CAPTURES = """
  window.captures = 0;
  const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = (wanted) => { window.captures += 1; return original(wanted); };
"""


async def paired(scene: Stage) -> Page:
    """A phone that is a member, and doors that can ring it."""
    await scene.pair()
    await scene.open_doors()
    return scene.page


async def with_visitors(scene: Stage) -> None:
    """A history with pictures."""
    scene.house.pictures = dict.fromkeys(("1" * 16, "2" * 16), await scene.at_door("door.picture(false)"))
    rows = (("1", "missed", None, 0.2, False), ("2", "answered", "Kitchen", 3, True), ("3", "declined", None, 30, True))
    scene.house.visits = [
        {
            "id": number * 16, "door": "Front door", "door_id": FRONT, "at": time.time() - hours * 3600,
            "result": result, "by": by, "picture": number != "3", "seen": seen,
        }
        for number, result, by, hours, seen in rows
    ]
    scene.house.doors[0]["picture"] = "1" * 16
    scene.house.missed = 1
    scene.house.changed_home()


def no_errors(scene: Stage) -> None:
    assert [error for error in scene.errors if error != UNTRUSTED] == []


async def faults(page: Page) -> list[str]:
    """What axe-core finds that is serious; nothing where it is not installed."""
    if not AXE.exists():
        return []
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text() + "; window.axe = axe; null")
    found: Any = await page.evaluate("axe.run(document, {resultTypes: ['violations'], preload: false})")
    return [
        f"{each['id']}: {[node['html'][:160] for node in each['nodes']]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
    ]


def test_pages_are_looked_at_by_axe_core() -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm install in tests/web")


@pytest.mark.parametrize("tries", [0, 3])
async def test_a_file_that_does_not_come_is_asked_for_again(tmp_path: Path, tries: int) -> None:
    """By the page, and after a few times by the person."""
    lost: list[str] = []

    async def lose_one(route: Route) -> None:
        if lost:
            await route.continue_()
        else:
            lost.append(route.request.url)
            await route.abort()

    async with stage(tmp_path) as scene:
        page = scene.page
        await page.add_init_script(f"sessionStorage.setItem('retries', {tries})")
        await page.route("**/views/home.js", lose_one)
        await page.goto(scene.house.invite("Alice"))
        if tries:
            await expect(page.get_by_text("This page did not load completely.")).to_be_visible()
            await page.get_by_role("button", name="Load it again").click()
        await expect(page.get_by_role("heading")).to_have_text("Welcome to Maple Street 5")
        assert await page.evaluate("sessionStorage.getItem('retries')") is None
        assert len(lost) == 1


async def test_a_phone_joins_by_its_code(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        page = scene.page
        await page.add_init_script(COUNT_CAPTURES)
        await page.goto(scene.house.base)
        await expect(page.get_by_role("heading")).to_have_text("This phone belongs to no home yet")
        await keep(page, "no-home-phone")
        await page.goto(scene.house.invite("Alice"))
        await expect(page.get_by_role("heading")).to_have_text("Welcome to Maple Street 5")
        assert "#" not in page.url, "the token stays in no history"
        await keep(page, "welcome-phone")
        await page.get_by_role("button", name="Join this home").click()
        await expect(page.get_by_role("heading", name="You are in, Alice")).to_be_focused()
        assert await page.evaluate("captures") == 0
        await keep(page, "joined-phone")
        await page.get_by_role("button", name="Allow the microphone").click()
        await page.get_by_role("button", name="Go to the doors").click()
        await expect(page.get_by_role("article", name="Front door")).to_be_visible()
        await expect(page.locator(".head")).to_contain_text("Ready to ring")
        exported = await page.evaluate(
            """async () => {
              const { load } = await import("/trust/vault.js");
              const { privateKey } = await load();
              return crypto.subtle.exportKey("pkcs8", privateKey).then(() => "exported", ({ name }) => name);
            }"""
        )
        assert exported == "InvalidAccessError"
        await page.reload()
        await expect(page.get_by_role("article", name="Front door")).to_be_visible()
        no_errors(scene)


@pytest.mark.parametrize(
    ("fault", "title"),
    [
        ("used", "This code was used already"),
        ("late", "This code is too old"),
        ("unknown", "This code is not known here"),
        ("fingerprint", "Something is between you and your home"),
        ("damaged", "The code could not be read"),
        ("away", "Your home does not answer"),
    ],
)
async def test_a_code_that_is_no_good_is_refused_in_words(tmp_path: Path, fault: str, title: str) -> None:
    async with stage(tmp_path) as scene:
        url = scene.house.invite("Alice")
        if fault == "used":
            table = scene.house.invitations
            table.use(table.waiting(time.monotonic())[0], bytes(32))
        elif fault == "late":
            table = scene.house.invitations
            table.withdraw(table.waiting(time.monotonic())[0], time.monotonic())
        elif fault == "unknown":
            url = re.sub("pair=[^&]*", "pair=AAAAAAAAAAAAAAAAAAAAAA", url)
        elif fault == "fingerprint":
            url = re.sub("f=[^&]*", f"f={'A' * 43}", url)
        elif fault == "damaged":
            url = re.sub("pair=[^&]*", "pair=abc", url)
        page = scene.page
        await page.goto(url)
        if fault == "away":
            await page.route("**/pair", lambda route: route.abort())
        if fault != "damaged":
            await page.get_by_role("button", name="Join this home").click()
        await expect(page.get_by_role("heading")).to_have_text(title)
        await keep(page, f"refused-{fault}-phone")
        assert await faults(page) == []
        assert not scene.house.guests


async def test_a_visitor_is_seen_before_anybody_answers_and_heard_after(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        page = scene.page
        await page.add_init_script(COUNT_CAPTURES)
        await paired(scene)
        await page.evaluate("captures = 0")
        number = await scene.ring()
        await expect(page.locator(".call.has-picture")).to_be_visible()
        await expect(page.get_by_role("dialog", name="Front door")).to_contain_text("Somebody is at the door")
        size = await page.evaluate("document.querySelector('video').videoWidth")
        assert size > 0
        await eventually(lambda: shown(scene.house))
        assert await page.evaluate("captures") == 0
        assert await scene.at_door(f"door.sound({number})") == 0
        await keep(page, "ringing-phone")
        assert await faults(page) == []
        await page.get_by_role("button", name="Answer").click()
        await eventually(lambda: scene.at_door(f"door.sound({number}).then((packets) => packets > 5)"))
        assert await page.evaluate("captures") == 1
        await keep(page, "talking-phone")
        assert await faults(page) == []
        await page.get_by_role("button", name="Mute").click()
        await expect(page.get_by_role("button", name="Unmute")).to_have_attribute("aria-pressed", "true")
        await page.get_by_role("button", name="Hang up").click()
        await expect(page.locator(".call")).to_have_count(0)
        assert await scene.at_door(f"door.states({number})") == [183, 200, "bye 0"]
        no_errors(scene)


async def shown(house: PageHouse) -> bool:
    return any(what == "shown" for what, _ in house.asked)


async def test_another_device_is_faster(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        page = await paired(scene)
        await with_visitors(scene)
        number = await scene.ring(press="2" * 16)
        await expect(page.locator(".call.has-picture")).to_be_visible()
        await scene.at_door(f"door.cancel({number}, true)")
        await expect(page.locator(".notice")).to_have_text("Answered by Kitchen")
        await expect(page.locator(".call")).to_have_count(0)
        assert await page.evaluate("document.getElementById('page').inert") is False
        no_errors(scene)


async def test_declining_and_missing(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        page = await paired(scene)
        first = await scene.ring()
        await page.get_by_role("button", name="Decline").click()
        await eventually(lambda: scene.at_door(f"door.states({first}).at(-1) === 'rejected 603'"))
        second = await scene.ring(GARDEN)
        await page.get_by_role("dialog", name="Garden gate").wait_for()
        await scene.at_door(f"door.cancel({second}, false)")
        await expect(page.locator(".notice").last).to_have_text("You missed a visitor at Garden gate")
        no_errors(scene)


async def test_two_doors_at_once(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        page = await paired(scene)
        first = await scene.ring()
        await page.get_by_role("button", name="Answer").click()
        second = await scene.ring(GARDEN, "1" * 16)
        other = page.locator(".call-other")
        await expect(other).to_contain_text("Also at Garden gate")
        await keep(page, "second-visitor-phone")
        await other.get_by_role("button", name="Answer").click()
        await expect(page.get_by_role("dialog", name="Garden gate")).to_be_visible()
        await eventually(lambda: scene.at_door(f"door.states({first}).at(-1) === 'bye 0'"))
        assert await scene.at_door(f"door.states({second})") == [183, 200]
        no_errors(scene)


async def test_looking_at_a_door_and_speaking_through_it(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        page = scene.page
        await page.add_init_script(COUNT_CAPTURES)
        await paired(scene)
        await page.evaluate("captures = 0")
        await page.get_by_role("button", name="Look at Front door").click()
        await expect(page.locator(".call.has-picture")).to_be_visible()
        await expect(page.locator(".call-line")).to_contain_text("Nobody there sees or hears you")
        assert await page.evaluate("captures") == 0
        await keep(page, "looking-phone")
        assert await faults(page) == []
        await page.get_by_role("button", name="Speak").click()
        await eventually(lambda: scene.at_door("door.sound(0).then((packets) => packets > 5)"))
        await page.get_by_role("button", name="Hang up").click()
        assert await scene.at_door("door.states(0)") == ["answered", "offer", "bye"]
        no_errors(scene)


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (Result.OPENED, "Front door is open"),
        (Result.NOT_PERMITTED, "This phone may not open Front door."),
        (Result.TOO_OFTEN, "Too many tries. Wait a moment."),
    ],
)
async def test_holding_opens_and_the_receipt_is_told(tmp_path: Path, result: Result, words: str) -> None:
    async with stage(tmp_path) as scene:
        scene.house.result = result
        await scene.pair()
        page = scene.page
        button = page.get_by_role("button", name=OPEN)
        await button.hover()
        await page.mouse.down()
        await page.wait_for_timeout(300)
        await page.mouse.up()
        await page.wait_for_timeout(900)
        assert not asked(scene.house, "open.ask"), "a short touch opens nothing"
        await page.mouse.down()
        await expect(page.locator(".notice")).to_have_text(words)
        await page.mouse.up()
        assert len(asked(scene.house, "open.grant")) == 1
        no_errors(scene)


async def test_opening_with_two_presses_of_an_assistive_technology(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        await scene.pair()
        button = scene.page.get_by_role("button", name=OPEN)
        await button.dispatch_event("click")
        await expect(button).to_have_text("Press again to open")
        assert not asked(scene.house, "open.ask")
        await button.dispatch_event("click")
        await expect(scene.page.locator(".notice")).to_have_text("Front door is open")


def asked(house: PageHouse, what: str) -> list[Any]:
    return [args for verb, args in house.asked if verb == what]


async def test_revoked_in_the_middle_of_a_call(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        page = await paired(scene)
        await scene.ring()
        await page.get_by_role("button", name="Answer").click()
        assert scene.house.phone is not None
        scene.house.revoked.add(scene.house.phone.key)
        scene.house.changed()
        await expect(page.get_by_role("heading", name="This phone was removed")).to_be_visible()
        await expect(page.locator("video")).to_have_count(0)
        await keep(page, "revoked-phone")
        assert await faults(page) == []
        await page.get_by_role("button", name="Forget this home").click()
        await expect(page.get_by_role("heading")).to_have_text("This phone belongs to no home yet")
        no_errors(scene)


async def test_a_lost_line_is_told_and_comes_back(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        page = await paired(scene)
        await scene.lose_line()
        await expect(page.locator(".banner.bad")).to_contain_text("This phone cannot ring")
        await keep(page, "lost-phone")
        assert await faults(page) == []
        await scene.find_line()
        await expect(page.locator(".head")).to_contain_text("Ready to ring")
        await scene.ring()
        await expect(page.locator(".call.has-picture")).to_be_visible()


async def test_what_happened_is_seen_once_everywhere(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        page = await paired(scene)
        await with_visitors(scene)
        await expect(page.get_by_role("button", name="1 visitor while you were away")).to_be_visible()
        await expect(page.get_by_role("img", name="Last picture at Front door")).to_be_visible()
        await keep(page, "home-phone")
        assert await faults(page) == []
        await page.get_by_role("link", name="History").click()
        await expect(page.get_by_role("heading", name="Who was there")).to_be_focused()
        await expect(page.locator(".visit")).to_have_count(3)
        await expect(page.locator(".visit .new")).to_have_count(1)
        await keep(page, "history-phone")
        assert await faults(page) == []
        await expect(page.locator(".badge")).to_have_count(0)
        assert asked(scene.house, "seen") == [{"ids": ["1" * 16]}]
        await page.get_by_role("button", name=re.compile("Visitor at Front door")).first.click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        no_errors(scene)


async def test_people_and_adding_a_phone(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        await scene.pair()
        page = scene.page
        await page.get_by_role("link", name="People").click()
        await expect(page.get_by_role("button", name="Call Kitchen")).to_be_enabled()
        await expect(page.get_by_role("button", name="Call Bedroom")).to_be_disabled()
        await keep(page, "people-phone")
        assert await faults(page) == []
        await page.get_by_role("button", name="Add a phone").click()
        await page.get_by_role("button", name="Show the code").click()
        await expect(page.get_by_role("alert")).to_have_text("Please give it a name.")
        await page.get_by_label("Name").fill("Grandma")
        await page.get_by_label("open the door").uncheck()
        await keep(page, "add-phone")
        assert await faults(page) == []
        await page.get_by_role("button", name="Show the code").click()
        await expect(page.get_by_alt_text("QR code with the invitation for Grandma")).to_be_visible()
        assert await page.evaluate("document.querySelector('.code img').naturalWidth") > 0
        await keep(page, "add-code-phone")
        assert await faults(page) == []
        assert asked(scene.house, "phone.add")[0]["permissions"] == ["view", "talk"]
        scene.house.tell({"event": "joined", "name": "Grandma"})
        await expect(page.get_by_role("heading", name="Grandma is in")).to_be_focused()
        await page.get_by_role("button", name="Done").click()
        await page.get_by_role("button", name="Remove Nora").click()
        await keep(page, "remove-phone")
        await page.get_by_role("button", name="Remove", exact=True).click()
        await expect(page.locator(".notice").last).to_have_text("Nora was removed")
        no_errors(scene)


async def test_settings(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        await scene.pair()
        page = scene.page
        await page.get_by_role("link", name="Settings").click()
        await expect(page.get_by_role("heading", name="Settings")).to_be_visible()
        await keep(page, "settings-phone", full_page=True)
        assert await faults(page) == []
        await page.get_by_role("switch", name="Quiet hours").check()
        await page.get_by_label("From").fill("21:30")
        await expect(page.get_by_role("switch", name="Quiet hours")).to_be_checked()
        assert await eventually(lambda: quiet_from(scene.house)) == "21:30"
        await page.get_by_label("Language").select_option("de")
        await expect(page.get_by_role("heading", name="Einstellungen")).to_be_visible()
        await expect(page.locator("html")).to_have_attribute("lang", "de")
        await page.get_by_label("Aussehen").select_option("dark")
        await keep(page, "settings-dark-german-phone", full_page=True)
        assert await faults(page) == []
        await page.get_by_role("button", name="Dieses Zuhause verlassen").click()
        await page.get_by_role("dialog").get_by_role("button", name="Dieses Zuhause verlassen").click()
        await expect(page.get_by_role("heading")).to_have_text("Dieses Telefon gehört noch zu keinem Zuhause")
        no_errors(scene)


async def quiet_from(house: PageHouse) -> str:
    return "" if house.quiet is None or house.quiet["from"] == "22:00" else str(house.quiet["from"])


async def test_a_guest_without_rights(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        scene.house.permissions = frozenset()
        await scene.page.goto(scene.house.invite("Plumber", until=int(time.time()) + 86400))
        await scene.page.get_by_role("button", name="Join this home").click()
        await scene.page.get_by_role("button", name="Go to the doors").click()
        await expect(scene.page.locator(".banner").last).to_contain_text("You are a guest until")
        await expect(scene.page.get_by_role("button", name="Look at Front door")).to_be_disabled()
        await expect(scene.page.get_by_role("button", name=OPEN)).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_tablet(tmp_path: Path, scheme: str) -> None:
    async with stage(tmp_path, width=1280, height=800, color_scheme=scheme) as scene:
        page = await paired(scene)
        await with_visitors(scene)
        for name in ("home", "history", "people", "settings"):
            await page.goto(f"{scene.house.base}/#/{name}")
            await page.wait_for_timeout(300)
            await keep(page, f"{name}-tablet-{scheme}")
            assert await faults(page) == []
        await scene.ring()
        await expect(page.locator(".call.has-picture")).to_be_visible()
        await keep(page, f"ringing-tablet-{scheme}")
        assert await faults(page) == []
        await page.get_by_role("button", name="Answer").click()
        await expect(page.get_by_role("button", name="Mute")).to_be_visible()
        await keep(page, f"talking-tablet-{scheme}")
        no_errors(scene)


async def test_the_dark_phone(tmp_path: Path) -> None:
    async with stage(tmp_path, color_scheme="dark") as scene:
        page = await paired(scene)
        await with_visitors(scene)
        for name in ("home", "history", "people", "settings"):
            await page.goto(f"{scene.house.base}/#/{name}")
            await page.wait_for_timeout(300)
            await keep(page, f"{name}-phone-dark")
            assert await faults(page) == []
        no_errors(scene)
