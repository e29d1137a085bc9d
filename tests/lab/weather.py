"""What goes wrong on the bridge, as one nftables ruleset that replaces the one before at a stroke."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

FINENESS = 10_000  # loss is drawn in hundredths of a percent


@dataclass
class Weather:
    """Per port of the bridge: packets lost (percent, each way), no multicast, no unicast to its like."""

    loss: dict[str, float] = field(default_factory=dict)
    no_multicast: set[str] = field(default_factory=set)
    isolated: set[str] = field(default_factory=set)

    def ruleset(self) -> str:
        """For `nft -f`. The table is named twice: deleting one that is not there is an error."""
        rules = "\n".join(self._rules())
        return (
            "add table bridge weather\n"
            "delete table bridge weather\n"
            "table bridge weather {\n chain forward {\n"
            f"type filter hook forward priority 0\n{rules}\n"
            "}\n}\n"
        )

    def _rules(self) -> Iterator[str]:
        if self.isolated:
            ports = ", ".join(sorted(self.isolated))
            yield f"iifname {{ {ports} }} oifname {{ {ports} }} drop"
        for port in sorted(self.no_multicast):
            for way in ("iifname", "oifname"):
                yield f"{way} {port} ip daddr 224.0.0.0/4 drop"
                # Not all of it: IPv6 finds its neighbours by multicast of ICMP.
                yield f"{way} {port} ip6 daddr ff00::/8 meta l4proto udp drop"
        for port, percent in sorted(self.loss.items()):
            for way in ("iifname", "oifname"):
                yield f"{way} {port} numgen random mod {FINENESS} < {round(percent * FINENESS / 100)} drop"
