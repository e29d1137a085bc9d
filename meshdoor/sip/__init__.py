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
"""
