"""Decoding of pictures, in a thread of its own for each leg: on a slow CPU a picture takes as long as a piece of sound.

libav works without the interpreter lock, so neither sound nor the network waits for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

import av
from av.codec.context import Flags
from av.error import FFmpegError

from meshdoor.errors import EngineError, RtpError
from meshdoor.media.background import Worker
from meshdoor.rtp.access_unit import AccessUnit
from meshdoor.rtp.nal import ParameterSets, join_annex_b

log = logging.getLogger(__name__)

MAX_PIXELS = 4096 * 2304  # of a picture: what a level 5.1 stream may have; ours
MAX_WAITING = 32  # pictures: a second that came at once; ours

_CODECS = {"H264": "h264", "VP8": "libvpx"}


class VideoDecoder:
    """Makes a picture of each access unit at once."""

    def __init__(self, codec: str, fmtp: str = "") -> None:
        """`fmtp` may hold the parameter sets of a peer that sends them nowhere else. Raises EngineError for a codec
        that is not known."""
        if codec not in _CODECS:
            raise EngineError(f"pictures cannot be seen as {codec}")
        self._codec = _CODECS[codec]
        self._parameter_sets = _parameter_sets(fmtp)
        self._context = self._open()

    def decode(self, unit: AccessUnit) -> av.VideoFrame:
        """Raises RtpError for what cannot be decoded whole; after that it begins again with a key frame."""
        if not unit.data:  # to libav, this is the end
            raise RtpError("an empty picture")
        try:
            return self._decode(unit.data)
        except RtpError:
            if unit.key:
                self._context = self._open()
            raise

    def _decode(self, data: bytes) -> av.VideoFrame:
        try:
            frames = self._context.decode(av.Packet(data))
        except FFmpegError as error:
            raise RtpError(f"a picture that cannot be decoded: {error.strerror}") from None
        if not frames or frames[-1].is_corrupt:
            raise RtpError("a picture that came out damaged" if frames else "no picture came out")
        return frames[-1]

    def _open(self) -> av.VideoCodecContext:
        context = av.CodecContext.create(self._codec, "r")
        assert isinstance(context, av.VideoCodecContext)
        # A decoder with threads for whole frames shows each some pictures late, and deadlocks when it is dropped.
        context.thread_type, context.thread_count = "NONE", 1
        context.flags |= Flags.low_delay
        context.options = {"max_pixels": str(MAX_PIXELS)}
        if self._parameter_sets:
            context.extradata = self._parameter_sets
        return context


def _parameter_sets(fmtp: str) -> bytes:
    """As a byte stream; empty where there are none that make sense (RFC 6184 §8.1)."""
    for parameter in fmtp.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "sprop-parameter-sets":
            try:
                return join_annex_b(ParameterSets.parse(value).nals)
            except RtpError as error:
                log.info("%s", error)
    return b""


@dataclass(frozen=True, slots=True)
class DecoderOwner:
    """What the thread calls: `show` with each picture, `failed` when only a key frame helps, `ended` as the last."""

    show: Callable[[av.VideoFrame], None]
    failed: Callable[[], None]
    ended: Callable[[], None]


class DecoderThread:
    """Units in, pictures to the owner. After a failure everything up to the next key frame is left out."""

    def __init__(self, decoder: VideoDecoder, owner: DecoderOwner, name: str) -> None:
        self._decoder = decoder
        self._owner = owner
        self._queue: SimpleQueue[AccessUnit | None] = SimpleQueue()
        self._closed = False
        self._waiting = True  # for a key frame
        Worker(self._run, name).start()

    def submit(self, unit: AccessUnit) -> bool:
        """False if too many wait, and this one was left out. Never waits."""
        if self._queue.qsize() >= MAX_WAITING:
            return False
        self._queue.put(unit)
        return True

    def close(self) -> None:
        """What waits is not decoded any more. The thread ends by itself, with `ended`."""
        self._closed = True
        self._queue.put(None)

    def _run(self) -> None:
        while (unit := self._queue.get()) is not None and not self._closed:
            if unit.key or not self._waiting:
                self._decode(unit)
        self._owner.ended()

    def _decode(self, unit: AccessUnit) -> None:
        self._waiting = True
        try:
            self._owner.show(self._decoder.decode(unit))
            self._waiting = False
        except RtpError as error:
            log.info("%s", error)
            self._owner.failed()
        except Exception:
            log.exception("a picture could not be shown")
            self._owner.failed()
