"""A house to look at: a door, screens and a lock, each a process of its own, and a press with all that follows.

Run from a checkout where the kernel allows it, the house is virtual: hosts with addresses and multicast of their own
in network namespaces. Elsewhere its nodes share the loopback interface. Nothing reaches the real network either way.
"""
