"""`meshdoor adopt`: SIP devices that cannot pair become members."""

from __future__ import annotations

import argparse
import getpass
from pathlib import Path
from typing import Any

from meshdoor.cli.output import Subparsers, client, print_json, style, tell
from meshdoor.errors import UserError


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "adopt",
        parents=[common],
        help="let in a SIP phone, tablet or door station that cannot pair, such as one with Linphone or baresip",
        description="The device at this address rings with the rest of the house from now on. It is reached through "
        "this node. It has no key of its own: what protects it is the certificate that it has now (TLS), or the "
        "network alone (TCP, UDP). With --digest it proves who it is when it calls a door or writes to one.",
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
    parser.add_argument(
        "--role",
        choices=("phone", "door"),
        default="phone",
        help="phone: it rings with the rest of the house (default); door: a door station, for which this node rings it",
    )
    parser.add_argument("--code-file", metavar="FILE", help="of a door: the digits that open it, in a file (- to type)")
    parser.add_argument("--info", action="store_true", help="of a door: it takes digits as INFO, not with the sound")
    parser.add_argument(
        "--digest",
        action="store_true",
        help="it proves who it is by a secret that is made now: a door has to, a phone may call and write to doors",
    )
    parser.add_argument(
        "--preview",
        action="store_true",
        help="of a phone: it answers by itself to show who is there; nobody has answered before it asks for sound",
    )
    parser.add_argument("--permissions", metavar="LIST", help="what it may, of view,talk,open (default view,talk,open)")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=adopt)


def adopt(options: argparse.Namespace) -> int:
    if options.role == "door":
        return adopt_door(options)
    permissions = None if options.permissions is None else [each for each in options.permissions.split(",") if each]
    with client(options, timeout=30.0) as node:
        answer = node.call(
            "adopt",
            uri=options.uri,
            name=options.name,
            transport=options.transport,
            media=options.media,
            permissions=permissions,
            digest=options.digest,
            preview=options.preview,
        )
    if options.json:
        print_json(answer)
        return 0
    show(answer)
    if options.digest:
        tell("Give its account, which need not register, this user name and secret. They are shown once.")
        show_secret(answer)
    return 0


def adopt_door(options: argparse.Namespace) -> int:
    """A door station that calls this node."""
    if options.preview:
        raise UserError("a door is shown no visitor", "--preview is of a phone")
    code = None if options.code_file is None else read_code(options.code_file)
    with client(options, timeout=30.0) as node:
        answer = node.call(
            "station adopt",
            uri=options.uri,
            name=options.name,
            transport=options.transport,
            media=options.media,
            code=code,
            by_info=options.info,
            digest=options.digest,
        )
    if options.json:
        print_json(answer)
        return 0
    show(answer)
    tell("Let it call sip:everyone at the address of this node; with the name of a screen it rings that one alone.")
    if answer["secret"]:
        show_secret(answer)
    return 0


def read_code(name: str) -> str:
    """The digits in a file, or typed unseen. Raises UserError."""
    if name == "-":
        return getpass.getpass("Code that opens it: ").strip()
    try:
        return Path(name).read_text().strip()
    except (OSError, UnicodeError) as error:
        raise UserError(f"{name} cannot be read: {error}") from None


def show_secret(answer: Any) -> None:
    """What a device proves who it is with."""
    print(f"user    {answer['user']}\nsecret  {answer['secret']}")


def show(answer: Any) -> None:
    """Who is in, and what a person should know."""
    print(f"{style(answer['joined'], 'bold')} is in: {answer['id']}")
    if answer["product"] is None:
        tell("It does not answer now. It rings as soon as it is there.")
    elif answer["product"]:
        tell(f"It says that it is {answer['product']}.")
    if answer["fingerprint"]:
        tell(f"Its certificate, which must stay the same, has the fingerprint (SHA-256) {answer['fingerprint']}.")
    if answer["warning"]:
        tell(style(f"Beware: {answer['warning']}.", "yellow"))
