"""Who may look at the page: links that work once, and the sessions that they open.

What a browser holds is known here by its hash alone. Sessions outlive the daemon in a small file,
so that a page that is open goes on after a restart; losing the file costs another `jrc page`.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog

LINK_S = 600
"""How long a link waits for whoever opens it."""
SESSION_S = 12 * 3600
"""A shift; then the page asks for another link."""
MAX_LINKS = 16
MAX_SESSIONS = 32
"""Where there are more, the oldest end."""

_FILE_MODE = 0o600
_MAX_FILE_BYTES = 64 * 1024

_log = structlog.get_logger("jrc")


@dataclass(frozen=True, slots=True)
class Link:
    """What opens one session, and until when, in ms since 1970."""

    key: str
    until_ms: int


class Sessions:
    """Links and sessions that are good; ``file`` keeps the sessions, ``now_ms`` is the clock."""

    def __init__(self, file: Path, now_ms: Callable[[], int]) -> None:
        self._file = file
        self._now_ms = now_ms
        self._links: dict[str, int] = {}
        self._sessions = dict(_read(file))

    def __len__(self) -> int:
        return sum(until_ms > self._now_ms() for until_ms in self._sessions.values())

    def new_link(self) -> Link:
        """A link that nobody has used."""
        link = Link(secrets.token_urlsafe(32), self._now_ms() + 1000 * LINK_S)
        _add(self._links, link.key, link.until_ms, MAX_LINKS)
        return link

    def open(self, key: str) -> str | None:
        """The session that a link opens, None where the link is used, too old, or none."""
        until_ms = self._links.pop(_hash(key), 0)
        if until_ms <= self._now_ms():
            return None
        session = secrets.token_urlsafe(32)
        _add(self._sessions, session, self._now_ms() + 1000 * SESSION_S, MAX_SESSIONS)
        self._write()
        return session

    def holds(self, session: str) -> bool:
        """Whether a session is good."""
        return self._sessions.get(_hash(session), 0) > self._now_ms()

    def end_all(self) -> int:
        """End every session and void every link; how many sessions there were."""
        count = len(self)
        self._links.clear()
        self._sessions.clear()
        self._write()
        return count

    def _write(self) -> None:
        """Without the file, which a full disk may refuse, sessions end with the process."""
        new = self._file.with_name(f"{self._file.name}.new")
        try:
            with open(os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, _FILE_MODE), "w") as file:
                json.dump(self._sessions, file)
            new.replace(self._file)
        except OSError as error:
            _log.warning(
                "page_sessions_not_kept",
                file=str(self._file),
                error=error.strerror,
                hint="the page asks for a new link after the next start",
            )


def _add(known: dict[str, int], secret: str, until_ms: int, most: int) -> None:
    known[_hash(secret)] = until_ms
    while len(known) > most:
        del known[next(iter(known))]


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _read(file: Path) -> Iterable[tuple[str, int]]:
    """The sessions in a file; none where it is missing, or holds something else."""
    try:
        with file.open("rb") as stream:
            found = json.loads(stream.read(_MAX_FILE_BYTES))
    except (OSError, ValueError, RecursionError):
        return ()
    if not isinstance(found, dict):
        return ()
    good = [each for each in found.items() if type(each[1]) is int]
    return good[-MAX_SESSIONS:]
