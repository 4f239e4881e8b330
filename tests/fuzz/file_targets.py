"""What readers of files that people hand in are held to: a value, or one sentence for people."""

import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO

from jrc.config import parse
from jrc.errors import OperatorError
from jrc.service.event_lines import WrongLineError, event_of, line_of
from jrc.service.import_file import read_rows
from jrc.store.backup.container import Header, read_header
from jrc.store.backup.content import ContentReader, Ignored
from jrc.store.backup.frames import FrameError, FrameReader, compressed, encoded

Target = Callable[[bytes], None]

_GZIP = 31
_BEGIN, _END = b"-----BEGIN AGE ENCRYPTED FILE-----\n", b"-----END AGE ENCRYPTED FILE-----\n"


def fuzz_import(data: bytes) -> None:
    """A file says the same in whatever pieces it comes."""
    whole = list(read_rows([data]))
    middle = len(data) // 2
    assert list(read_rows([data[:middle], data[middle:]])) == whole
    assert all(1 <= each.line <= data.count(b"\n") + data.count(b"\r") + 1 for each in whole)


def fuzz_config(data: bytes) -> None:
    """Settings, or what is wrong with them."""
    with suppress(OperatorError, UnicodeDecodeError):
        parse(data.decode())


def fuzz_event_line(data: bytes) -> None:
    """A line of an export that is read would be written the same way."""
    with suppress(WrongLineError, UnicodeDecodeError):
        event = event_of(data.decode())
        assert event_of(json.dumps(line_of(event))) == event


def fuzz_backup_header(data: bytes) -> None:
    """A header that is read would be written the same way."""
    file = BytesIO(data)
    with suppress(OperatorError):
        header = read_header(file, "a backup")
        assert header.encoded() == data[: file.tell()]


def fuzz_backup_content(data: bytes) -> None:
    """What was sealed for us by somebody else is refused in words, whatever it holds."""
    contents = ContentReader(Ignored(), Header(), "a backup")
    frames = FrameReader(contents.take)
    with suppress(OperatorError, FrameError):
        frames.feed(zlib.compress(data, wbits=_GZIP))
        frames.end()
        contents.seal()


_EVENT = {
    "number": 1, "at": "2026-01-01T00:00:00Z", "at_ms": 1_767_225_600_000, "kind": "pledge.added",
    "pledge": "141592cc00000002", "network": "lab", "actor": "uid 0", "reason": "", "detail": {},
    "previous": None, "hash": "00" * 32,
}  # fmt: skip

FILE_TARGETS: dict[Target, tuple[bytes, ...]] = {
    fuzz_import: (
        b"pledge_id,psk\n141592cc00000002,deadbeefcafedeadbeefcafedeadbeef\n",
        b'pledge_id;psk;label\r\n"141592cc00000002";0b1c;"a ""b"""\r\n',
        b'[{"pledge_id": "141592cc00000002", "psk": "00"}, {}]',
        b'{"pledge_id": "141592cc00000002", "role": "6lbr"}\n{"x": 1}\n',
        b"\xff\xfep\x00",
    ),
    fuzz_config: (
        b'[database]\nurl = "sqlite:///jrc.db"\n[keys]\nkek_file = "kek"\n',
        b'[coap]\nlisten = ["[::]:5683"]\n[rollover]\nquorum = 1.5\n',
        b'[[installer]]\nnetwork = "lab"\nkind = "exec"\n',
    ),
    fuzz_event_line: (
        json.dumps(_EVENT).encode(),
        json.dumps({**_EVENT, "at_ms": 666_666_665_600_000_000_000}).encode(),
        b'{"number": 1, "number": 2}',
        b"[1]",
    ),
    fuzz_backup_header: (
        Header().encoded(),
        Header(is_spent=True).encoded(),
        Header(_BEGIN + _END).encoded(),
        Header(_BEGIN + _END + b"x" + _END).encoded(),
        b"jrc-backup 2\n",
    ),
    fuzz_backup_content: (
        b"".join(zlib.decompress(each, wbits=_GZIP) for each in [
            b"".join(compressed([encoded("head", {"format": 1}), encoded("end", {}, b"")])),
        ]),
        b"".join(zlib.decompress(b"".join(compressed([encoded("table", "pledge", ["id"])])),
                                 wbits=_GZIP) for _ in range(2)),
    ),
}  # fmt: skip
"""Seeds by target."""
