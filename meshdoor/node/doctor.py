"""What is wrong with this node's network, found by pure rules over what the node saw.

Each rule tells apart two ways by which peers meet: multicast (mDNS) and unicast (links). Which of the two fails says
what the network does: a link without a sighting is lost multicast, a sighting without a link is client isolation.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from meshdoor.control import Json
from meshdoor.mesh.peers import Peer
from meshdoor.node.status import View, duration, node_state
from meshdoor.trust.permissions import Role
from meshdoor.version import __version__

PATIENCE = 10.0  # seconds that a peer may take to be seen or linked before it counts as a finding
WRITTEN = 1735689600.0  # 2025-01-01: no clock that is set shows less
SET_CLOCK = "switch on time synchronisation: timedatectl set-ntp true"
CLOCK_SKEW = 30.0  # seconds between this clock and the median of the peers' that are worth a word


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at beside the status; `clocks` are the peers' clocks minus ours, in seconds."""

    view: View
    wanted_port: int = 0
    clocks: dict[str, float] = field(default_factory=dict)
    interfaces: tuple[str, ...] = ()

    @property
    def nodes(self) -> list[Peer]:
        """The members that have links: a phone comes and goes as its owner likes."""
        return [peer for peer in self.view.peers if peer.member.role is not Role.PHONE]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `ok`, `warning` or `fault`, and what to do."""

    check: str
    level: str
    text: str
    hint: str = ""


def examine(facts: Facts) -> list[Json]:
    """All findings, for the command line."""
    rules = RULES_OF_REVOKED if node_state(facts.view) == "revoked" else RULES
    findings = [finding for rule in rules for finding in rule(facts)]
    return [{"check": f.check, "level": f.level, "text": f.text, "hint": f.hint} for f in findings]


def membership(facts: Facts) -> Iterator[Finding]:
    state = node_state(facts.view)
    if state == "revoked":
        yield Finding("home", "fault", "this node was revoked", "give it a new identity: meshdoor reset")
    elif state == "unpaired":
        hint = 'pair it from another node, or: meshdoor found "My home"'
        yield Finding("home", "warning", "this node is in no home", hint)
    else:
        yield Finding("home", "ok", f"this node is in {facts.view.roster.home_name}")


def network(facts: Facts) -> Iterator[Finding]:
    if facts.view.itself.addresses:
        yield Finding("network", "ok", f"on the network by {', '.join(facts.interfaces)}")
    else:
        yield Finding("network", "fault", "no network interface is up", "check the cable or the Wi-Fi")


def port(facts: Facts) -> Iterator[Finding]:
    used, wanted = facts.view.itself.port, facts.wanted_port
    if wanted and used != wanted:
        text = f"port {wanted} is taken by another program; this node uses {used}"
        yield Finding("port", "warning", text, f"find it with: ss -ltnp 'sport = :{wanted}'   or set mesh.port")
    else:
        yield Finding("port", "ok", f"listening on port {used}")


def multicast(facts: Facts) -> Iterator[Finding]:
    linked = [p for p in facts.nodes if p.state != "unreachable" and _lasts(p, facts.view.now)]
    unseen = [peer.member.name for peer in linked if not peer.announced]
    if unseen:
        text = f"mDNS does not come through from {_names(unseen)}, though the link to it works"
        hint = (
            "allow multicast (UDP port 5353; IGMP snooping) on the switch or access point; known addresses still work"
        )
        yield Finding("multicast", "warning", text, hint)
    elif linked:
        yield Finding("multicast", "ok", "mDNS comes through from every linked member")


def isolation(facts: Facts) -> Iterator[Finding]:
    lost = [p for p in facts.view.peers if p.state == "unreachable" and p.announced]
    names = [p.member.name for p in lost if _lasts(p, facts.view.now)]
    if names:
        text = f"{_names(names)} is seen by mDNS but takes no connection"
        hint = "switch off client isolation (AP isolation, guest network) on the access point, and check firewalls"
        yield Finding("isolation", "fault", text, hint)


def unreachable(facts: Facts) -> Iterator[Finding]:
    for peer in facts.nodes:
        told = peer.announced and _lasts(peer, facts.view.now)  # by the rule of isolation
        if peer.state == "unreachable" and not told:
            since = "was never seen" if peer.since is None else f"is gone for {duration(facts.view.now - peer.since)}"
            hint = "is it on, and on this network? If so, an access point may keep devices apart (client isolation)"
            yield Finding("reach", "warning", f"{peer.member.name} {since}", hint)


def clock(facts: Facts) -> Iterator[Finding]:
    if facts.view.now < WRITTEN:
        text = "this clock is years behind: it was not set since this machine was switched on"
        yield Finding("clock", "warning", text, SET_CLOCK)
        return
    if not facts.clocks:
        return
    skew = statistics.median(facts.clocks.values())
    if abs(skew) > CLOCK_SKEW:
        side = "behind" if skew > 0 else "ahead of"
        text = f"this clock is {duration(abs(skew))} {side} the others"
        yield Finding("clock", "warning", text, SET_CLOCK)
        return
    off = [name for name, difference in facts.clocks.items() if abs(difference) > CLOCK_SKEW]
    if off:
        hint = "switch on time synchronisation there: timedatectl set-ntp true"
        yield Finding("clock", "warning", f"the clock of {_names(off)} is far off", hint)
    else:
        yield Finding("clock", "ok", "the clocks agree")


def one_key(facts: Facts) -> Iterator[Finding]:
    for alarm in facts.view.alarms:
        yield Finding("identity", "fault", alarm.text, alarm.hint)


def stale_roster(facts: Facts) -> Iterator[Finding]:
    behind = [p.member.name for p in facts.nodes if p.state != "unreachable" and not p.roster_in_step]
    if behind:
        text = f"{_names(behind)} holds another roster than this node"
        yield Finding("roster", "warning", text, "it should pass within seconds; if not, restart that node")
    elif any(peer.state != "unreachable" for peer in facts.nodes):
        yield Finding("roster", "ok", "every linked member holds the same roster")


def version(facts: Facts) -> Iterator[Finding]:
    others = {p.member.name: p.version for p in facts.view.peers if p.version and p.version != __version__}
    for name, number in sorted(others.items()):
        older = _numbers(number) < _numbers(__version__)
        what = f"{name} runs an older version ({number})" if older else f"{name} runs a newer version ({number})"
        yield Finding("version", "warning", what, f"this node runs {__version__}; keep all on the same")


RULES = (membership, network, port, multicast, isolation, unreachable, clock, one_key, stale_roster, version)
RULES_OF_REVOKED = (membership, network, port, clock, one_key)  # nobody links with it any more


def _lasts(peer: Peer, now: float) -> bool:
    """Has it been as it is for long enough to count?"""
    return peer.since is None or now - peer.since > PATIENCE


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in text.split(".")[:4])
