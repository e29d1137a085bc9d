"""`meshdoor phone`: phones of the home, which live in a browser."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from meshdoor.cli.countdown import Countdown
from meshdoor.cli.output import (
    Subparsers,
    agrees,
    client,
    local_time,
    print_json,
    print_json_line,
    style,
    table,
    tell,
)
from meshdoor.cli.until import parse_until
from meshdoor.control import Json
from meshdoor.control.client import Client
from meshdoor.errors import NotFound, UserError

CERTIFICATE, PROFILE = "meshdoor-ca.crt", "meshdoor-ca.mobileconfig"

MEANING = """\
This certificate is the authority of THIS NODE's page. A phone that trusts it opens the page without a warning, may
install it as an app, and can be told of visitors while the page is closed. It also means: whoever steals the key of
this authority from the node could show that phone a false page of any device in a private network (it can vouch for
no others). Install it only on phones of the house, and take it off a phone that leaves (in the settings of the phone,
under trusted certificates)."""


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    phone = verbs.add_parser(
        "phone",
        parents=[common],
        help="let phones into the home by a QR code, list them, throw them out",
        description="A phone needs no app: it scans a code, and its browser is a member of the home.",
    )
    what = phone.add_subparsers(title="what", metavar="WHAT", required=True)
    common = argparse.ArgumentParser(add_help=False)  # so that --state may stand after the word as well
    common.add_argument("--state", metavar="DIR", default=argparse.SUPPRESS, help="the node's state directory")
    _register_add(what, common)

    parser = what.add_parser("list", parents=[common], help="the phones of the home, and who was invited")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=phones)

    parser = what.add_parser("revoke", parents=[common], help="throw a phone out, everywhere, at once and for good")
    parser.add_argument("phone", help="its name, id or the beginning of its id")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(run=revoke)

    parser = what.add_parser(
        "ca",
        parents=[common],
        help="a certificate by which a phone trusts this node's page fully",
        description=MEANING,
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"write {CERTIFICATE} and {PROFILE} there")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=authority)

    parser = what.add_parser("notify", parents=[common], help="send a test to everybody who is told of visitors")
    parser.add_argument("--test", action="store_true", required=True, help="send it")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=notify)


def _register_add(what: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = what.add_parser(
        "add",
        parents=[common],
        help="show a QR code that lets one phone in",
        description="Show a QR code. The phone that scans it within ten minutes is a member of the home. Who sees the "
        "code can come in in its place: show it to nobody else.",
    )
    parser.add_argument("name", help="what people call it, for example Alice")
    parser.add_argument(
        "--permissions",
        metavar="LIST",
        help="what it may, of view,talk,open,admit (default view,talk,open)",
    )
    parser.add_argument(
        "--expires", metavar="DATE", help="a guest, until the end of 2026-12-24, or 2026-12-24T18:00, or for 12h or 7d"
    )
    parser.add_argument(
        "--sip", action="store_true", help="no page: an account for a SIP client that speaks WebSocket, such as JsSIP"
    )
    parser.add_argument(
        "--linphone", action="store_true", help="no page: a code with which the Linphone app sets itself up"
    )
    parser.add_argument(
        "--media", choices=("srtp", "dtls"), default="srtp", help="with --linphone: how its media is encrypted"
    )
    parser.add_argument(
        "--unverified",
        action="store_true",
        help="with --linphone: let it take any certificate; who is in between could then listen",
    )
    parser.add_argument("--png", type=Path, metavar="FILE", help="write the code as a picture, too")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the code as a drawing, too")
    parser.add_argument("--json", action="store_true", help="JSON documents, each on a line")
    parser.set_defaults(run=add)


def add(options: argparse.Namespace) -> int:
    permissions = None if options.permissions is None else [each for each in options.permissions.split(",") if each]
    until = None if options.expires is None else parse_until(options.expires)
    if options.sip:
        return _add_client(options, permissions, until)
    verb, more = ("phone add", {}) if not options.linphone else ("phone linphone", _of_linphone(options))
    with Countdown() as countdown, client(options, timeout=None) as node:

        def invited(answer: Json) -> None:
            _show(answer, options)
            if not options.json:
                countdown.until(answer["expires"])

        answer = node.call(verb, invited, name=options.name, permissions=permissions, until=until, **more)
    if options.json:
        print_json_line(answer)
    else:
        print(f"{style(answer['joined'], 'bold')} is in: {answer['id']}")
    return 0


def _of_linphone(options: argparse.Namespace) -> dict[str, Json]:
    return {"media": options.media, "unverified": options.unverified}


def _add_client(options: argparse.Namespace, permissions: list[str] | None, until: int | None) -> int:
    """Its secret is shown once: the node keeps only what it takes to check it."""
    if options.png or options.svg:
        raise UserError("an account has no code to draw: --png and --svg do not go with --sip")
    with client(options) as node:
        account = node.call("phone sip", name=options.name, permissions=permissions, until=until)
    if options.json:
        print_json_line(account)
        return 0
    print(f"{style(account['joined'], 'bold')} is in: {account['id']}")
    print(table([("SETTING", "VALUE"), *((name, account[name]) for name in ("server", "user", "domain", "secret"))]))
    tell("The secret is not shown again.")
    return 0


def _show(invited: Json, options: argparse.Namespace) -> None:
    from meshdoor.node import qr

    if options.png:
        _write_secret(options.png, qr.png(invited["url"]))
    if options.svg:
        _write_secret(options.svg, invited["svg"].encode())
    if options.json:
        print_json_line(invited)
        return
    print(qr.text(invited["url"], colours=sys.stdout.isatty()), flush=True)
    print(invited["url"], flush=True)
    if options.linphone:
        tell(f"Scan this with the Linphone app of {invited['name']}: assistant, remote provisioning, QR code.")
        tell(_of_certificate(options.unverified))
        return
    tell(f"Scan this with {invited['name']}'s phone: {_may(invited['permissions'], invited['until'])}")
    tell("Its browser will warn of a certificate it does not know. That is this node's own, if its fingerprint")
    tell(f"(SHA-256) begins with {_spaced(invited['fingerprint'][:16])}; then go on.")


def _of_certificate(unverified: bool) -> str:
    if unverified:
        return "It takes any certificate for this node's: who is in between could listen."
    return "It must know who signed the certificate of this node: web.certificate in the settings, or --unverified."


def _write_secret(path: Path, data: bytes) -> None:
    """For this user only: who has the code can come in."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(data)


