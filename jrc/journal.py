"""The journal of systemd in its own protocol: an entry is a datagram of named fields.

`journalctl -u jrc JRC_PLEDGE=00124b0014b5b67e` finds lines by what is in them then, and each has
its priority. https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
"""

import json
import os
import re
import socket
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO

SOCKET: Final = "/run/systemd/journal/socket"
IDENTIFIER: Final = "jrc"
PREFIX: Final = "JRC_"
_ANY_BYTES: Final = "latin-1"
_MAX_NAME: Final = 64
_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""syslog(3); the levels are those of structlog."""
_NO_NAME: Final = re.compile("[^A-Z0-9_]")
_OF_THE_JOURNAL: Final = frozenset({"event", "level", "timestamp", "exception"})
"""What has a field of the journal's, or is in the message."""


class Entry(str):
    """One entry: its bytes as characters, since what formats a line of the log gives text."""

    __slots__ = ()

    @classmethod
    def of(cls, data: bytes) -> "Entry":
        """The entry that is sent as ``data``."""
        return cls(data.decode(_ANY_BYTES))

    @property
    def data(self) -> bytes:
        """As it is sent."""
        return self.encode(_ANY_BYTES)


def is_behind(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether what is written to ``stream`` goes to the journal (systemd.exec(5))."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def rendered(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """A line of the log as the text of an ``Entry``; as a processor of structlog, the last one."""
    values = {name: _text(value) for name, value in event.items() if name not in _OF_THE_JOURNAL}
    words = [str(event.get("event", "")), *(f"{name}={value}" for name, value in values.items())]
    message = " ".join(words)
    if "exception" in event:
        message += f"\n{event['exception']}"
    return entry(str(event.get("level", "info")), message, str(event.get("event", "")), values)


def entry(level: str, message: str, event: str, values: Mapping[str, str]) -> Entry:
    """An entry with ``values`` as fields of our own: ``pledge`` is ``JRC_PLEDGE``."""
    fields = [
        _field("MESSAGE", message),
        _field("PRIORITY", str(_PRIORITIES.get(level, _PRIORITIES["info"]))),
        _field("SYSLOG_IDENTIFIER", IDENTIFIER),
        _field("JRC_EVENT", event),
    ]
    fields += [_field(_name(name), value) for name, value in values.items()]
    return Entry.of(b"".join(fields))


def _name(name: str) -> str:
    return (PREFIX + _NO_NAME.sub("_", name.upper()))[:_MAX_NAME]


def _field(name: str, value: str) -> bytes:
    """A value on one line, or with its length before it where it has several."""
    data = value.encode("utf-8", "replace")
    if b"\n" not in data:
        return b"%s=%s\n" % (name.encode(), data)
    return b"%s\n%s%s\n" % (name.encode(), len(data).to_bytes(8, "little"), data)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


class Journal:
    """Sends entries; it waits while the journal does not read."""

    def __init__(self, address: str = SOCKET) -> None:
        self._address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def send(self, entry: Entry) -> None:
        """One entry. To the address each time: the journal may have been started anew.

        Raises:
            OSError: nobody takes it, or it is longer than a datagram can be.
        """
        self._socket.sendto(entry.data, self._address)

    def close(self) -> None:
        """Send nothing more."""
        self._socket.close()
