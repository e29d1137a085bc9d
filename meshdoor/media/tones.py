"""What rings: tones that are computed, and sound files of one's own. One channel, 48 kHz, signed 16 bits."""

from __future__ import annotations

from pathlib import Path

import av
from av.error import FFmpegError
from av.filter import Graph

from meshdoor.errors import EngineError
from meshdoor.media import microphone, resampler
from meshdoor.media.sound import RATE

PAUSE = 1.0  # s after a sound file that is repeated; ours

FALLBACK = "chime"
KNOCK, OPENED, PAGE, ALARM, TEST = "knock", "opened", "page", "alarm", "test"


def _struck(frequency: float, at: float, decay: float, loud: float = 0.5) -> str:
    """A bar or a bell that is struck: the fundamental, and two partials that fade sooner."""
    partials = ((1.0, 1.0, 1.0), (2.76, 0.35, 2.2), (5.4, 0.12, 4.0))
    voices = "+".join(
        f"{share}*exp(-{decay * fade}*(t-{at}))*sin(2*PI*{frequency * ratio}*(t-{at}))"
        for ratio, share, fade in partials
    )
    return f"gte(t,{at})*{loud}*({voices})"


def _thump(at: float) -> str:
    """A knuckle on wood."""
    return f"gte(t,{at})*exp(-45*(t-{at}))*(0.5*sin(2*PI*180*(t-{at}))+0.4*(random(0)-0.5))"


def _scale(*frequencies: float) -> str:
    return "+".join(_struck(frequency, 0.18 * place, 6.0, 0.4) for place, frequency in enumerate(frequencies))


# Seconds, and what each sample is (FFmpeg's aevalsrc), from -1 to 1. Those that ring end with the pause between two.
_TONES = {
    "chime": (4.0, f"{_struck(659.26, 0, 2.5)}+{_struck(523.25, 0.7, 2.0)}"),
    "bell": (3.0, "lt(t,1.2)*0.4*(sin(2*PI*1045*t)+sin(2*PI*1310*t))*(0.5+0.5*sin(2*PI*22*t))"),
    "gong": (5.0, f"{_struck(196.0, 0, 1.0, 0.6)}"),
    "marimba": (3.0, _scale(523.25, 659.26, 783.99, 1046.5)),
    "buzzer": (2.5, "(lt(t,0.4)+between(t,0.6,1.0))*0.35*(sin(2*PI*240*t)+sin(2*PI*720*t)/3+sin(2*PI*1200*t)/5)"),
    KNOCK: (0.6, f"{_thump(0)}+{_thump(0.22)}"),
    OPENED: (0.9, f"{_struck(783.99, 0, 6.0, 0.4)}+{_struck(1046.5, 0.14, 5.0, 0.4)}"),
    PAGE: (1.0, _struck(587.33, 0, 4.0)),
    ALARM: (1.6, "0.5*sin(2*PI*(800+400*gte(mod(t,0.8),0.4))*t)"),
    TEST: (1.0, "0.3*sin(2*PI*440*t)*min(1,20*t)*min(1,20*(1-t))"),
}  # fmt: skip


def named(name: str) -> bytes:
    """A tone by its name, or what is in a file. It takes a while. Raises EngineError."""
    if name in _TONES:
        return _computed(*_TONES[name])
    if "/" not in name:
        raise EngineError(f"there is no tone {name!r}")
    samples = microphone.read_file(Path(name))
    if not samples:
        raise EngineError(f"{name}: there is no sound in it")
    return samples + bytes(2 * round(PAUSE * RATE))


def _computed(seconds: float, expression: str) -> bytes:
    graph = Graph()
    source = graph.add(
        "aevalsrc", exprs=expression, sample_rate=str(RATE), duration=str(seconds), channel_layout="mono"
    )
    whole = graph.add("aformat", sample_fmts="s16", channel_layouts="mono")
    sink = graph.add("abuffersink")
    source.link_to(whole)
    whole.link_to(sink)
    graph.configure()
    samples = bytearray()
    try:
        while True:
            frame = sink.pull()
            assert isinstance(frame, av.AudioFrame)
            samples += resampler.samples_of(frame)
    except (EOFError, FFmpegError):
        return bytes(samples)
