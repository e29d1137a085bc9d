"""The virtual house: hosts in network namespaces on one bridge, for tests and for the demo.

    with House("door", "kitchen") as house:
        node = house["door"].start(["meshdoor", "run"])
        node.expect("ready")
        house["kitchen"].cut()

Everything lives in namespaces of its own (user, network, mount, UTS, process): nothing of it can touch the
real network, and it is gone when the process that built it is gone, however that ended.

    agent.py       runs inside: process 1 of the house, and one server in each host
    protocol.py    what the agent and the outside say to each other
    namespaces.py  the system calls that Python 3.11 lacks
    house.py       House, and whether one can be built here
    host.py        Host: start and run programs, the cable, the addresses
    process.py     Process: a program that runs in a host
    weather.py     what goes wrong on the bridge, as an nftables ruleset
    capture.py     a recorder of packets, and its reader
    udp.py         small programs to run in hosts: echo, ask, flood
"""

from tests.lab.capture import Packet
from tests.lab.host import Host
from tests.lab.house import House, unavailable
from tests.lab.process import Process, Usage
from tests.lab.protocol import LabError

__all__ = ["Host", "House", "LabError", "Packet", "Process", "Usage", "unavailable"]
