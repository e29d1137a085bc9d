"""Sound cards without hardware: a PulseAudio server with null sinks, each of which is a place in the air."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from meshdoor.media import microphone
from meshdoor.media.sound import RATE

Samples = npt.NDArray[np.float64]

DOOR_HEARS, SCREEN_HEARS = "Door-air", "Screen-air"
DOOR_PLAYS, SCREEN_PLAYS = "Door-speaker", "Screen-speaker"
PLACES = (DOOR_HEARS, SCREEN_HEARS, DOOR_PLAYS, SCREEN_PLAYS)
MICROPHONES = {"Door-mic": DOOR_HEARS, "Screen-mic": SCREEN_HEARS}
MISSING = [tool for tool in ("pulseaudio", "pacat", "parec", "pactl", "espeak-ng") if shutil.which(tool) is None]
AUTOGROUP, NICE = Path("/proc/self/autogroup"), -19
WINDOW = RATE // 2  # half a second
FURTHEST = round(0.5 * RATE)  # of an echo

_WORDS = ("--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no")


class Server:
    """What is played at a place in the air is captured by the microphone there: Door-mic or Screen-mic. What the
    speakers play is to be heard at Door-speaker and Screen-speaker."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "native"
        self.environment = dict(os.environ) | {
            "PULSE_SERVER": f"unix:{self.socket}",
            "HOME": str(directory),
            "XDG_RUNTIME_DIR": str(directory),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        script = self.directory / "default.pa"
        script.write_text("\n".join(self._script()))
        quiet = (self.directory / "pulse.log").open("ab")
        with quiet:
            self._process = subprocess.Popen(
                ["pulseaudio", "-n", *_WORDS, "-F", str(script)],
                env=self.environment,
                stdout=quiet,
                stderr=quiet,
            )
        for _ in range(200):
            asked = subprocess.run(["pactl", "info"], check=False, env=self.environment, capture_output=True)
            if asked.returncode == 0:
                return
        raise AssertionError((self.directory / "pulse.log").read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def control(self, *words: str) -> str:
        done = subprocess.run(["pactl", *words], env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def _script(self) -> Iterator[str]:
        yield f"load-module module-native-protocol-unix auth-anonymous=1 socket={self.socket}"
        for name in PLACES:
            called = f"sink_properties=device.description={name}"
            yield f"load-module module-null-sink sink_name={name} rate={RATE} channels=1 channel_map=mono {called}"
        for name in MICROPHONES:
            yield f"load-module {' '.join(self._microphone(name))}"

    def _microphone(self, name: str) -> tuple[str, ...]:
        master = f"master={MICROPHONES[name]}.monitor"
        return "module-remap-source", f"source_name={name}", master, f"source_properties=device.description={name}"

    def unplug(self, name: str) -> None:
        """A microphone."""
        lines = self.control("list", "short", "modules").splitlines()
        number = next(line.split()[0] for line in lines if f"source_name={name}" in line)
        self.control("unload-module", number)

    def plug(self, name: str) -> None:
        self.control("load-module", *self._microphone(name))

    @asynccontextmanager
    async def recording(self) -> AsyncIterator[dict[str, Samples]]:
        """Of all places; it is filled at the end, and begins everywhere at the same moment."""
        heard: dict[str, Samples] = {}
        ears = [Ear(self, name) for name in PLACES]
        tasks = [asyncio.create_task(ear.listen()) for ear in ears]
        try:
            yield heard
        finally:
            for ear in ears:
                ear.stop()
            await asyncio.gather(*tasks)
        begin = max(ear.began for ear in ears)
        for ear in ears:
            samples = np.frombuffer(bytes(ear.data[: len(ear.data) // 2 * 2]), dtype=np.int16).astype(np.float64)
            heard[ear.name] = samples[round((begin - ear.began) * RATE) :]

    def echo(self, speaker: str, air: str) -> None:
        """From now on what this speaker plays is heard in that air, 30 ms later and as loud as it is."""
        path = f"source={speaker}.monitor", f"sink={air}", "latency_msec=30", "adjust_time=0"
        self.control("load-module", "module-loopback", *path)

    async def play(self, samples: Samples, name: str) -> None:
        """Until all of it was played."""
        process = await asyncio.create_subprocess_exec(
            *["pacat", "--raw", "--latency-msec=20", "-d", name, "--channels=1", f"--rate={RATE}", "--format=s16le"],
            stdin=asyncio.subprocess.PIPE,
            env=self.environment,
        )
        await process.communicate(samples.astype(np.int16).tobytes())


class Ear:
    """Records the monitor of one place. When its first sample was heard follows from the pieces that came with the
    least delay."""

    def __init__(self, server: Server, name: str) -> None:
        self.name = name
        self.data = bytearray()
        self.began = float("inf")
        self._server = server
        self._process: asyncio.subprocess.Process | None = None

    async def listen(self) -> None:
        words = ["--raw", "--latency-msec=5", "-d", f"{self.name}.monitor", "--channels=1", f"--rate={RATE}"]
        self._process = await asyncio.create_subprocess_exec(
            "parec", *words, "--format=s16le", stdout=asyncio.subprocess.PIPE, env=self._server.environment
        )
        assert self._process.stdout is not None
        while piece := await self._process.stdout.read(4096):
            self.data += piece
            self.began = min(self.began, time.monotonic() - len(self.data) / 2 / RATE)
        await self._process.wait()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()


@contextmanager
def important() -> Iterator[None]:
    """What is begun meanwhile goes before what other sessions do (sched(7), autogroup), as sound servers and our own
    service do; where that is not allowed it does not."""
    try:
        before = AUTOGROUP.read_text().split()[-1]  # nothing is in it for a process that is in no autogroup
        AUTOGROUP.write_text(str(NICE))
    except (OSError, IndexError):
        yield
        return
    try:
        yield
    finally:
        AUTOGROUP.write_text(before)


@contextmanager
def server(directory: Path) -> Iterator[Server]:
    made = Server(directory)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def say(text: str, directory: Path, voice: str = "en") -> Samples:
    """Speech of no person."""
    path = directory / "speech.wav"
    subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-a", "60", "-w", str(path), text], check=True)
    return np.frombuffer(microphone.read_file(path), dtype=np.int16).astype(np.float64)


def lag_of(source: Samples, heard: Samples) -> tuple[int, float]:
    """How many samples later the same is heard, and how alike it is (the coefficient of correlation)."""
    size = 1 << (len(source) + len(heard)).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(source, size)), size)
    sums = np.concatenate([[0.0], np.cumsum(heard**2)])
    count = len(heard) - len(source)
    energy = np.sqrt((sums[len(source) :][:count] - sums[:count]) * np.sum(source**2)) + 1e-9
    alike = product[:count] / energy
    best = int(np.argmax(alike))
    return best, float(alike[best])


def lags(source: Samples, heard: Samples) -> tuple[list[float], list[float]]:
    """In seconds, and the likeness, for each half second of the source in which somebody speaks."""
    late, like = [], []
    loud = 0.2 * float(np.sqrt(np.mean(source[source != 0] ** 2)))
    for begin in range(0, len(source) - WINDOW - FURTHEST, WINDOW):
        part = source[begin : begin + WINDOW]
        if np.sqrt(np.mean(part**2)) < loud:
            continue
        lag, alike = lag_of(part, heard[begin : begin + WINDOW + FURTHEST])
        late.append(lag / RATE)
        like.append(alike)
    return late, like


def decibels(samples: Samples) -> float:
    """Of the mean power, below the loudest there is."""
    return float(10 * np.log10(np.mean(samples**2) / 32768**2 + 1e-12))


def load() -> str:
    """How busy the machine was, for the figures."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
