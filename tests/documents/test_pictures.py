"""The pictures of the documents: each is shown somewhere, and small."""

import re
import struct
import zlib

from tests.browser.palette import SIGNATURE, chunk, decode, smaller
from tests.documents.blocks import CHECKOUT, documents

MAX_BYTES = 80_000
PICTURES = CHECKOUT / "docs/pictures"


def test_every_picture_is_shown() -> None:
    """By a document, which says what is on it."""
    shown = {
        name
        for path in documents()
        for name in re.findall(r"!\[[^\]]+\]\([^)]*pictures/([^)]+)\)", path.read_text())
    }
    assert {path.name for path in PICTURES.iterdir()} == shown


def test_no_picture_is_large() -> None:
    """They are in each checkout."""
    assert {} == {
        path.name: size for path in PICTURES.iterdir() if (size := path.stat().st_size) > MAX_BYTES
    }


def test_a_smaller_picture_shows_the_same() -> None:
    """Where it has no more colours than a palette; whatever filter each row came with."""
    pixels = [[(200, 10 * x, 30 * y) for x in range(4)] for y in range(5)]
    plain = [bytes(value for pixel in row for value in pixel) for row in pixels]
    filtered = bytearray()
    for kind, (row, above) in enumerate(zip(plain, [bytes(12), *plain], strict=False)):
        filtered.append(kind)
        for n, value in enumerate(row):
            left, corner = (row[n - 3], above[n - 3]) if n >= 3 else (0, 0)
            wanted = left + above[n] - corner
            paeth = min((left, above[n], corner), key=lambda each: abs(wanted - each))
            guess = (0, left, above[n], (left + above[n]) // 2, paeth)[kind]
            filtered.append((value - guess) & 0xFF)
    header = struct.pack(">IIBBBBB", 4, 5, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(filtered))), (b"IEND", b""))
    png = SIGNATURE + b"".join(chunk(*part) for part in parts)
    assert pixels == [list(row) for row in decode(png).rows]
    made = smaller(png)
    at = made.index(b"PLTE")
    (length,) = struct.unpack(">I", made[at - 4 : at])
    palette = made[at + 4 : at + 4 + length]
    begin = made.index(b"IDAT")
    (length,) = struct.unpack(">I", made[begin - 4 : begin])
    lines = zlib.decompress(made[begin + 4 : begin + 4 + length])
    shown = [
        [tuple(palette[3 * n : 3 * n + 3]) for n in lines[5 * y + 1 : 5 * y + 5]] for y in range(5)
    ]
    assert pixels == shown
