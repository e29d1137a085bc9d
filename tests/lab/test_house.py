"""The virtual house does what the tests that live in it believe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Host, House, LabError
from tests.lab.room import CHECKOUT

pytestmark = pytest.mark.lab

GROUP4 = "224.0.0.251"
GROUP6 = "ff02::fb"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with House("door", "kitchen", "attic") as built:
        built["kitchen"].echo()
        yield built


@pytest.fixture
def door(house: House) -> Host:
    return house["door"]


@pytest.fixture
def kitchen(house: House) -> Iterator[Host]:
    """As it was, at the end."""
    host = house["kitchen"]
    address = host.ipv4
    yield host
    house.weather.loss.clear()
    house.weather.no_multicast.clear()
    house.weather.isolated.clear()
    host.block_multicast(False)
    host.plug()
    if host.ipv4 != address:
        host.move(address)
    host.use_ipv6(True)


def test_hosts_reach_each_other_by_both_families(door: Host, kitchen: Host) -> None:
    assert door.ask(kitchen.ipv4) == 1
    assert door.ask(f"{kitchen.ipv6}%eth0") == 1


def test_a_host_is_a_machine_of_its_own(door: Host, kitchen: Host) -> None:
    assert kitchen.run(["hostname"]).stdout == "kitchen\n"
    kitchen.run(["touch", "/run/mine"])
    assert door.run(["ls", "/run"]).stdout == ""


def test_an_unknown_name_fails_at_once(door: Host) -> None:
    """And not when a resolver that nobody runs has not answered, which is after 5 s."""
    ask = "import signal, socket; signal.alarm(4); socket.getaddrinfo('nobody.example', 80)"
    assert "gaierror" in door.run([sys.executable, "-c", ask], check=False).stderr


@pytest.mark.parametrize("group", [GROUP4, f"{GROUP6}%eth0"])
def test_multicast_crosses_until_it_is_blocked(door: Host, kitchen: Host, group: str) -> None:
    listener = kitchen.echo(5353, group.partition("%")[0])
    assert door.ask(group, 5353) == 1
    kitchen.block_multicast()
    assert door.ask(group, 5353) == 0
    assert door.ask(kitchen.ipv4) == 1
    listener.stop()


def test_the_cable(door: Host, kitchen: Host) -> None:
    assert door.ask(kitchen.ipv4) == 1  # and the door knows the hardware address: ARP is asked once a second only
    kitchen.cut()
    assert "NO-CARRIER" in kitchen.run(["ip", "link", "show", "eth0"]).stdout
    assert door.ask(kitchen.ipv4) == 0
    kitchen.plug()
    assert door.ask(kitchen.ipv4) == 1


def test_loss_is_as_asked(door: Host, kitchen: Host) -> None:
    kitchen.lose(20)
    answered = door.ask(kitchen.ipv4, count=1000)
    assert 560 < answered < 720  # 64 % come back; five standard deviations are 76


def test_isolated_hosts_reach_only_the_others(house: House, door: Host, kitchen: Host) -> None:
    door.isolate()
    kitchen.isolate()
    assert door.ask(kitchen.ipv4) == 0
    assert house["attic"].ask(kitchen.ipv4) == 1


def test_a_host_moves(door: Host, kitchen: Host) -> None:
    old = kitchen.ipv4
    kitchen.move("10.77.0.200")
    assert door.ask("10.77.0.200") == 1
    assert door.ask(old) == 0


def test_one_family_only(door: Host, kitchen: Host) -> None:
    kitchen.use_ipv6(False)
    assert door.ask(f"{kitchen.ipv6}%eth0") == 0
    kitchen.use_ipv6(True)
    kitchen.move("")
    assert door.ask(f"{kitchen.ipv6}%eth0") == 1


def test_capture(door: Host, kitchen: Host) -> None:
    with door.capture() as packets:
        door.ask(kitchen.ipv4, count=5)
    assert sum(b"\x1e\x61" in packet.frame for packet in packets) >= 10  # port 7777, there and back


def test_flood(door: Host, kitchen: Host) -> None:
    with kitchen.capture() as packets:
        assert door.flood(kitchen.ipv4, 9, [b"x" * 100] * 2000, rate=10_000).wait() == 0
    assert sum(b"x" * 100 in packet.frame for packet in packets) >= 2000


def test_a_program_that_fails(door: Host) -> None:
    with pytest.raises(LabError, match="returned 3\nout\nerr"):
        door.run(["sh", "-c", "echo out; echo err >&2; exit 3"])


def test_a_program_that_hangs(door: Host) -> None:
    with pytest.raises(LabError, match="still running"):
        door.run(["sleep", "60"], timeout=0.1)


def test_a_program_that_is_not_there(door: Host) -> None:
    with pytest.raises(LabError, match="No such file"):
        door.start(["no-such-program"])


def test_input_and_output(door: Host) -> None:
    assert door.run(["cat"], "hello").stdout == "hello"


def test_a_process(door: Host) -> None:
    process = door.start(["sh", "-c", "trap 'echo bye; exit 5' TERM; echo hello; while :; do sleep 0.01; done"])
    process.expect("^hello$")
    assert process.poll() is None
    assert process.usage().memory > 0
    assert process.stop() == 5
    assert process.text == "hello\nbye\n"


def test_expecting_in_vain_shows_the_log(door: Host) -> None:
    process = door.start(["echo", "something else"])
    with pytest.raises(LabError, match=r"(?s)no 'ready'.*something else"):
        process.expect("ready")


def test_a_power_cut(house: House) -> None:
    attic = house["attic"]
    process = attic.start(["sleep", "60"])
    attic.power_off()
    assert process.poll() == -signal.SIGKILL
    assert attic.run(["true"]).returncode == 0


def test_a_failure_carries_the_logs() -> None:
    def fail() -> None:
        with House("door") as house:
            house["door"].start(["echo", "what the door said"]).wait()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        fail()
    assert "what the door said" in caught.value.__notes__[0]


def test_a_host_is_added(house: House, door: Host) -> None:
    house.add("cellar")
    house["cellar"].echo()
    assert door.ask(house["cellar"].ipv4) == 1


def test_all_is_gone_when_the_builder_is_killed() -> None:
    marker = f"61.{os.getpid()}"  # an odd time to sleep, by which the process is found from outside
    script = f"""
from tests.lab import House
with House("door") as house:
    house["door"].start(["setsid", "sleep", "{marker}"])
    print("built", flush=True)
    input()
"""
    builder = subprocess.Popen(
        [sys.executable, "-c", script], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with builder:
        assert builder.stdout
        builder.stdout.readline()
        while not _running(marker):
            assert builder.poll() is None
            time.sleep(0.01)
        builder.kill()
    deadline = time.monotonic() + 5
    while _running(marker) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _running(marker)


def _running(word: str) -> bool:
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in place.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False


def test_sixty_four_hosts_in_a_few_seconds() -> None:
    names = [f"room{number}" for number in range(64)]
    begin = time.monotonic()
    with House(*names) as house:
        built = time.monotonic() - begin
        house["room63"].echo()
        assert house["room0"].ask(house["room63"].ipv4) == 1
    print(f"64 hosts: built in {built:.2f} s, gone after {time.monotonic() - begin - built:.2f} s")
    assert built < 20
