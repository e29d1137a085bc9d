from __future__ import annotations

import asyncio

from meshdoor.tasks import until_first


async def test_the_first_ends_the_others() -> None:
    ended: list[str] = []

    async def work(name: str, event: asyncio.Event) -> None:
        try:
            await event.wait()
        finally:
            ended.append(name)

    now, never = asyncio.Event(), asyncio.Event()
    now.set()
    await until_first(work("short", now), work("long", never))
    assert ended == ["short", "long"]
    waiting = asyncio.ensure_future(until_first(work("one", never), work("other", never)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()
    assert ended[2:] == ["one", "other"]
