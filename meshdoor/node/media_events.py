"""What the media engine tells, to whom it concerns."""

from __future__ import annotations

from typing import Any, Protocol

from meshdoor.media import reports
from meshdoor.node import journal
from meshdoor.node.answering import Answering
from meshdoor.node.digits import Digits
from meshdoor.node.house import House
from meshdoor.node.pressing import Pressing
from meshdoor.node.stations import Stations
from meshdoor.node.talking import Talking


class Calls(Protocol):
    """The call service, as far as media concern it."""

    pressing: Pressing
    answering: Answering
    talking: Talking
    stations: Stations
    digits: Digits

    def publish(self, event: dict[str, Any]) -> None:
        """Tell who listens."""


class MediaEvents:
    """Call it with each event of the engine."""

    def __init__(self, calls: Calls, house: House) -> None:
        self._calls = calls
        self._house = house

    def __call__(self, event: reports.Event) -> None:
        calls = self._calls
        calls.stations.media_event(event)
        match event:
            case reports.FirstPacketSent(leg=leg, media="video"):
                calls.pressing.first_packet(leg)
            case reports.FirstPicture(leg=leg):
                calls.answering.picture(event)
                calls.publish({"event": "picture", "leg": leg, "frame": event.frame_number, "at": event.at})
            case reports.PictureLost(leg=leg):
                calls.publish({"event": "no picture", "leg": leg, "at": event.at})
            case reports.FirstSound(leg=leg):
                calls.publish({"event": "sound", "leg": leg, "at": event.at})
            case reports.RtpSilence(leg=leg):
                calls.pressing.silent(leg)
                calls.answering.silent(leg)
            case reports.LegFailed(leg=leg, reason=reason):
                journal.warn("media", f"{leg}: {reason}")
                calls.pressing.silent(leg)
                calls.answering.silent(leg)
                calls.talking.legs_lost((leg,))
            case reports.EngineReady():
                self._house.media = "ready"
                calls.pressing.engine_back()
                calls.answering.engine_back()
            case reports.EngineLost(legs=legs, reason=reason):
                self._house.media = "starting"
                self._house.conditions.unknown()
                journal.warn("media", f"the media engine ended ({reason}); it is started again")
                calls.pressing.legs_lost(legs)
                calls.answering.legs_lost(legs)
                calls.talking.legs_lost(legs)
            case reports.DtmfReceived(leg=leg, digit=digit):
                calls.digits.heard(leg, digit)
            case reports.Device():
                self._house.conditions.told(event)
                calls.publish({"event": "device", "kind": event.kind, "state": event.state, "text": event.text})
            case _:
                pass
