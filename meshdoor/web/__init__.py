"""The web server of a screen: the page of phones, and the sockets by which they attach. The only importer of aiohttp.

Everything is on one HTTPS port and one origin:

    GET  /, /sw.js, ...            the files of `page/`
    GET  /ca.crt, /ca.mobileconfig the authority of this node, if it has one
    POST /pair                     an invitation is shown (`meshdoor.trust.invitation`)
    WS   /phone   `sip`            SIP of an attached phone, one message a frame (RFC 7118)
    WS   /home    `meshdoor`       what the page shows and asks
    WS   /sip     `sip`            SIP of clients that register by digest

`/phone` and `/home` begin alike; binary values are lower-case hexadecimal (`meshdoor.trust.attach`):

    server   {"challenge": 32 bytes, "home": id, "node": name}
    phone    {"key": ..., "signature": 64 bytes}                         within 5 s
    server   {"attached": {"name", "id", "permissions", "until", "ice_servers"}}
         or  {"refused": {"code", "text"}}, and close 4403

The same "refused" and close end a socket whose phone is revoked or whose time is over. Close codes besides: 4408 no
proof in time, 4409 attached anew elsewhere, 4429 too much or too slow, 1001 the node stops.

On `/home` the page asks {"id": n, "ask": verb, "args": {}} and gets {"id": n, "answer": ...} or
{"id": n, "error": {"code", "text"}}; what happens in the home comes as {"event": ...}. The verbs are those of
`meshdoor.node.webhouse`.
"""
