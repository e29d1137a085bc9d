"""What is wired to this node, at work: buttons ring, relays follow, sensors are told to the house."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Final, Protocol

from meshdoor.config import Config
from meshdoor.control import Json
from meshdoor.control.server import Progress, Verb
from meshdoor.devices.contact import DoorContact
from meshdoor.devices.orders import Wiring
from meshdoor.devices.troubles import Kind
from meshdoor.errors import Refused, UserError
from meshdoor.node import journal
from meshdoor.node.actuators import LOCK, actuator_for
from meshdoor.node.arguments import Args
from meshdoor.node.condition import Told
from meshdoor.node.house import House
from meshdoor.node.keyboard import Keyboard
from meshdoor.node.lock import LockActuator, LockService
from meshdoor.node.pins import COMMAND, Pins
from meshdoor.node.press_url import PressUrl
from meshdoor.settings.devices import KeyButton
from meshdoor.trust.permissions import Role

BUTTON: Final = "button"
TRY: Final = 1.0  # seconds that a relay is on when a person tries it
TRY_BUTTON: Final = 30.0  # seconds that a person has to press

OK, FAILED = "ok", "failed"


class Bell(Protocol):
    """As much of a CallService as devices need."""

    def ring(self) -> Json:
        """Raises Refused."""
        ...

    def publish(self, event: dict[str, Any]) -> None: ...

    async def listen(self, tell: Callable[[dict[str, Any]], None]) -> None: ...


class Devices:
    """An async context manager: while it lasts pins are driven. `run` joins them with the rest of the node."""

    def __init__(self, config: Config, house: House, command: Sequence[str] = COMMAND) -> None:
        self._config = config
        self._house = house
        self._settings = config.devices
        self._bell: Bell | None = None
        self._contact = DoorContact(self._settings.left_open)
        self._timer: asyncio.TimerHandle | None = None
        self._pressed = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._lock: LockService | None = None
        wiring = self._wiring()
        self.pins = Pins(wiring, self._input, command) if wiring else None
        house.wired = self.states
        if self.pins is not None:
            self.pins.changed = house.conditions.wired

    def _wiring(self) -> Wiring:
        outputs = self._settings.outputs()
        lock = self._config.lock
        if lock is not None and (pin := lock.pin()) is not None and self._house.role is not Role.DOOR:
            outputs[LOCK] = pin
            if pin.draws_at_boot:
                journal.warn("lock", f"{pin} is at the level that opens the lock until this node runs: choose another")
        return Wiring(self._settings.inputs(), outputs, self._settings.debounce)

    async def __aenter__(self) -> Devices:
        if self.pins is not None:
            await self.pins.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.pins is not None:
            await self.pins.__aexit__(kind, error, trace)

    def actuator(self) -> LockActuator | None:
        """What moves the bolt of the lock of this node; None where the settings name nothing."""
        lock = self._config.lock
        return actuator_for(lock, self.pins) if lock is not None and lock.relay else None

    def serve(self, lock: LockService | None) -> None:
        """This node has a lock."""
        self._lock = lock
        if lock is not None:
            lock.troubled = lambda on: self._house.alarming.say(Kind.RELAY, on)

    def states(self) -> dict[str, Told]:
        """How each pin is, for the status; nothing is known while the keeper begins."""
        if self.pins is None or not self.pins.tried:
            return {}
        return {name: Told(FAILED if why else OK, why) for name, why in self.pins.why.items()}

    def table(self) -> dict[str, Verb]:
        """By name, for the control server."""
        return {"try": self._try_verb}

    async def run(self, bell: Bell) -> None:
        """Let buttons ring and relays follow, until cancelled."""
        self._bell = bell
        self._house.alarming.publish = bell.publish
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            if self._settings.bell or self._settings.light:
                tasks.create_task(bell.listen(self._happened))
            for button in self._settings.other_buttons():
                device = Keyboard(button, self.press) if isinstance(button, KeyButton) else self._url(button)
                tasks.create_task(device.run())
            await self._house.alarming.run()

    def press(self) -> None:
        """Somebody pressed a button."""
        self._pressed.set()
        if self._bell is None:
            journal.warn(BUTTON, "pressed, but this node has only begun")
            return
        try:
            self._bell.ring()
        except UserError as error:
            journal.warn(BUTTON, f"pressed, but {error}")

    def _url(self, button: Any) -> PressUrl:
        return PressUrl(button, self.press, local=self._config.mesh.interfaces == ("lo",))

    def _input(self, name: str, active: bool) -> None:
        if name.startswith(BUTTON):
            if active:
                self.press()
        elif name == "tamper":
            self._house.alarming.say(Kind.TAMPER, not active)
        elif name == "contact":
            self._door(closed=active)
        elif self._bell is not None:
            self._bell.publish({"event": name, "on": active})

    def _door(self, *, closed: bool) -> None:
        if self._contact.contact(closed, _now()):
            self._tell_door()

    def _left_open(self) -> None:
        if self._contact.handle_timer(_now()):
            self._tell_door()

    def _tell_door(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._contact.next_deadline()
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._left_open)
        if self._contact.state is not None:
            self._house.alarming.say_contact(self._contact.state)

    def _happened(self, event: dict[str, Any]) -> None:
        """A press at this door, or a visitor at this screen."""
        kind = event.get("event")
        if kind == "pressed" or (kind == "bell" and event.get("on")):
            self._relay("bell", self._settings.bell_seconds)
            self._relay("light", self._settings.light_seconds)
        elif kind == "bell" or (kind == "over" and "press" in event):
            self._relay("bell", 0.0)

    def _relay(self, name: str, seconds: float) -> None:
        if self._tasks is not None and getattr(self._settings, name):
            self._tasks.create_task(self._drive(name, seconds))

    async def _drive(self, name: str, seconds: float) -> None:
        """A relay that fails keeps nobody from being rung."""
        assert self.pins is not None
        try:
            await (self.pins.on(name, seconds) if seconds else self.pins.off(name))
        except OSError as error:
            journal.warn(name, f"its relay cannot be driven: {error}")

    async def _try_verb(self, values: Any, progress: Progress) -> Json:
        """What `meshdoor test` asks of a node that runs. Raises UserError."""
        what = Args(values).text("what")
        tries: dict[str, Callable[[], Coroutine[Any, Any, str]]] = {
            "lock": self._try_lock,
            "bell": lambda: self._try_relay("bell"),
            "light": lambda: self._try_relay("light"),
            "button": self._try_button,
        }
        if what not in tries:
            raise UserError(f"{what}: a running node cannot try that")
        return {"text": await tries[what]()}

    async def _try_lock(self) -> str:
        if self._lock is None:
            raise UserError("there is no lock at this node", "set [lock] in its config.toml")
        return await self._lock.try_out()

    async def _try_relay(self, name: str) -> str:
        if self.pins is None or not getattr(self._settings, name):
            raise UserError(f"there is no {name} at this node", f"set {name} under [devices] in its config.toml")
        try:
            await self.pins.on(name, TRY)
        except OSError as error:
            raise Refused(f"the relay of the {name} cannot be driven: {error}") from None
        return f"the relay of the {name} was on for {TRY:.0f} s"

    async def _try_button(self) -> str:
        """A press that comes in time; it rings, too."""
        if not self._settings.buttons:
            raise UserError("there is no button at this node", "set buttons under [devices] in its config.toml")
        self._pressed.clear()
        try:
            async with asyncio.timeout(TRY_BUTTON):
                await self._pressed.wait()
        except TimeoutError:
            raise Refused(f"nobody pressed within {TRY_BUTTON:.0f} s") from None
        return "the button was pressed"


def _now() -> float:
    return asyncio.get_running_loop().time()
