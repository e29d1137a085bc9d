"""Announce this node and browse for others by multicast DNS. The only importer of zeroconf.

python-zeroconf answers, parses and caches. Its browser is not used: that one remembers every name it ever
heard until the name expires, so a flood fills the memory. Here a gate stands before the responder
(`guard`), and a listener behind it (`browser`) keeps what concerns Meshdoor nodes, few of them, and takes
the rest out of the cache again.
"""

from __future__ import annotations

from meshdoor.mesh.mdns.service import Mdns

__all__ = ["Mdns"]
