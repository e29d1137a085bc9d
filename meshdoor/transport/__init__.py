"""SIP on real sockets: one stack, any number of transports.

    base        what a transport is, and what it tells the endpoint
    endpoint    owns the stack, its timer and its transports
    links       the mesh link as a transport ("LINK"): members, known by their pinned keys
    udp         datagrams, with a bound on what strangers get back (its account of bytes is in credit)
    tcp         TCP and TLS: connections kept, used again, limited and timed out; each one a connection
    tls         whom TLS trusts, and what it shows
    websocket   phones that are attached to this node ("WSS"), known by the keys that signed a challenge
    outside     all of these but links, on one port, and the way to a URI
"""
