"""SIP without input or output (RFC 3261 and its updates).

Nothing in this package opens a socket, reads a clock or awaits: it takes bytes and `now`, and gives back
bytes, events and deadlines. From the ground up:

    grammar     tokens, quoted strings, lists and parameters, in linear time
    uri         sip, sips and tel URIs
    headers     typed header values, those of authentication in credentials; each has `parse` and `__str__`
    fields      the ordered header multimap that keeps what it does not know byte for byte
    accessors   the typed, lazy and cached reading of a message's headers
    message     Request and Response
    framer      messages out of a TCP or TLS stream
    digest      authentication, both sides; its nonces are in nonce
    validate    what is checked of a request before anything else, and what answers a bad one

and, on these:

    flow          ways to a peer, and where a message goes
    timers        the times of the RFCs, and the agenda
    machine       what the transaction machines share: ict, ist, nict, nist
    transactions  which transaction a message belongs to
    dialog        identity, route set, remote target, numbers
    session       the INVITE usage: uac and uas; reliable (100rel), accepted (the 2xx), offers (re-INVITE and
                  UPDATE), refresh (session timers)
    core          what sessions share; asking: requests of ours, credentials included
    inbound       what becomes of a message from the network
    stack         the facade; what it tells is in events
    proxy         a stateless proxy between flows, whose names it seals into flow_tokens
    registration  our account at a server of others
    push          how a client that sleeps is woken
    locate        where a server outside is, as name servers have it
    registrar     who is at the other end of a connection, by digest
"""
