"""A process of its own that reads an import's rows, checks their keys and derives from them.

``preparing.py`` starts it. It has no database and no key but those in the file, and ends with the
pipe it reads from. On both pipes are frames: length (4 bytes, big-endian) and content. In come the
settings as CBOR, pieces of the file, and an empty frame for its end; lists of rows go out.
"""

import gc
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import BinaryIO

import cbor2

from jrc import coredumps
from jrc.service.import_file import FileReader, Format
from jrc.service.import_prepared import prepare, to_plain
from jrc.service.import_rows import Names, Row, RowError

LENGTH_BYTES = 4
ROWS = 250
"""Rows in a frame at most: what the registrar's loop takes apart at a time."""
_NICENESS = 5


def main() -> None:
    """Prepare one file from standard input to standard output; ends early with either."""
    _modest()
    with suppress(BrokenPipeError):
        _run(sys.stdin.buffer, sys.stdout.buffer)


def _modest() -> None:
    """No core dump, for keys are in memory, and joins come first; a sandbox may forbid to ask."""
    coredumps.forbid()
    with suppress(OSError):
        os.nice(_NICENESS)
    gc.disable()  # nothing here is in a ring


def _run(source: BinaryIO, target: BinaryIO) -> None:
    settings = cbor2.loads(_frame(source))
    form = None if settings["format"] is None else Format(settings["format"])
    reader, allow_weak = FileReader(form, Names(settings["map"])), settings["allow_weak"]
    while piece := _frame(source):
        _answer(target, reader.feed(piece), allow_weak=allow_weak)
    _answer(target, reader.finish(), allow_weak=allow_weak)


def _frame(source: BinaryIO) -> bytes:
    """The next frame.

    Raises:
        SystemExit: the registrar has gone.
    """
    head = source.read(LENGTH_BYTES)
    content = source.read(int.from_bytes(head, "big"))
    if len(head) < LENGTH_BYTES or len(content) < int.from_bytes(head, "big"):
        raise SystemExit(1)
    return content


def _answer(target: BinaryIO, read: Iterable[Row | RowError], *, allow_weak: bool) -> None:
    for rows in _chunks(iter(read)):
        content = cbor2.dumps(to_plain([prepare(row, allow_weak=allow_weak) for row in rows]))
        target.write(len(content).to_bytes(LENGTH_BYTES, "big") + content)
        target.flush()


def _chunks(read: Iterator[Row | RowError]) -> Iterator[list[Row | RowError]]:
    while chunk := list(islice(read, ROWS)):
        yield chunk


if __name__ == "__main__":
    main()
