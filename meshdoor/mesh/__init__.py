"""How nodes find and reach each other: announcements, the peer table, and the links.

The announcement, version 1
---------------------------
A node announces one instance of `_sip._udp.local.` (RFC 6763), whose records anybody on the network may
read, forge or withdraw: they say where to knock, and are never a reason to trust.

Instance    `meshdoor-` and the first eight characters of the device id without its dashes. The name is
            unique by construction, so it is announced without probing.
SRV         the port of SIP over UDP; the target is the instance label followed by `.local.`
A, AAAA     the addresses of the node; IPv6 link-local ones are used with the scope they were heard on.
TXT         strings `key=value` (RFC 6763 §6), UTF-8, keys as below, in any order:

    v      1, the version of this text. A higher one keeps the meaning of these keys.
    id     device id: sixteen characters of lower-case base32 in groups of four, joined by dashes
    role   door, screen, phone or lock
    home   32 hex digits: the first 16 bytes of the id of the founding statement; not there without a home
    r      32 hex digits: the digest of the roster; not there without a home
    tls    port of the mesh links, and of pairing
    web    port of the phone page (HTTPS); not there if the node serves none
    pair   1 while the node can be paired; otherwise not there
    name   what the newcomer calls itself, only beside pair=1; at most 64 characters and 200 bytes

A key that appears twice counts once, the first (RFC 6763 §6.4); an unknown key is ignored. A record whose
instance does not derive from its id, whose value breaks a rule above, or that names no usable address is
dropped as a whole.
"""
