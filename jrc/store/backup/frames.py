"""The inside of a backup as bytes: frames of CBOR, compressed.

A CBOR sequence (RFC 8742) of byte strings with a length of four bytes, each with one embedded CBOR
array whose first element names its kind, all of it in the gzip format: `gzip -d` and any CBOR tool
read it. The reader is pushed: it takes pieces of any size and holds one frame at most.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import Final

import cbor2

MAX_FRAME_BYTES: Final = 1024 * 1024
"""Four times what is written (``dump.FRAME_BYTES``), and a row is far smaller; what says otherwise
is no backup. An item of one byte takes 72 in memory, so that a frame made for it takes 75 MB."""
MAX_DEPTH: Final = 4
"""Of arrays and maps in a frame: those of values in those of rows."""
_TAGS: Final = (
    *range(6), 25, 28, 29, 30, 35, 36, 37, 43, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799,
)  # fmt: skip
"""What ``cbor2`` makes objects of by itself: some take a kilobyte for three bytes."""

_BYTE_STRING_32 = 0x5A
_HEADER_BYTES = 5
_LEVEL = 1
"""Most of a row is ciphertext; a higher level takes thrice the time and saves a tenth."""
_GZIP = 31
_PIECE_BYTES = 64 * 1024


class FrameError(ValueError):
    """What was opened is not what a backup holds."""


def encoded(*content: object) -> bytes:
    """One frame's array."""
    return cbor2.dumps(content)


def compressed(frames: Iterable[bytes]) -> Iterator[bytes]:
    """Frames, as they come, in the form that is sealed."""
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    for frame in frames:
        head = bytes((_BYTE_STRING_32,)) + len(frame).to_bytes(4)
        if packed := packer.compress(head + frame):
            yield packed
    yield packer.flush()


class FrameReader:
    """Takes pieces of what ``compressed`` has given, and gives frames to ``take``.

    ``take`` gets each frame's array, and its bytes.
    """

    def __init__(self, take: Callable[[list[object], bytes], None]) -> None:
        self._take = take
        self._unpacker = zlib.decompressobj(wbits=_GZIP)
        self._waiting = bytearray()

    def feed(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            FrameError: it holds no such frames.
        """
        try:
            while piece:
                self._waiting += self._unpacker.decompress(piece, _PIECE_BYTES)
                self._take_whole()
                piece = self._unpacker.unconsumed_tail
        except zlib.error:
            raise FrameError("it is not compressed as it should be") from None
        if self._unpacker.unused_data:
            raise FrameError("something follows its end")

    def end(self) -> None:
        """Say that there are no more pieces.

        Raises:
            FrameError: there should be.
        """
        self._waiting += self._unpacker.flush()
        self._take_whole()
        if not self._unpacker.eof or self._waiting:
            raise FrameError("its end is missing")

    def _take_whole(self) -> None:
        at = 0
        while len(self._waiting) - at >= _HEADER_BYTES:
            size = int.from_bytes(self._waiting[at + 1 : at + _HEADER_BYTES])
            if self._waiting[at] != _BYTE_STRING_32 or size > MAX_FRAME_BYTES:
                raise FrameError("it holds something else than frames")
            begin = at + _HEADER_BYTES
            if len(self._waiting) < begin + size:
                break
            frame = bytes(self._waiting[begin : begin + size])
            self._take(_array(frame), frame)
            at = begin + size
        del self._waiting[:at]


def _refuse(*_given: object, **_named: object) -> object:
    raise FrameError("a frame holds a tag")


_REFUSED: Final = dict.fromkeys(_TAGS, _refuse)


def _array(frame: bytes) -> list[object]:
    stream = BytesIO(frame)
    try:
        content = cbor2.load(
            stream,
            tag_hook=_refuse,
            semantic_decoders=_REFUSED,
            max_depth=MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            strict_hashable_types=True,
        )
    except (cbor2.CBORDecodeError, ValueError, RecursionError, MemoryError):
        raise FrameError("a frame is no CBOR") from None
    if not isinstance(content, list) or not content or stream.read(1):
        raise FrameError("a frame is no CBOR array")
    return content