def phones(options: argparse.Namespace) -> int:
    with client(options) as node:
        answer = node.call("phone list")
    if options.json:
        print_json(answer)
        return 0
    if answer["phones"]:
        print(table([("NAME", "STATE", "MAY", "UNTIL", "ID"), *(_row(phone) for phone in answer["phones"])]))
    for invited in answer["invited"]:
        tell(f"{invited['name']} is invited until {local_time(invited['expires'])}.")
    if not answer["phones"] and not answer["invited"]:
        tell("No phone is in this home. Let one in with: meshdoor phone add NAME")
    return 0


def _row(phone: Json) -> tuple[str, ...]:
    state = phone["state"] + (f" at {phone['where']}" if phone["where"] else "")
    until = "-" if phone["until"] is None else local_time(phone["until"])
    return phone["name"], state, ", ".join(phone["permissions"]) or "-", until, phone["id"]


def revoke(options: argparse.Namespace) -> int:
    with client(options) as node:
        phone = _meant(node, options.phone)
        sure = options.yes or options.json or not sys.stdin.isatty()
        if not sure and not agrees(f"Throw out the phone {phone['name']} ({phone['id']}) for good?"):
            raise UserError("nobody was revoked")
        answer = node.call("revoke", member=phone["id"])
    if options.json:
        print_json(answer)
    else:
        print(f"{answer['name']} ({answer['id']}) is out.")
    return 0


def _meant(node: Client, text: str) -> Json:
    """The phone of that name, else the one whose id begins so. Raises NotFound."""
    wanted = text.strip().casefold()
    known = node.call("phone list")["phones"]
    named = [phone for phone in known if phone["name"].casefold() == wanted]
    found = named or [phone for phone in known if wanted and phone["id"].startswith(wanted)]
    if len(found) != 1:
        what = f"{text!r} is more than one phone" if found else f"no phone is called {text!r}"
        raise NotFound(what, "`meshdoor phone list` lists them")
    return found[0]


def authority(options: argparse.Namespace) -> int:
    with client(options) as node:
        answer = node.call("phone ca")
    if options.json:
        print_json(answer)
        return 0
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / CERTIFICATE).write_text(answer["certificate"])
        (options.out / PROFILE).write_text(answer["profile"])
        tell(f"{CERTIFICATE} (Android and others) and {PROFILE} (iPhone, iPad) are in {options.out}.")
    from meshdoor.node import qr

    for phones, url in (("Android and others", answer["url"]), ("iPhone, iPad", answer["profile_url"])):
        print(f"{phones}: {url}")
        print(qr.text(url, colours=sys.stdout.isatty()), flush=True)
    tell(f"{MEANING}\nIts name is {answer['name']}, its fingerprint (SHA-256), to compare:")
    tell(_spaced(answer["fingerprint"]))
    return 0


def notify(options: argparse.Namespace) -> int:
    with client(options, timeout=None) as node:
        answer = node.call("phone notify", test=True)
    if options.json:
        print_json(answer)
    else:
        print(answer["text"])
    return 0


def _may(permissions: list[str], until: int | None) -> str:
    end = "" if until is None else f", until {local_time(until)}"
    return f"it may {', '.join(permissions) or 'do nothing'}{end}."


def _spaced(fingerprint: str) -> str:
    """As browsers show it."""
    return ":".join(fingerprint[place : place + 2].upper() for place in range(0, len(fingerprint), 2))
