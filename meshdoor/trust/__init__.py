"""Who belongs to a home and what each may do: the wire form of identity and roster, version 1.

Identity
    A device holds one Ed25519 key (RFC 8032). Its device id is base32 (RFC 4648 §6, lower case) of the
    first 10 bytes of SHA-256 of the public key, in four groups: `gr2q-7gf5-lh6p-zfdn`. Its mesh
    certificate is X.509, self-signed with that key, at most 1024 bytes of DER, CA:FALSE, CN the device
    id, valid from 2000 to the end of 9999 (a Pi has no clock at boot). Trust is in the key and the
    exact certificate; no chain and no date counts.

    A phone lives in a browser and has no certificate. Its key is one of Ed25519, or, where the browser has
    none of these, of ECDSA P-256: 33 bytes, the compressed point of SEC 1 §2.3.3. Its signatures are r and s,
    32 bytes each, over SHA-256, as WebCrypto makes them. No other role may have such a key, and no statement
    is authored with one. Ids are made of either key in the same way.

Statement
    A roster is a set of signed statements. One is carried as

        signature (64 bytes) | body (JSON, UTF-8, at most 4096 bytes)

    The signature is Ed25519 by the author over "meshdoor statement v1" NUL body. The id is SHA-256 of
    the body. Both are over the bytes as carried, so no canonical form is needed, and another signature
    does not make another statement. The body is an object without repeated keys, of

        kind         "found", "admit", "revoke" or "change"
        author       public key, 64 lower-case hexadecimal digits
        parents      up to 32 ids, as hexadecimal: the heads that the author had seen
        at           unix seconds by the author's clock; shown to people, decides nothing

    and the fields of its kind, all of them and no others:

        found        home_name, name, role, certificate, nonce (16 bytes as hexadecimal); no parents;
                     the author's own certificate; a role that may admit by default
        admit        key, certificate, name, role, permissions (a list), and for a guest: until
        revoke       key
        change       key, name or null, permissions or null; permissions without "admit"

    Certificates are in base64 and of the key that is named; only a phone, whose page speaks no TLS of
    ours, may have none (""). Names are 1 to 64 characters without controls, line separators and what
    turns text around, and no space at either end. Anything else is refused, not skipped: a new kind
    of statement needs a new version in front of the signature.

    `until`, in unix seconds, makes a phone that may not admit a guest's. For who stays it is left out, and not
    null. The roster is the same before and after that time, as no two clocks agree: whoever decides about a
    phone asks `Member.expired`, and a screen that notices states the revoke.

Roster
    The statements of a home are a graph with one root, the founding statement, whose id names the home.
    The *past* of a statement is its ancestors; its *depth* is the longest path from the root; "earlier"
    is a lower (depth, id). `roster.evaluate` is a function of the set, in these steps:

    1. A revoke R of key T *hits* what T signed outside the past of R, but not R itself.
    2. A statement other than the root is *void* when a revoke that stands hits it, or when, of the
       admissions of its author in its past that are not void, the earliest does not give `admit` or
       there is none.
    3. Which revokes stand: R *attacks* a revoke S when it hits S, or an admission that the standing of
       S's author may rest on, directly or through others. Of the undecided revokes, those that no
       undecided one attacks are decided: void or standing. When there are none such, in a circle (a
       strongly connected component) that nothing undecided attacks from outside, of the revokes that
       are not void the one whose author was admitted earliest stands (then the earlier revoke), and
       what attacks it falls. Repeat. So of two admins who revoke each other unseen, the one admitted
       earlier remains.
    4. Members are the keys of admissions that are not void, without the targets of standing revokes. The
       earliest of a key gives its role, name and certificate, so a door stays a door. No admission
       brings a revoked key back; all that undoes a revoke is a standing one of its author that had
       not seen it.
    5. Changes that are not void apply in order of (depth, id). They neither give nor take `admit`.
    6. Permissions are always cut to the ceiling of the role (`permissions.CEILING`).

    A History holds at most 4096 statements, 512 of them revokes, and 256 more that wait for their
    parents. An author whose admission has depth d may fill it only up to (256 - min(d, 64))/256, so that
    who was admitted earlier can always revoke it. It refuses what can never count: another root, or an author
    whom nothing in the statement's past gives `admit`. Merging is union: an older copy takes nothing
    away. Two nodes that tell each other what the other's heads lack, until the heads agree, hold the
    same roster; `Roster.digest`, SHA-256 of the sorted heads cut to 16 bytes, tells whether they do.

Door-open grants are specified in `meshdoor.trust.grants`.

Phones are let in by an invitation (`meshdoor.trust.invitation`) and prove who they are whenever they attach
to a node (`meshdoor.trust.attach`).

Vectors: tests/data/trust/identity.json, tests/data/trust/keys.json, tests/data/trust/roster.json.
"""
