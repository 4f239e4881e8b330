"""PNG files of 256 colours: a third of what a browser makes of a page, which has few others."""

import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOURS = 256
_BYTES_A_PIXEL = {2: 3, 6: 4}
"""By colour type: RGB, and RGB with alpha, which is left out."""

Pixel = tuple[int, ...]


class Image(NamedTuple):
    """Rows of red, green and blue."""

    width: int
    rows: Sequence[Sequence[Pixel]]


def smaller(png: bytes) -> bytes:
    """The picture in its most frequent colours; each other pixel has the nearest of them."""
    image = decode(png)
    counts = Counter(pixel for row in image.rows for pixel in row)
    palette = [colour for colour, _ in counts.most_common(_COLOURS)]
    place = {pixel: _nearest(palette, pixel) for pixel in counts}
    lines = b"".join(b"\0" + bytes(place[pixel] for pixel in row) for row in image.rows)
    header = struct.pack(">IIBBBBB", image.width, len(image.rows), 8, 3, 0, 0, 0)
    colours = bytes(value for colour in palette for value in colour)
    parts = ((b"IHDR", header), (b"PLTE", colours), (b"IDAT", zlib.compress(lines, 9)))
    return SIGNATURE + b"".join(chunk(*part) for part in (*parts, (b"IEND", b"")))


def decode(png: bytes) -> Image:
    """The pixels of a PNG of 8 bits a channel, as browsers write them."""
    chunks = list(_chunks(png))
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    assert (8, 0) == (depth, interlaced)
    size = _BYTES_A_PIXEL[kind]
    data = zlib.decompress(b"".join(body for name, body in chunks if name == b"IDAT"))
    length = width * size
    rows, before = [], bytes(length)
    for at in range(0, height * (length + 1), length + 1):
        before = _unfiltered(data[at], data[at + 1 : at + 1 + length], before, size)
        rows.append([before[n : n + 3] for n in range(0, length, size)])
    return Image(width, [[tuple(pixel) for pixel in row] for row in rows])


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at : at + 8])
        yield name, png[at + 8 : at + 8 + length]
        at += length + 12


def chunk(name: bytes, body: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _unfiltered(kind: int, line: bytes, above: bytes, size: int) -> bytes:
    """A row as it was before the filter (PNG, §9)."""
    found = bytearray(line)
    for n in range(len(line)):
        left, corner = (found[n - size], above[n - size]) if n >= size else (0, 0)
        guess = (0, left, above[n], (left + above[n]) // 2, _paeth(left, above[n], corner))[kind]
        found[n] = (line[n] + guess) & 0xFF
    return bytes(found)


def _paeth(left: int, above: int, corner: int) -> int:
    """Of the three the one that is nearest to left + above - corner."""
    wanted = left + above - corner
    return min((left, above, corner), key=lambda each: abs(wanted - each))


def _nearest(palette: Sequence[Pixel], pixel: Pixel) -> int:
    def distance(n: int) -> int:
        return sum((a - b) ** 2 for a, b in zip(palette[n], pixel, strict=True))

    return min(range(len(palette)), key=distance)
