"""A camera that speaks RTSP (RFC 2326): it plays numbered cards over and over, by RTP in the same connection or beside.

It is as bad as it is told to be: it hides its parameter sets, asks for a password, takes one transport only, falls
silent, or dies (`stop`) and comes back (`start`) at the same port.
"""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction

import av

from meshdoor.media.card import Card
from meshdoor.rtp.h264 import CLOCK_RATE, H264Packetizer
from meshdoor.rtp.nal import IDR, PPS, SLICE, SPS, ParameterSets, nal_type, split_annex_b
from meshdoor.rtp.packet import RtpPacket

FPS = 30
SSRC = 0xCA3E7A
METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"


@dataclass(frozen=True)
class Film:
    """Access units in decoding order, as NAL units, and which picture each of them shows."""

    units: tuple[tuple[bytes, ...], ...]
    shows: tuple[int, ...]
    sets: ParameterSets

    @classmethod
    def make(
        cls, frames: int = 30, gop: int = 15, b_frames: int = 0, slices: int = 1, *, intra_refresh: bool = False
    ) -> Film:
        """Cards numbered from 0, with a key frame every `gop` pictures."""
        context = av.CodecContext.create("libx264", "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = 320, 192, "yuv420p"
        context.time_base, context.framerate = Fraction(1, FPS), Fraction(FPS, 1)
        context.gop_size, context.max_b_frames, context.thread_count = gop, b_frames, 1
        parameters = f"repeat-headers=1:annexb=1:scenecut=0:slices={slices}:bframes={b_frames}:b-adapt=0:open-gop=0"
        parameters += f":intra-refresh={intra_refresh:d}"
        profile = "main" if b_frames else "baseline"
        context.options = {"preset": "ultrafast", "profile": profile, "x264-params": parameters}
        card = Card(320, 192)
        packets = []
        for number in range(frames):
            frame = card.draw(number, "12:00")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            packets += context.encode(frame)
        packets += context.encode(None)
        units = tuple(tuple(split_annex_b(bytes(packet))) for packet in packets)
        sets = ParameterSets.of(units[0])
        assert sets is not None
        return cls(units, tuple(packet.pts or 0 for packet in packets), sets)

    @property
    def slices(self) -> list[tuple[bytes, ...]]:
        """The slices of each picture."""
        return [slices_of(unit) for unit in self.units]


def slices_of(nals: tuple[bytes, ...] | list[bytes]) -> tuple[bytes, ...]:
    return tuple(nal for nal in nals if nal_type(nal) in {SLICE, IDR})


@dataclass
class FakeRtsp:
    """A context manager. `requests` are the methods that were asked for, `sent` counts pictures."""

    film: Film
    in_band: bool = True  # parameter sets in the stream
    out_of_band: bool = True  # and in the SDP
    user: str = ""
    password: str = ""
    transport: str = "TCP"
    path: str = "/"
    begin: int = 0  # where in the film a viewer comes in
    silent: bool = False
    port: int = 0
    requests: list[str] = field(default_factory=list)
    sent: int = 0
    _listener: socket.socket | None = None
    _threads: list[threading.Thread] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> FakeRtsp:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        who = f"{self.user}:{self.password}@" if self.user else ""
        return f"rtsp://{who}127.0.0.1:{self.port}{self.path}"

    def start(self) -> None:
        self._stopping.clear()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._run(self._accept, self._listener)

    def stop(self) -> None:
        """It is unplugged: every connection breaks."""
        self._stopping.set()
        assert self._listener is not None
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)
        self._threads.clear()

    def _run(self, work: object, *arguments: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments, name="fake camera")
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while not self._stopping.is_set():
                connection, _ = listener.accept()
                self._run(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, _Viewer(self, connection) as viewer, suppress(OSError):
            while not self._stopping.is_set() and viewer.step():
                pass


class _Viewer:
    """One connection."""

    def __init__(self, camera: FakeRtsp, connection: socket.socket) -> None:
        self._camera = camera
        self._connection = connection
        self._udp: socket.socket | None = None
        self._target = ("", 0)
        self._units: Iterator[list[bytes]] | None = None
        self._due = 0.0
        self._data = b""

    def __enter__(self) -> _Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._udp is not None:
            self._udp.close()

    def step(self) -> bool:
        """Serve what was asked for, or send the picture that is due. False when the viewer has gone."""
        self._connection.settimeout(max(0.001, self._due - time.monotonic()) if self._units else 0.05)
        try:
            data = self._connection.recv(4096)
        except TimeoutError:
            if self._units is not None and not self._camera.silent and time.monotonic() >= self._due:
                self._due += 1 / FPS
                self._send(next(self._units))
            return True
        self._data += data
        while (request := self._next_request()) is not None:
            self._answer(request)
        return bool(data)

    def _next_request(self) -> str | None:
        """Skips what a viewer reports by RTCP."""
        while self._data.startswith(b"$") and len(self._data) >= 4:
            self._data = self._data[4 + int.from_bytes(self._data[2:4], "big") :]
        head, end, rest = self._data.partition(b"\r\n\r\n")
        if not end:
            return None
        self._data = rest
        return head.decode()

    def _answer(self, request: str) -> None:
        lines = request.split("\r\n")
        method, url, _ = lines[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        self._camera.requests.append(method)
        status, extra, body = self._result(method, url, headers)
        fields = [f"CSeq: {headers['cseq']}", *extra]
        fields += [f"Content-Length: {len(body)}", "Content-Type: application/sdp"] if body else []
        head = "\r\n".join([f"RTSP/1.0 {status}", *fields])
        self._connection.sendall(f"{head}\r\n\r\n{body}".encode())
        if status == "200 OK" and method == "PLAY":
            self._units, self._due = self._packets(), time.monotonic()

    def _result(self, method: str, url: str, headers: dict[str, str]) -> tuple[str, list[str], str]:
        camera = self._camera
        secret = base64.b64encode(f"{camera.user}:{camera.password}".encode()).decode()
        if method != "OPTIONS" and camera.password and headers.get("authorization") != f"Basic {secret}":
            return "401 Unauthorized", ['WWW-Authenticate: Basic realm="camera"'], ""
        if method == "OPTIONS":
            return "200 OK", [f"Public: {METHODS}"], ""
        if method == "DESCRIBE":
            right = url == f"rtsp://127.0.0.1:{camera.port}{camera.path}"
            return ("200 OK", [f"Content-Base: {url}"], self._sdp()) if right else ("404 Not Found", [], "")
        if method == "SETUP":
            return self._set_up(headers["transport"])
        return "200 OK", ["Session: 4711"], ""

    def _set_up(self, transport: str) -> tuple[str, list[str], str]:
        if ("TCP" in transport) != (self._camera.transport == "TCP"):
            return "461 Unsupported Transport", [], ""
        if self._camera.transport == "UDP":
            ports = transport.partition("client_port=")[2].split(";")[0].split("-")
            self._target = "127.0.0.1", int(ports[0])
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._udp.bind(("127.0.0.1", 0))
            ours = self._udp.getsockname()[1]
            transport = f"RTP/AVP;unicast;client_port={'-'.join(ports)};server_port={ours}-{ours + 1}"
        return "200 OK", ["Session: 4711;timeout=60", f"Transport: {transport}"], ""

    def _sdp(self) -> str:
        sprop = f";sprop-parameter-sets={self._camera.film.sets}" if self._camera.out_of_band else ""
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
            f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/{CLOCK_RATE}\r\n"
            f"a=fmtp:96 packetization-mode=1{sprop}\r\na=control:track1\r\n"
        )

    def _packets(self) -> Iterator[list[bytes]]:
        """The packets of each picture, for ever."""
        film, packetizer, number, turn = self._camera.film, H264Packetizer(), 1000, 0
        begin = self._camera.begin
        while True:
            for nals, shows in list(zip(film.units, film.shows, strict=True))[begin if turn == 0 else 0 :]:
                kept = [nal for nal in nals if self._camera.in_band or nal_type(nal) not in {SPS, PPS}]
                packetizer.parameter_sets = None
                payloads = packetizer.payloads_of(kept)
                stamp = (turn * len(film.units) + shows) * CLOCK_RATE // FPS + 90_000
                packets = []
                for at, payload in enumerate(payloads):
                    marker = at == len(payloads) - 1
                    packets.append(bytes(RtpPacket(96, number & 0xFFFF, stamp & 0xFFFFFFFF, SSRC, payload, marker)))
                    number += 1
                yield packets
            turn += 1

    def _send(self, packets: list[bytes]) -> None:
        self._camera.sent += 1
        if self._udp is not None:
            for packet in packets:
                self._udp.sendto(packet, self._target)
            return
        framed = (b"$\0" + len(packet).to_bytes(2, "big") + packet for packet in packets)
        self._connection.settimeout(1)
        self._connection.sendall(b"".join(framed))


