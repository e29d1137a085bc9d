"""`meshdoor adopt`: SIP devices that cannot pair become members."""

from __future__ import annotations

import argparse

from meshdoor.cli.output import Subparsers, client, print_json, style, tell


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "adopt",
        parents=[common],
        help="let in a SIP phone or tablet that cannot pair, such as one with Linphone or baresip",
        description="The device at this address rings with the rest of the house from now on. It is reached through "
        "this node. It cannot prove who it is: what protects it is the certificate that it has now (TLS), or the "
        "network alone (TCP, UDP).",
    )
    parser.add_argument("uri", help="where it is, for example sip:kitchen@192.168.1.30")
    parser.add_argument("--name", required=True, help="what people call it")
    parser.add_argument(
        "--transport", choices=("tls", "tcp", "udp"), help="of its SIP (default: as the URI says, else udp)"
    )
    parser.add_argument(
        "--media",
        choices=("srtp", "dtls", "plain"),
        default="srtp",
        help="srtp: keys travel with the SIP, as safe as that is (default); dtls: keys are made between the ends; "
        "plain: none, whoever is in the network can watch",
    )
    parser.add_argument("--permissions", metavar="LIST", help="what it may, of view,talk,open (default view,talk,open)")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=adopt)


def adopt(options: argparse.Namespace) -> int:
    permissions = None if options.permissions is None else [each for each in options.permissions.split(",") if each]
    with client(options, timeout=30.0) as node:
        answer = node.call(
            "adopt",
            uri=options.uri,
            name=options.name,
            transport=options.transport,
            media=options.media,
            permissions=permissions,
        )
    if options.json:
        print_json(answer)
        return 0
    print(f"{style(answer['joined'], 'bold')} is in: {answer['id']}")
    if answer["product"] is None:
        tell("It does not answer now. It rings as soon as it is there.")
    elif answer["product"]:
        tell(f"It says that it is {answer['product']}.")
    if answer["fingerprint"]:
        tell(f"Its certificate, which must stay the same, has the fingerprint (SHA-256) {answer['fingerprint']}.")
    if answer["warning"]:
        tell(style(f"Beware: {answer['warning']}.", "yellow"))
    return 0
