"""Each codec: what goes in comes out, and something comes out where a packet is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshdoor.errors import EngineError, RtpError
from meshdoor.media import audio_decoder, libopus
from meshdoor.media.analysis import pitch, power, rms
from meshdoor.media.audio_decoder import AudioDecoder, LibavOpusDecoder, Repetition, decoder
from meshdoor.media.audio_encoder import encoder
from meshdoor.media.microphone import ToneMicrophone
from meshdoor.media.resampler import Resampler
from meshdoor.media.sound import RATE, SAMPLES
from meshdoor.rtp import opus

CODECS = ["OPUS", "PCMU", "PCMA", "G722"]
FREQUENCY = 600


def payloads(codec: str, count: int = 25) -> list[bytes]:
    encode, microphone = encoder(codec), ToneMicrophone(FREQUENCY)
    return [encode.encode(microphone.read() or b"") for _ in range(count)]


def decoded(decode: AudioDecoder, sent: list[bytes], lost: tuple[int, ...] = ()) -> memoryview:
    """All that is heard; the packets with the numbers in `lost` are missing."""
    sound = b""
    duration = decode.duration_of(sent[0])
    for number, payload in enumerate(sent):
        if number in lost:
            following = sent[number + 1] if number + 1 not in lost else b""
            sound += decode.conceal(duration, following)
        else:
            sound += decode.decode(payload)
    return memoryview(sound).cast("h")


@pytest.mark.parametrize("codec", CODECS)
def test_what_goes_in_comes_out(codec: str) -> None:
    sent, decode = payloads(codec), decoder(codec)
    assert {decode.duration_of(payload) for payload in sent} == {encoder(codec).duration}
    heard = decoded(decode, sent)
    assert abs(len(heard) - 25 * SAMPLES) <= 200
    assert pitch(heard, RATE) == FREQUENCY
    assert power(heard[SAMPLES:], RATE, FREQUENCY) > 0.8


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_lost_is_concealed(codec: str) -> None:
    heard = decoded(decoder(codec), payloads(codec), lost=(8, 15, 16))
    assert abs(len(heard) - 25 * SAMPLES) <= 200
    gap = heard[8 * SAMPLES : 9 * SAMPLES]
    assert rms(gap) > 2000
    assert pitch(heard, RATE) == FREQUENCY


def test_opus_mends_what_is_lost_from_the_packet_after_it() -> None:
    sent = payloads("OPUS")
    assert all(map(opus.has_fec, sent[2:]))
    heard = decoded(decoder("OPUS"), sent, lost=(3, 6, 9, 12, 15, 18))
    assert power(heard[SAMPLES:], RATE, FREQUENCY) > 0.8


def test_opus_without_libopus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libopus, "library", lambda: None)
    decode = decoder("OPUS")
    assert isinstance(decode, LibavOpusDecoder)
    assert pitch(decoded(decode, payloads("OPUS"), lost=(8,)), RATE) == FREQUENCY


def test_libopus_is_looked_for_beside_av_and_in_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "av.libs").mkdir()
    (tmp_path / "av.libs" / "libopus-1.so").write_bytes(b"no library")
    monkeypatch.setattr("av.__file__", str(tmp_path / "av" / "__init__.py"))
    monkeypatch.setattr(libopus, "_SYSTEM", "libnothing.so")
    libopus.library.cache_clear()
    assert libopus.library() is None
    libopus.library.cache_clear()


@pytest.mark.parametrize("codec", CODECS)
def test_junk_is_refused_or_heard_but_never_more(codec: str) -> None:
    decode = decoder(codec)
    for junk in (b"", b"\xff", b"\xff" * 50, b"\x03\x3f" + b"\0" * 20, b"\0" * 5000):
        try:
            if decode.duration_of(junk):
                decode.decode(junk)
        except RtpError:
            continue
    assert pitch(decoded(decode, payloads(codec)), RATE) == FREQUENCY


def test_too_long_a_packet_is_refused() -> None:
    with pytest.raises(RtpError):
        decoder("PCMU").duration_of(bytes(audio_decoder.MAX_OCTETS + 1))


def test_unknown_codecs() -> None:
    for make in (encoder, decoder):
        with pytest.raises(EngineError, match="SPEEX"):
            make("SPEEX")


def test_repetitions_fade() -> None:
    repetition = Repetition()
    assert repetition.conceal(2) == bytes(4)
    repetition.heard(b"\x00\x10" * 100)
    first, second = (memoryview(repetition.conceal(150)).cast("h") for _ in range(2))
    assert len(first) == len(second) == 150
    assert rms(first) > 1.15 * rms(second) > 1000


def test_nothing_to_resample() -> None:
    assert Resampler(8000, RATE).convert(b"") == b""
