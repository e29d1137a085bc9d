"""How fast a press is: figures for the docs, measured in the virtual house on this machine.

    python -m tests.lab.measure pictures [PRESSES] [LOSS]   press to picture, answer to sound, answer to silence
    python -m tests.lab.measure phone [PRESSES]             press to picture in the page of a phone
    python -m tests.lab.measure rings [RINGS]               sound that leaves a screen before its own answer
    python -m tests.lab.measure screens [SCREENS] [FPS] [MICROPHONE]
                                                            one press rings so many screens; what it costs the door

All screens decode on this machine, whose CPUs the door needs too: so by default the camera of `screens` is slow, and
the screens give way to the door, which has a machine of its own in a house.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence

from tests.lab import House
from tests.lab.capture import Packet
from tests.lab.nodes import Node, wait_until
from tests.lab.presses import Family, audio_from

SCREENS = ("hall", "kitchen", "bedroom")
PATIENCE = 60.0  # seconds for a crowd on a small machine
NICE = 19
CALM = 10.0  # seconds until a crowd has said all that it has to say


def row(what: str, seconds: Sequence[float]) -> str:
    """One line of figures, in ms."""
    median, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
    return f"{what:34} median {median:5.0f} ms   worst {worst:5.0f} ms   of {len(seconds)}"


def pictures(presses: str = "30", loss: str = "0") -> None:
    """A press, a look at it, an answer; again and again."""
    shown: list[float] = []
    heard: list[float] = []
    silent: list[float] = []
    first = 0.0
    with House(*SCREENS, "door") as house, Family(house, *SCREENS) as family:
        family.rehearse()
        house["door"].lose(float(loss))
        for number in range(int(presses)):
            got = family.pictures(family.press())
            first = first or max(got.values())
            shown += got.values()
            winner = SCREENS[number % len(SCREENS)]
            family.ears.hear(0.2)
            family[winner].ask("answer")
            answered = family.hears("answered", winner).at
            heard.append(family.hears("sound", "door").at - answered)
            silent += [family.hears("over", loser).at - answered for loser in SCREENS if loser != winner]
            family.calm()
    print(f"three screens, 1280x720 at 30, {loss} % loss each way at the door's cable")
    print(row("press to decoded picture", shown))
    print(f"{'of these, the very first press':34} worst  {first * 1000:5.0f} ms")
    print(row("answer to sound at the door", heard))
    print(row("answer to silence at the losers", silent))


def phone(presses: str = "20") -> None:
    """A press, seen in the page of a phone that is attached."""
    from tests.lab.browser import Browser
    from tests.lab.test_phones import join

    shown: list[float] = []
    with House("hall", "door", "alice") as house, Family(house, "hall") as family, Browser(house["alice"]) as alice:
        join(alice, family["hall"], "Alice")
        wait_until(lambda: family.door.sees("Alice"))
        family.rehearse()
        for _ in range(int(presses)):
            began = time.time()
            family.press()
            wait_until(lambda began=began: any(at > began for at in alice.pictures))  # type: ignore[misc]
            shown.append(min(at for at in alice.pictures if at > began) - began)
            family.calm()
            alice.wait("#call > .call", "detached")
            family.ears.hear(0.5)
    print("one screen and a phone, 1280x720 at 30")
    print(row("press to picture in the page", shown))


def rings(count: str = "100") -> None:
    """What the door's cable carries while it rings."""
    early = late = 0
    with House(*SCREENS, "door") as house, Family(house, *SCREENS) as family:
        family.rehearse()
        for number in range(int(count)):
            winner = SCREENS[number % len(SCREENS)]
            packets: list[Packet]
            with house["door"].capture() as packets:
                family.pictures(family.press())
                family.ears.hear(0.2)
                family[winner].ask("answer")
                family.hears("sound", "door")
                family.calm()
            answered = family.hears("answered", winner).at + time.time() - time.monotonic()
            for name in SCREENS:
                sent = audio_from(house[name], packets)
                before = len(sent) if name != winner else sum(at < answered - 0.001 for at in sent)
                early, late = early + before, late + len(sent) - before
    print(f"{count} rings of three screens: {early} packets of sound before an own answer, {late} after it")


def screens(count: str = "64", fps: str = "5", microphone: str = "tone:440") -> None:
    """One press, a whole hotel."""
    names = [f"room{number}" for number in range(int(count))]
    settings = f'[media]\nfps = {fps}\nmicrophone = "{microphone}"\n'
    with House(*names, "door") as house, Family(house, *names, settings=settings, nice=NICE) as family:
        family.rehearse()
        family.ears.hear(CALM)
        before, began = _cpu(family.door), time.monotonic()
        press = family.press()
        shown = family.pictures(press, timeout=PATIENCE)
        pictured = time.monotonic()
        at_first = [after - cpu for after, cpu in zip(_cpu(family.door), before, strict=True)]
        family.ears.hear(4.0)
        then = [after - cpu for after, cpu in zip(_cpu(family.door), before, strict=True)]
        took, rang = pictured - began, time.monotonic() - pictured
        sent = [told.at - press.at for told in family.steps("first packet").values()]
        print(f"{count} screens on {os.cpu_count()} CPUs, all of them decoding 1280x720 at {fps}, sound: {microphone}")
        print(row("press to first packet sent", sent))
        print(row("press to decoded picture", list(shown.values())))
        for what, burst, later in zip(("node", "media engine"), at_first, then, strict=True):
            share = (later - burst) / rang * 100
            print(f"door's {what}: {burst:.2f} s of CPU in the first {took:.1f} s, then {share:.0f} % of a CPU")
        family.calm()


def _cpu(node: Node) -> tuple[float, float]:
    """Seconds of CPU that a node and its media engine have used."""
    engine = node.host.run(["cat", f"/proc/{node.process.pid}/task/{node.process.pid}/children"]).stdout.split()[0]
    fields = node.host.run(["cat", f"/proc/{engine}/stat"]).stdout.rpartition(")")[2].split()
    return node.process.usage().cpu, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


WHAT: dict[str, Callable[..., None]] = {"pictures": pictures, "phone": phone, "rings": rings, "screens": screens}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in WHAT:
        sys.exit(__doc__)
    WHAT[sys.argv[1]](*sys.argv[2:])
