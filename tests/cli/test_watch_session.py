"""A run of `jrc provision watch` that something ends before its time."""

import re
from contextlib import AbstractContextManager
from pathlib import Path
from time import process_time

import pytest

from jrc.cli import watch_signals
from jrc.cli.client import Api
from jrc.cli.watch_outbox import Outbox
from jrc.cli.watch_screen import Objects
from jrc.cli.watch_session import Session, Until
from jrc.cli.watch_signals import BoundedStream, in_order
from jrc.errors import OperatorError, StateError
from jrc.provision.console import Console
from jrc.provision.console_patterns import SHIPPED, pattern
from jrc.provision.console_stream import Stream
from jrc.provision.ports import Port
from jrc.provision.watching import Watch, Watched
from tests.provision.board import boot_lines, device_id

EVIL = b"a" * 40 + b"b\n"
"""For ``(a+)+$``, which tries 2^40 ways."""


class Lines:
    """What the command prints."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, text: str) -> None:
        self.written.append(text)


def damaged() -> AbstractContextManager[Api]:
    """A registrar that can't go on."""
    raise StateError("a row does not authenticate")


def session(watch: Watch) -> Session:
    return Session(watch, Objects(Lines().write), Until(None, 30.0))


def watched(path: Path, stream: Stream | None = None) -> Watched:
    return Watched(Port(str(path), path.name, 115_200), stream or Stream(lambda: Console(SHIPPED)))


def test_what_was_seen_is_named_where_the_registrar_can_not_go_on(tmp_path: Path) -> None:
    """No retry mends it, so those boards have to be started again."""
    log = tmp_path / "a.log"
    log.write_bytes(boot_lines(1) + boot_lines(2))
    watch = Watch([watched(log)])
    run = session(watch)
    left = run.run(Outbox(damaged, run.stored, watch.wake, ""))
    watch.close()
    assert [device_id(1), device_id(2)] == [str(each.device) for each in left]
    assert isinstance(run.broken, StateError)


def test_what_was_seen_is_named_where_a_console_can_not_be_read_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator's expression that takes exponential time ends the run with a sentence."""
    monkeypatch.setattr(watch_signals, "FEED_WITHIN_S", 0.2)
    evil = pattern("evil", boot="^(a+)+$", device_id="(?P<value>zz)")
    good, bad = tmp_path / "a.log", tmp_path / "b.log"
    good.write_bytes(boot_lines(1))
    bad.write_bytes(EVIL)
    streams = [
        BoundedStream(lambda: Console(SHIPPED)),
        BoundedStream(lambda: Console([*SHIPPED, evil])),
    ]
    watch = Watch([watched(good, streams[0]), watched(bad, streams[1])])
    run = session(watch)
    with in_order():
        left = run.run(Outbox(damaged, run.stored, watch.wake, ""))
    watch.close()
    assert [device_id(1)] == [str(each.device) for each in left]
    assert isinstance(run.broken, OperatorError)
    assert "[[provision.pattern]]" in str(run.broken)


def test_an_expression_that_divides_has_its_bound_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """By time of this process, and no longer than while it reads."""
    monkeypatch.setattr(watch_signals, "FEED_WITHIN_S", 0.2)
    stream = BoundedStream(lambda: Console(SHIPPED), re.compile(r"^(?P<source>(a+)+)$"))
    with in_order():
        with pytest.raises(OperatorError, match="--split"):
            stream.feed(EVIL)
        assert stream.feed(b"some line\n") == []
        ends_s = process_time() + 0.4
        while process_time() < ends_s:
            pass
