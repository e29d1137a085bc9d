"""SIP on real sockets: one stack, any number of transports.

    base        what a transport is, and what it tells the endpoint
    endpoint    owns the stack, its timer and its transports
    links       the mesh link as a transport ("LINK"): members, known by their pinned keys
    udp         datagrams, with a bound on what strangers get back (its byte account is in credit)
    streams     TCP and TLS: connections kept, reused, limited and timed out, each one a connection

A WebSocket is a transport like the others, with one message a frame instead of a framer: `received` for
each frame, a flow named by its connection, `failed` when it closes.
"""
