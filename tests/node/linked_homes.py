"""Houses of one home with real links on loopback, and nothing else of a node."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from meshdoor.config import Config
from meshdoor.mesh.acceptor import listen
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.link import Links
from meshdoor.mesh.peers import PeerTable
from meshdoor.node.house import House
from meshdoor.node.membership import Membership
from meshdoor.node.pairing import PairingDesk
from meshdoor.trust.enrolment import Enrolments
from meshdoor.trust.statement import Statement
from tests.trust.house import DEVICES, ROLES, admit, chain, founding, history

EVERYBODY = chain(founding(), *(("Hall", admit(name)) for name in ("Kitchen", "Gate", "Lock")))


def house(name: str, statements: Sequence[Statement] = EVERYBODY, **settings: Any) -> House:
    """The house as the node of this name sees it; it has no links yet."""
    identity = DEVICES[name]
    membership = Membership(identity, history(statements), lambda wire: None)
    desk = PairingDesk(membership, Enrolments(), tuple, lambda table: None)
    desk.name = name
    if name in ROLES:
        desk.role = ROLES[name]
    made = House(Config(**settings), membership, PeerTable(identity.key), desk)
    made.peers.roster_changed(membership.roster, 0.0)
    made.settled = True
    return made


@asynccontextmanager
async def linked(*houses: House) -> AsyncIterator[None]:
    """While it lasts, each has a link to each other."""
    async with AsyncExitStack() as stack:
        for each in houses:
            links = Links(each.membership.identity, each, listen(0, ("127.0.0.1",)))
            each.links = await stack.enter_async_context(links)
            links.roster_changed(each.membership.roster)
        for number, one in enumerate(houses):
            for other in houses[number + 1 :]:
                address = Address("127.0.0.1", other.links.port)
                assert await one.links.dial(other.membership.identity.key, [address])
        yield
