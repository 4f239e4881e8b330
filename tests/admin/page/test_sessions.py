"""Links that work once, and the sessions they open."""

import hashlib
import json
import stat
from pathlib import Path

import pytest

from jrc.admin.page.sessions import LINK_S, MAX_LINKS, MAX_SESSIONS, SESSION_S, Sessions


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(tmp_path: Path, clock: Clock) -> Sessions:
    return Sessions(tmp_path / "page.sessions", clock)


def _opened(sessions: Sessions) -> str:
    session = sessions.open(sessions.new_link().key)
    assert session is not None
    return session


def test_a_link_opens_one_session(sessions: Sessions) -> None:
    """Whoever finds it in a terminal's history afterwards gets nothing."""
    link = sessions.new_link()
    session = sessions.open(link.key)
    assert session is not None
    assert sessions.holds(session)
    assert sessions.open(link.key) is None


def test_a_link_is_no_session_and_a_session_no_link(sessions: Sessions) -> None:
    """Neither do for the other, nor does what nobody has made."""
    link, session = sessions.new_link().key, _opened(sessions)
    assert not sessions.holds(link)
    assert sessions.open(session) is None
    assert not sessions.holds("")
    assert sessions.open("") is None


def test_links_and_sessions_end_with_their_time(sessions: Sessions, clock: Clock) -> None:
    """Ten minutes, and twelve hours."""
    link, session = sessions.new_link(), _opened(sessions)
    clock.now_ms += 1000 * LINK_S
    assert sessions.open(link.key) is None
    assert sessions.holds(session)
    clock.now_ms += 1000 * (SESSION_S - LINK_S)
    assert not sessions.holds(session)
    assert len(sessions) == 0


def test_sessions_outlive_the_process_and_are_not_in_the_file(
    sessions: Sessions, tmp_path: Path, clock: Clock
) -> None:
    """The file has their hashes, and nobody else may read even those."""
    session = _opened(sessions)
    file = tmp_path / "page.sessions"
    assert list(tmp_path.iterdir()) == [file]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert session not in file.read_text()
    assert Sessions(file, clock).holds(session)


def test_where_there_are_too_many_the_oldest_go(sessions: Sessions) -> None:
    """Memory and file are bounded."""
    held = [_opened(sessions) for _ in range(MAX_SESSIONS + 1)]
    assert [sessions.holds(each) for each in held[:2]] == [False, True]
    links = [sessions.new_link() for _ in range(MAX_LINKS + 1)]
    assert sessions.open(links[0].key) is None
    assert sessions.open(links[1].key) is not None


def test_a_file_of_more_sessions_than_there_may_be_keeps_the_newest(
    tmp_path: Path, clock: Clock
) -> None:
    """As of a version that had more; no more than that are in memory."""
    file, until_ms = tmp_path / "page.sessions", clock.now_ms + 1
    secrets = [f"session {number}" for number in range(MAX_SESSIONS + 8)]
    marks = [hashlib.sha256(each.encode()).hexdigest() for each in secrets]
    file.write_text(json.dumps(dict.fromkeys(marks, until_ms)))
    sessions = Sessions(file, clock)
    assert [sessions.holds(each) for each in secrets] == [False] * 8 + [True] * MAX_SESSIONS


def test_all_are_ended_at_once(sessions: Sessions, tmp_path: Path, clock: Clock) -> None:
    """Also for the next start, and links that nobody has opened with them."""
    link, session = sessions.new_link(), _opened(sessions)
    assert sessions.end_all() == 1
    assert not sessions.holds(session)
    assert sessions.open(link.key) is None
    assert not Sessions(tmp_path / "page.sessions", clock).holds(session)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": "b"}', "\udcff", "[" * 5000, "null"])
def test_a_file_that_holds_something_else_is_no_session(
    tmp_path: Path, clock: Clock, text: str
) -> None:
    """The daemon starts, and the page asks for a link."""
    file = tmp_path / "page.sessions"
    file.write_bytes(text.encode(errors="surrogateescape"))
    assert len(Sessions(file, clock)) == 0


def test_where_no_file_can_be_made_sessions_last_as_long_as_the_process(
    tmp_path: Path, clock: Clock
) -> None:
    """A full disk keeps nobody from looking."""
    sessions = Sessions(tmp_path / "missing" / "page.sessions", clock)
    assert sessions.holds(_opened(sessions))
