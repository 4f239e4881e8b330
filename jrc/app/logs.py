"""The log of a daemon: where its lines go, at which level, and one for each join."""

import sys
from typing import TextIO

from jrc import joinlog, log
from jrc.config import Log
from jrc.joinlog import JoinLog
from jrc.logwriter import LogWriter, writer_to

_WITH_JOINS = frozenset({"debug", "info"})


class Logs:
    """Set up as ``settings`` say; ``stream`` is where lines go unless the journal takes them."""

    def __init__(self, settings: Log, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self.writer: LogWriter | None = writer_to(self._stream)
        put = (lambda _lines: False) if self.writer is None else self.writer.put
        self.joins = JoinLog(put, joinlog.as_json, is_on=False)
        self.use(settings)

    @property
    def lost(self) -> int:
        """Lines that nobody has taken."""
        return 0 if self.writer is None else self.writer.lost

    def use(self, settings: Log) -> None:
        """This level and this form from now on."""
        form = log.configure(settings.level, settings.format, self._stream, self.writer)
        if self.writer is not None:
            self.writer.makes_entries = form == "journal"
        if form == "console":
            self.joins.form = joinlog.on_console(log.console(colors=self._stream.isatty()))
        else:
            self.joins.form = joinlog.as_entry if form == "journal" else joinlog.as_json
        self.joins.is_on = self.writer is not None and settings.level in _WITH_JOINS
