"""What readers of files that people hand in are held to: a value, or one sentence for people."""

import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jrc.config import parse
from jrc.errors import OperatorError
from jrc.handover.cose import DoesNotOpenError, decrypt, is_signed
from jrc.handover.envelope import payload_of, read_inner, read_outer, written
from jrc.handover.keys import PrivateKey
from jrc.service.event_lines import WrongLineError, event_of, line_of
from jrc.service.import_fields import applicant_of
from jrc.service.import_file import read_rows
from jrc.service.import_rows import Names, Row
from jrc.store.backup.container import Header, read_header
from jrc.store.backup.content import ContentReader, Ignored
from jrc.store.backup.frames import FrameError, FrameReader, compressed, encoded

Target = Callable[[bytes], None]

_MAPPED = {"EUI": "pledge_id", "key": "psk", "serial": "", "label": "network"}
_GZIP = 31
_BEGIN, _END = b"-----BEGIN AGE ENCRYPTED FILE-----\n", b"-----END AGE ENCRYPTED FILE-----\n"


def fuzz_import(data: bytes) -> None:
    """A file says the same in whatever pieces it comes, and each row is good or has a fault."""
    middle = len(data) // 2
    for names in (Names(), Names(_MAPPED)):
        whole = list(read_rows([data], names=names))
        assert list(read_rows([data[:middle], data[middle:]], names=names)) == whole
        assert all(1 <= each.line <= len(data) + 1 for each in whole)
        for row in whole:
            if isinstance(row, Row) and row.is_whole:
                applicant, faults = applicant_of(row, "file")
                assert (applicant is None) == bool(faults)


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


def fuzz_sealed_file(data: bytes) -> None:
    """A sealed file that is read would be written the same way; what is in it is opened or not."""
    with suppress(OperatorError):
        outer = read_outer(data, "file")
        inner = read_inner(outer, "file")
        assert written(outer) == data
        assert payload_of(inner) == outer.payload
        is_signed(outer, _BUILDER)
        with suppress(DoesNotOpenError):
            decrypt(inner, _REGISTRAR)


_SEALED = json.loads((Path(__file__).parent.parent / "vectors/sealed_file.json").read_text())
_BUILDER = PrivateKey(
    Ed25519PrivateKey.from_private_bytes(bytes.fromhex(_SEALED["builder_key"]))
).public
_REGISTRAR = PrivateKey(derive_private_key(int(_SEALED["registrar_key"], 16), SECP256R1()))

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
        b"EUI;Key;Serial\n00:12:4b:00:00:00:00:01;deadbeefcafedeadbeefcafedeadbeef;7\n",
        cbor2.dumps([{"pledge_id": b"12345678", "psk": bytes(range(16))}, {"EUI": "00"}]),
        cbor2.dumps({"pledge_id": "00", "network": ["a"], "aead": 10, "ssn_start": 5}) * 2,
        b"\xd9\xd9\xf7" + cbor2.dumps([{"EUI": b"1", "used_before": True, "serial": 1.5}]),
        cbor2.dumps([{1: 4, 2: b"12345678", -1: bytes(range(16)), 3: 10, "label": "a"}]),
        cbor2.dumps({1: 4, 2: b"1", -1: b"2", 4: [7]}) + cbor2.dumps({1: 2, -2: b""}),
        b'- pledge_id: 0b\n  psk: "00"\n\n# c\n- {EUI: 1e5, network: [a, ~]}\n- &a [x]\n',
        b"%YAML 1.2\n---\npledge_id: 0b\nlabel: |\n  a\n---\n'a': \"\\u0041\"\n...\n",
    ),
    fuzz_config: (
        b'[database]\nurl = "sqlite:///jrc.db"\n[keys]\nkek_file = "kek"\n',
        b'[coap]\nlisten = ["[::]:5683"]\n[rollover]\nquorum = 1.5\n',
        b'[[installer]]\nnetwork = "lab"\nkind = "exec"\n',
    ),
    fuzz_sealed_file: (bytes.fromhex(_SEALED["sealed"]),),
    fuzz_event_line: (
        json.dumps(_EVENT).encode(),
        json.dumps({**_EVENT, "at_ms": 666_666_665_600_000_000_000}).encode(),
        b'{"number": 1, "number": 2}',
        b"[1]",
    ),
    fuzz_backup_header: (
        Header().encoded(),
        Header(used_by=bytes(16)).encoded(),
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
