"""A browser in a host of the virtual house: `python -m tests.lab.chromium SOCKET [FLAG ...]`.

It listens on a Unix socket, which is a file, so it is asked from outside the house (`browser`). A line each way:

    {"do": "goto", "url": "https://..."}          {"ok": null}
    {"do": "evaluate", "script": "() => 1"}       {"ok": 1}
    {"do": "click", "on": ".door"}                {"failed": "..."}

Every page writes down when it asked for the microphone and when it showed the first picture of each stream
(`window.lab`), in ms since 1970.
"""

from __future__ import annotations

import json
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Error, Page, sync_playwright

from tests.patience import PATIENCE

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)
WATCH = Path(__file__).with_name("watch.js")


class Desk:
    """Does what is asked of one page."""

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self.errors: list[str] = []
        self.page = self._open()

    def _open(self) -> Page:
        page = self._context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        return page

    def do(self, asked: dict[str, Any]) -> Any:
        page = self.page
        match asked:
            case {"do": "goto", "url": url}:
                page.goto(url)
            case {"do": "script", "path": path}:
                page.add_script_tag(path=path)
            case {"do": "evaluate", "script": script, "with": given}:
                return page.evaluate(script, given)
            case {"do": "click", "on": selector}:
                page.locator(selector).first.click()
            case {"do": "hold", "on": selector, "ms": ms}:
                page.locator(selector).first.hover()
                page.mouse.down()
                page.wait_for_timeout(ms)
                page.mouse.up()
            case {"do": "wait", "for": selector, "state": state, "ms": ms}:
                page.locator(selector).first.wait_for(state=state, timeout=ms)
            case {"do": "text", "of": selector}:
                return page.locator(selector).first.inner_text()
            case {"do": "screenshot", "to": path}:
                page.screenshot(path=path)
            case {"do": "errors"}:
                return self.errors
            case _:
                raise ValueError(f"nobody can do {asked}")
        return None


def main() -> None:
    path, *flags = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*FLAGS, *flags])
        context = browser.new_context(ignore_https_errors=True, permissions=["microphone"], locale="en-GB")
        context.set_default_timeout(PATIENCE * 1000)
        context.add_init_script(path=WATCH)
        desk = Desk(context)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            print("listening", flush=True)
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb") as lines:
                for line in lines:
                    lines.write(json.dumps(_answer(desk, json.loads(line))).encode() + b"\n")
                    lines.flush()


def _answer(desk: Desk, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"ok": desk.do(asked)}
    except (Error, ValueError) as error:
        return {"failed": str(error)}


if __name__ == "__main__":
    main()
