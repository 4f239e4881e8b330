"""What the reader of consoles is held to: whatever a board prints, in whatever pieces."""

import re

from jrc.cojp.credential import parse
from jrc.provision.backlines import Said as SaidOfKeys
from jrc.provision.backlines import said_in, sealed
from jrc.provision.console import Console, Found
from jrc.provision.console_lines import MAX_LINE_BYTES
from jrc.provision.console_patterns import SHIPPED
from jrc.provision.console_stream import Said, Stream
from tests.fuzz.file_targets import Target

_SPLIT = re.compile(r"^\[(?P<source>[\w-]+)\] ")


def fuzz_console(data: bytes) -> None:
    """A console says the same in whatever pieces, and gives whole credentials alone."""
    middle = len(data) // 2
    for split in (None, _SPLIT):
        whole = _said(Stream(_console, split), data)
        assert whole == _said(Stream(_console, split), data[:middle], data[middle:])
        for source, event in whole:
            assert len(source) <= MAX_LINE_BYTES
            assert event.line <= len(data) + 1
            if isinstance(event, Found):
                assert parse(event.credential.value) == event.credential


def fuzz_back_channel(data: bytes) -> None:
    """A line says something that could be said again, or nothing, as others are about keys."""
    text = data.decode("utf-8", "replace")
    for line in (text, sealed(text) if text.isascii() else text):
        said = said_in(line)
        if isinstance(said, SaidOfKeys):
            why = f" why={said.why}" if said.why else ""
            key = said.check or "none"
            again = f"{said.word} id={said.identifier} key={key} n={said.nonce}{why}"
            assert said_in(sealed(again)) == said


def _console() -> Console:
    return Console(SHIPPED, ["jrc1 "])


def _said(stream: Stream, *pieces: bytes) -> list[Said]:
    return [each for piece in pieces for each in stream.feed(piece)] + stream.end()


_X = "b9943adbc95be73fd6db7b700a2f9b20b311ed0691317cb418da61e14e03db07"
CONSOLE_TARGETS: dict[Target, tuple[bytes, ...]] = {
    fuzz_console: (
        b"main(): This is RIOT!\r\nLong HWaddr: 00:12:4B:00:14:B5:57:3E \r\n",
        f"Device ID: [54, 0f]\nCoAP server identity: {{8:{{1:{{1:2,2:h'',-1:1,-2:h'{_X}'}}}}}}\n"
        .encode(),
        b"[a-1] Device ID: 540f57\n[b] \x1b[32mjrc1 hello\x1b[0m\n[a-1] rst:0x1 (",
    ),
    fuzz_back_channel: (
        b"hello id=00124b0014b5b67e key=none n=5b3c09aa",
        b"refused id=00124b0014b5b67e key=4e8fcc4a n=5b3c09ab why=key",
        b"jrc1 stored id=00124b0014b5b67e key=4e8fcc4a n=5b3c09aa crc=25115e4a",
    ),
}  # fmt: skip
