"""Bytes of a console to lines of text: whatever comes, in whatever pieces, in bounded memory."""

import re
from typing import Final

MAX_LINE_BYTES: Final = 4096
"""Longer ones are left out. A list of the 512 bytes of a credential takes 2048 characters."""

_END = re.compile(rb"\r\n|\r|\n")
_ESCAPE = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor (ECMA-48 §5.4)
    rb"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles
    rb"|\x1b[@-Z\\-_]"
)


class Lines:
    """Takes bytes, gives whole lines; ended by CR, LF or both."""

    def __init__(self) -> None:
        self._begun = bytearray()
        self._is_too_long = False
        self._is_after_cr = False

    def feed(self, data: bytes) -> list[str | None]:
        """The lines that ``data`` ends; None is one that was too long."""
        if not data:
            return []
        if self._is_after_cr and data[:1] == b"\n":
            data = data[1:]
            self._is_after_cr = False
            if not data:
                return []
        self._is_after_cr = data[-1:] == b"\r"
        *ended, rest = _END.split(data)
        found = []
        for piece in ended:
            self._add(piece)
            found.append(self._taken())
        self._add(rest)
        return found

    def drop(self) -> None:
        """Forgets the line that has begun: its end will not come."""
        self._taken()
        self._is_after_cr = False

    def _add(self, piece: bytes) -> None:
        if self._is_too_long or len(self._begun) + len(piece) > MAX_LINE_BYTES:
            self._is_too_long = True
            self._begun.clear()
        else:
            self._begun += piece

    def _taken(self) -> str | None:
        text = None if self._is_too_long else plain(bytes(self._begun))
        self._begun.clear()
        self._is_too_long = False
        return text


def plain(line: bytes) -> str:
    """The text of a line without what drives a terminal; bytes that are no UTF-8 become U+FFFD."""
    return _ESCAPE.sub(b"", line).decode("utf-8", "replace")
