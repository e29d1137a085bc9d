"""Codecs as media descriptions list them, and whether two sides mean the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from meshdoor.sdp.attributes import Fmtp, RtcpFb, Rtpmap, parameter
from meshdoor.sdp.description import Line, Media

TELEPHONE_EVENT = "telephone-event"
MAX_FEEDBACK = 64  # lines that are looked at; ours
# Payload types that need no rtpmap: RFC 3551 §6.
_STATIC = {0: Rtpmap(0, "PCMU", 8000), 8: Rtpmap(8, "PCMA", 8000), 9: Rtpmap(9, "G722", 8000)}
_DEFAULT_PROFILE = "42000a"  # H.264 without profile-level-id is Baseline, level 1: RFC 6184 §8.1


@dataclass(frozen=True, slots=True)
class Codec:
    """One format of a media line with its rtpmap, fmtp and rtcp-fb."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    parameters: str = ""
    feedback: tuple[str, ...] = ()

    @property
    def packetization_mode(self) -> int:
        """Of H.264 (RFC 6184 §8.1): 0 when it is not said."""
        mode = parameter(self.parameters, "packetization-mode")
        return int(mode) if mode in {"0", "1", "2"} else 0

    @property
    def profile_level_id(self) -> str:
        """Of H.264: six hex digits, lower case."""
        value = (parameter(self.parameters, "profile-level-id") or "").lower()
        return value if len(value) == 6 and set(value) <= set("0123456789abcdef") else _DEFAULT_PROFILE

    @property
    def is_telephone_event(self) -> bool:
        return self.name.lower() == TELEPHONE_EVENT

    def means(self, other: Codec) -> bool:
        """Whether it is the same format. Of H.264, packetization-mode and profile_idc must agree (RFC 6184
        §8.2.2); constraint flags may differ, since what an intercom sends is decoded by all of a profile."""
        same = (self.name.lower(), self.clock_rate, self.channels)
        if same != (other.name.lower(), other.clock_rate, other.channels):
            return False
        if self.name.lower() != "h264":
            return True
        modes = self.packetization_mode == other.packetization_mode
        return modes and self.profile_level_id[:2] == other.profile_level_id[:2]

    def answer(self, ours: Codec) -> Codec:
        """This offered format as we answer it: their number, our parameters, the feedback that both know.
        The level of H.264 is the lower one, under the profile that was offered (RFC 6184 §8.2.2)."""
        parameters = ours.parameters
        if self.name.lower() == "h264":
            level = min(self.profile_level_id[4:], ours.profile_level_id[4:])
            profile = f"profile-level-id={self.profile_level_id[:4]}{level}"
            kept = (part for part in parameters.split(";") if "profile-level-id" not in part.lower())
            parameters = ";".join((profile, *filter(None, kept)))
        common = tuple(each for each in ours.feedback if each in self.feedback)
        return replace(self, parameters=parameters, feedback=common)

    def lines(self) -> Iterator[Line]:
        """Its attribute lines."""
        rtpmap = Rtpmap(self.payload_type, self.name, self.clock_rate, self.channels)
        yield Line("a", f"rtpmap:{rtpmap}")
        if self.parameters:
            yield Line("a", f"fmtp:{Fmtp(self.payload_type, self.parameters)}")
        for feedback in self.feedback:
            yield Line("a", f"rtcp-fb:{RtcpFb(self.payload_type, feedback)}")


def codecs_of(media: Media) -> tuple[Codec, ...]:
    """The codecs of a media description in its order; formats that nothing describes are left out.
    Raises SdpError for an attribute that breaks the grammar."""
    maps = {each.payload_type: each for each in map(Rtpmap.parse, media.attributes("rtpmap"))}
    parameters = {each.payload_type: each.parameters for each in map(Fmtp.parse, media.attributes("fmtp"))}
    feedback = tuple(map(RtcpFb.parse, media.attributes("rtcp-fb")[:MAX_FEEDBACK]))
    numbers = (int(each) for each in media.formats if each.isascii() and each.isdigit() and len(each) < 4)
    found = []
    for number in numbers:
        known = maps.get(number) or _STATIC.get(number)
        if known is not None:
            wanted = _feedback_for(number, feedback)
            fmtp = parameters.get(number, "")
            found.append(Codec(number, known.encoding, known.clock_rate, known.channels, fmtp, wanted))
    return tuple(found)


def _feedback_for(number: int, feedback: Iterable[RtcpFb]) -> tuple[str, ...]:
    wanted = (each.feedback for each in feedback if each.payload_type in {None, number})
    return tuple(dict.fromkeys(wanted))
