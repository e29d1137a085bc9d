"""The pin keeper: two small processes that hold the pins of this node, and end every pulse by themselves.

A lock must not stay open because a program died. A Pi's kernel leaves a pin as it was when its process ends (unless
config.txt has `dtparam=strict_gpiod`), so each watches the others. The worker holds the pins: when the node ends,
however it does, its orders end, and it puts every relay to rest; so it does when its watcher ends. The watcher does
nothing else than wait for the worker: when that is killed, it puts the relays to rest itself, and the node starts
both anew. Timing is kept in the worker, where nothing else runs: a busy node makes no pulse longer. What node and
worker say to each other is in `meshdoor.devices.orders`.

    python -m meshdoor.node.keeper < orders > reports
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from meshdoor.devices.debounce import Debounce
from meshdoor.devices.orders import MAX_LINE, Lines, Order, Wiring, line
from meshdoor.devices.pulses import Pulses
from meshdoor.errors import LocalProtocolError, UserError
from meshdoor.node.gpio import GpioPins, Input, Output, Pins, prepare

PRIORITY: Final = 1  # of SCHED_RR, where that is allowed: a pulse ends in time on a busy machine
CHUNK: Final = 65536
MOST_EDGES: Final = 4096  # between two looks
DONE, NO_PINS = 0, 3  # exit codes of the worker; with any other it was ended

OpenPins = Callable[[], Pins]


@dataclass(slots=True)
class _Contact:
    pin: Input
    debounce: Debounce


class Keeper:
    """Orders come from the first of `readers`, which are all to stay open; reports go to `writer`."""

    def __init__(self, pins: Pins, wiring: Wiring, readers: tuple[int, ...], writer: int) -> None:
        self._pins = pins
        self._wiring = wiring
        self._readers = readers
        self._writer = writer
        self._contacts: dict[str, _Contact] = {}
        self._relays: dict[str, Output] = {}
        self._pulses = Pulses(())
        self._lines = Lines()
        self._edges: deque[tuple[str, bool, float]] = deque(maxlen=MOST_EDGES)  # callbacks come from other threads,
        self._ours, self._theirs = socket.socketpair()  # which wake this one
        for end in (self._ours, self._theirs):
            end.setblocking(False)

    def run(self) -> None:
        """Until the orders end. Every relay is at rest then, whatever happened."""
        try:
            with selectors.DefaultSelector() as selector:
                for file in (*self._readers, self._theirs.fileno()):
                    selector.register(file, selectors.EVENT_READ)
                self._wire()
                while self._serve(selector):
                    self._look()
        finally:
            self._rest()

    def _serve(self, selector: selectors.BaseSelector) -> bool:
        """Wait for what comes next, and do what is ordered. False at the end."""
        deadline = self._next_deadline()
        ready = selector.select(None if deadline is None else max(0.0, deadline - time.monotonic()))
        files = {key.fd for key, _ in ready}
        if self._theirs.fileno() in files:
            with suppress(BlockingIOError):
                self._theirs.recv(CHUNK)
        for file in files & set(self._readers):
            data = os.read(file, CHUNK)
            for text in self._lines.receive(data):
                self._take(Order.parse(text))
            if not data:
                return False
        return True

    def _take(self, order: Order) -> None:
        why = ""
        try:
            self._obey(order)
        except Exception as error:  # of a pin driver
            why = f"{type(error).__name__}: {error}"
        self._say(said="done", order=order.number, why=why)

    def _obey(self, order: Order) -> None:
        if order.name not in self._relays:
            raise LocalProtocolError(f"no relay is called {order.name}")
        if order.seconds:
            self._relays[order.name].drive(True)
            if self._pulses.on(order.name, order.seconds, time.monotonic()):
                self._say(said="output", name=order.name, active=True)
        else:
            self._off(order.name)

    def _off(self, name: str) -> None:
        """Told to the pin first, and always."""
        self._relays[name].drive(False)
        if self._pulses.off(name):
            self._say(said="output", name=name, active=False)

    def _wire(self) -> None:
        """Relays first: until then they are as somebody left them."""
        wiring = self._wiring
        for name, relay in wiring.outputs.items():
            with self._told(name):
                self._relays[name] = self._pins.output(relay)
        self._pulses = Pulses(self._relays)
        for name, contact in wiring.inputs.items():
            with self._told(name):
                pin = self._pins.input(contact, partial(self._changed, name))
                self._contacts[name] = _Contact(pin, Debounce(wiring.debounce, pin.active))
        self._say(said="ready", pid=os.getpid())
        for name, each in self._contacts.items():
            self._say(said="input", name=name, active=each.debounce.active)

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """One pin that cannot be had keeps no other from its work."""
        why = ""
        try:
            yield
        except UserError as error:
            why = str(error)
        self._say(said="wired", name=name, why=why)

    def _changed(self, name: str, active: bool) -> None:
        """In a thread of the pin driver."""
        self._edges.append((name, active, time.monotonic()))
        with suppress(BlockingIOError, OSError):
            self._ours.send(b"!")

    def _look(self) -> None:
        """What happened at the contacts in the order in which it did, and what is due."""
        while self._edges:
            name, active, at = self._edges.popleft()
            if name in self._contacts:
                self._settle(name, at)
                self._contacts[name].debounce.level(active, at)
        now = time.monotonic()
        for name in self._pulses.due(now):
            self._relays[name].drive(False)
            self._say(said="output", name=name, active=False)
        for name, contact in self._contacts.items():
            contact.debounce.level(contact.pin.active, now)  # an edge may have been lost
            self._settle(name, now)

    def _settle(self, name: str, now: float) -> None:
        contact = self._contacts[name].debounce
        if contact.handle_timer(now):
            self._say(said="input", name=name, active=contact.active)

    def _next_deadline(self) -> float | None:
        deadlines = [self._pulses.next_deadline(), *(each.debounce.next_deadline() for each in self._contacts.values())]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def _rest(self) -> None:
        """One pin that fails keeps no other from its rest."""
        for relay in self._relays.values():
            with suppress(Exception):
                relay.drive(False)
        contacts = [each.pin.close for each in self._contacts.values()]
        for close in (*(relay.close for relay in self._relays.values()), *contacts, self._pins.close):
            with suppress(Exception):
                close()
        self._ours.close()
        self._theirs.close()

    def _say(self, **said: Any) -> None:
        """A node that does not listen any more is seen by the end of its orders."""
        with suppress(OSError):
            os.write(self._writer, line(said))


def main() -> int:
    """The exit code: 1 where there are no pins."""
    prepare()  # when the worker is killed a relay may be on until the watcher has its pins
    return keep(GpioPins)


def keep(open_pins: OpenPins) -> int:
    """Serve orders from standard input until they end, in a process of its own that is watched from here."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the node, which ends this
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # whoever sends one to all of them ends the worker, which ends this
    wiring = Wiring.parse(_first_line(sys.stdin.fileno()))
    watched, watching = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.close(watching)
        return work(open_pins, wiring, watched)
    os.close(watched)
    _, status = os.waitpid(worker, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (DONE, NO_PINS):
        rest(open_pins, wiring)
    return code if code == NO_PINS else DONE


def work(open_pins: OpenPins, wiring: Wiring, watched: int) -> int:
    """What the worker does; it ends too when `watched` is closed at its other end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(DONE))
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
    writer = sys.stdout.fileno()
    try:
        pins = open_pins()
    except UserError as error:
        os.write(writer, line({"said": "no pins", "why": str(error), "hint": error.hint}))
        return NO_PINS
    Keeper(pins, wiring, (sys.stdin.fileno(), watched), writer).run()
    return DONE


def rest(open_pins: OpenPins, wiring: Wiring) -> list[str]:
    """Put every relay to rest, whoever left it on; why that failed, if it did."""
    failed = []
    for pin in wiring.outputs.values():
        try:
            pins = open_pins()
            try:
                pins.output(pin).close()
            finally:
                pins.close()
        except UserError as error:
            failed.append(str(error))
    return failed


def _first_line(reader: int) -> bytes:
    """Not a byte more: what follows is for the worker."""
    data = b""
    while not data.endswith(b"\n") and len(data) < MAX_LINE and (more := os.read(reader, 1)):
        data += more
    return data


if __name__ == "__main__":
    sys.exit(main())
