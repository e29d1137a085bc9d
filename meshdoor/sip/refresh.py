"""Session timers (RFC 4028): what is agreed, who refreshes, and when a silent session is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshdoor.sip.headers import SessionExpires
from meshdoor.sip.message import Request, Response
from meshdoor.sip.timers import EXPIRY_MARGIN, MIN_SE, Agenda, Timed

MAX_RAISES: Final = 3  # times that one session asks for a longer interval because the other side wants it

Moment = Callable[[float], None]


class SessionTimer(Timed):
    """One session's timer. `on_refresh(now)` and `on_expired(now)` are called when it is time.

    `wanted` is the interval to ask for in seconds, 0 for none; `agreed` the one in force.
    """

    def __init__(self, agenda: Agenda, wanted: int, min_se: int, on_refresh: Moment, on_expired: Moment) -> None:
        super().__init__(agenda)
        self.wanted = wanted
        self.agreed = 0
        self.refresher = False
        self._min_se = max(min_se, MIN_SE)
        self._raises = MAX_RAISES
        self._on_refresh = on_refresh
        self._on_expired = on_expired

    def ask(self) -> list[tuple[str, str]]:
        """The headers of our INVITE or UPDATE (§7.1, §7.4): who refreshes stays who it is."""
        interval = self.agreed or self.wanted
        if not interval:
            return []
        role = ("uac" if self.refresher else "uas") if self.agreed else None
        fields = [("Session-Expires", str(SessionExpires(interval, role)))]
        if self._min_se > MIN_SE:
            fields.append(("Min-SE", str(self._min_se)))
        return fields

    def answered(self, response: Response, now: float) -> None:
        """The 2xx to our INVITE or UPDATE (§7.2). Without Session-Expires there is no timer."""
        expires = response.session_expires
        if expires is None:
            self.stop()
        else:
            self._agree(expires.interval, expires.refresher != "uas", now)

    def enlarge(self, response: Response) -> bool:
        """Whether our request is worth repeating after a 422: now it asks for what that allows (§7.4)."""
        minimum = response.min_se
        if response.status != 422 or minimum is None or minimum <= (self.agreed or self.wanted) or not self._raises:
            return False
        self._raises -= 1
        self.wanted = self._min_se = minimum
        self.agreed = minimum if self.agreed else 0
        return True

    def too_small(self, request: Request) -> list[tuple[str, str]]:
        """The Min-SE of the 422 that a request must get; empty if it need not."""
        return too_small(request, self._min_se)

    def answer(self, request: Request, now: float) -> list[tuple[str, str]]:
        """Agree to what an INVITE or UPDATE asks for: the headers of its 2xx (§9)."""
        expires = request.session_expires
        if expires is None:
            self.stop()
            return []
        capable = "timer" in request.supported
        role = (expires.refresher or "uac") if capable else "uas"
        self._agree(expires.interval, role == "uas", now)
        fields = [("Session-Expires", str(SessionExpires(self.agreed, role)))]
        return [*fields, ("Require", "timer")] if capable else fields

    def stop(self) -> None:
        """No session timer."""
        self.agreed = 0
        self.timers = {}

    def retry(self, now: float) -> None:
        """A refresh was refused, but not for good: try again before the session expires."""
        self.arm("REFRESH", now + max(self.agreed / 8, 1.0))

    def _agree(self, interval: int, refresher: bool, now: float) -> None:
        self.agreed = max(interval, MIN_SE)
        self.refresher = refresher
        self.timers = {"EXPIRED": now + self.agreed - min(EXPIRY_MARGIN, self.agreed / 3)}
        if refresher:
            self.timers["REFRESH"] = now + self.agreed / 2
        self.rescheduled()

    def timer_refresh(self, now: float) -> None:
        """Half of the interval is over (§7.2)."""
        self._on_refresh(now)

    def timer_expired(self, now: float) -> None:
        """Nobody refreshed (§10)."""
        self.stop()
        self._on_expired(now)


def too_small(request: Request, min_se: int) -> list[tuple[str, str]]:
    """The Min-SE of the 422 that a request gets for its short session interval; empty if it is long enough (§9).

    Who does not know session timers cannot be asked for a longer one.
    """
    expires = request.session_expires
    if expires is None or expires.interval >= min_se or "timer" not in request.supported:
        return []
    return [("Min-SE", str(min_se))]
