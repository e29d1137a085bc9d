"""A program for a host of the virtual house that means harm. Each verb is bounded and ends by itself.

    python -m tests.lab.rogue impersonate ADDRESS ID...   announces these members at its own address
    python -m tests.lab.rogue withdraw ID...              says goodbye in their names
    python -m tests.lab.rogue flood COUNT                 announces so many services that can be paired
    python -m tests.lab.rogue link ADDRESS PORT           dials with a key of its own, several times
    python -m tests.lab.rogue replay ADDRESS PORT FILE    sends a recorded pairing again
    python -m tests.lab.rogue guess ADDRESS PORT COUNT    tries codes
"""

from __future__ import annotations

import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from meshdoor.errors import MeshdoorError
from meshdoor.mesh.announcement import Announcement
from meshdoor.mesh.mdns.records import service_info
from meshdoor.trust.exchange import Exchange
from meshdoor.trust.identity import Identity, device_id
from meshdoor.trust.introduction import Grant, Newcomer
from meshdoor.trust.pairing import Password, admitter_side
from meshdoor.trust.permissions import Role
from tests.mesh.mdns.packets import everything, goodbye

GROUP = ("224.0.0.251", 5353)
ROUNDS = 5
DIALS = 20


def said(identifier: str, address: str, pair: bool = False) -> Announcement:
    return Announcement(identifier, Role.SCREEN, 5071, 5060, (address,), home="" if pair else "0" * 32, pair=pair)


def send(packets: list[bytes], pause: float = 0.0) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", 5353))
        for packet in packets:
            sock.sendto(packet, GROUP)
            time.sleep(pause)


def impersonate(address: str, *ids: str) -> None:
    packets = [data for identifier in ids for data in everything(service_info(said(identifier, address)))]
    send(packets * ROUNDS, 0.02)


def withdraw(*ids: str) -> None:
    packets = [data for identifier in ids for data in goodbye(service_info(said(identifier, "10.77.0.66")))]
    send(packets * ROUNDS, 0.02)


def flood(count: str) -> None:
    strangers = (device_id(number.to_bytes(32, "big")) for number in range(int(count)))
    send([data for one in strangers for data in everything(service_info(said(one, "10.77.0.66", pair=True)))])


def link(address: str, port: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["meshdoor/1"])
    with tempfile.NamedTemporaryFile() as file:
        file.write(Identity.generate().to_pem())
        file.flush()
        context.load_cert_chain(file.name)
    for _ in range(DIALS):
        try:
            with socket.create_connection((address, int(port)), 5) as raw, context.wrap_socket(raw) as stream:
                stream.settimeout(5)
                print("got", stream.recv(100))
        except OSError as error:
            print("refused", type(error).__name__)


def replay(address: str, port: str, file: str) -> None:
    with socket.create_connection((address, int(port)), 5) as sock:
        sock.settimeout(5)
        sock.sendall(Path(file).read_bytes())
        answer = b""
        try:
            while data := sock.recv(65536):
                answer += data
        except OSError:
            pass
        print("answered", answer.hex())


def guess(address: str, port: str, count: str) -> None:
    def admit(newcomer: Newcomer) -> Grant:
        raise AssertionError("a guess was right")

    identity = Identity.generate()
    for number in range(int(count)):
        try:
            with socket.create_connection((address, int(port)), 5) as sock:
                sock.settimeout(5)
                exchange = Exchange(admitter_side(identity, [Password.from_code(f"{number:08}")], admit), 0.0)
                while not exchange.finished:
                    sock.sendall(exchange.data_to_send())
                    exchange.receive(sock.recv(65536))
        except (OSError, MeshdoorError) as error:
            print("no", error)


if __name__ == "__main__":
    VERBS: dict[str, Callable[..., None]] = {
        "impersonate": impersonate,
        "withdraw": withdraw,
        "flood": flood,
        "link": link,
        "replay": replay,
        "guess": guess,
    }
    VERBS[sys.argv[1]](*sys.argv[2:])
    print("done")
