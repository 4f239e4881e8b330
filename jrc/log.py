"""Log lines: JSON for machines, entries of the journal under systemd, readable on a terminal.

None of them has a key in it.

Modules log through structlog; what libraries log through the standard library takes the same way.
"""

import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from jrc import journal

REDACTED = "[redacted]"
SAY_AGAIN_S = 60.0
"""Between two lines of a library that say the same."""
MAX_REMEMBERED_LINES = 64
"""Lines of libraries that are told from new ones."""
MAX_LOGGED_BYTES = 32
"""Of what has no type: a stranger chooses how long it is, and so what a log line would cost. An
identifier that is provisioned has one, and stands whole."""

SECRET_WORDS = frozenset(
    {"authorization", "bearer", "cookie", "credential", "dek", "iv", "kek", "key", "keys"}
    | {"keyring", "link", "passphrase", "passwd", "password", "psk", "salt", "secret", "secrets"}
    | {"session", "token"}
)
"""A field is redacted whose name is one of these words, or ends in one: ``sender_key``.

Who has acted stands in a value, ``token=t-import``, which is a token's name.
"""

Style = Literal["auto", "console", "json"]
Form = Literal["console", "json", "journal"]

_MAX_DEPTH = 6
_SECRET_TEXT = re.compile(
    r"(?P<user>\b[\w+.-]+://[^\s:/@]*:)[^\s@]+(?=@)"  # a password in a URL
    r"|(?P<query>[?&](?:ssl)?password=)[^\s&#\"']+"
    r"|(?P<link>#key=)[\w-]+"  # what opens the page
    r"|(?P<token>\bjrc_)[\w-]{43}",
    re.ASCII | re.IGNORECASE,
)
"""Secrets that stand in sentences, behind what they are known by."""


def configure(
    level: Literal["debug", "info", "warning", "error"],
    style: Style,
    stream: TextIO,
    handler: logging.Handler | None = None,
) -> Form:
    """Sets up structlog and the standard library's logging, both to ``stream``; the form of lines.

    ``handler`` writes the lines there in its own way; without one the form is never ``journal``.
    """
    tty = stream.isatty()
    form = form_of(style, stream, journal_taken=handler is not None)
    number = logging.getLevelNamesMapping()[level.upper()]
    finish = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_collect(), processors=_render(form, colors=tty)
    )
    handler = handler or logging.StreamHandler(stream)
    handler.setFormatter(finish)
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    for earlier in handler.filters[:]:  # it may have been set up with another level before
        handler.removeFilter(earlier)
    handler.addFilter(Seldom())
    root.addHandler(handler)
    root.setLevel(number)
    logging.getLogger("pyroute2").setLevel(max(number, logging.WARNING))
    # It warns of each bad request and each connection too many: strangers would write the log.
    logging.getLogger("uvicorn").setLevel(max(number, logging.ERROR))
    structlog.configure(
        processors=[*_collect(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    return form


def form_of(style: Style, stream: TextIO, *, journal_taken: bool = True) -> Form:
    """``auto``: the journal's if it is behind ``stream``, console on a terminal, else JSON."""
    if style != "auto":
        return style
    if journal_taken and journal.is_behind(stream, os.environ):
        return "journal"
    return "console" if stream.isatty() else "json"


def console(*, colors: bool) -> structlog.dev.ConsoleRenderer:
    """Renders lines for a person; tracebacks are plain, for local variables would show keys."""
    return structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback
    )


class Seldom(logging.Filter):
    """Lets what libraries say over and over through once in ``SAY_AGAIN_S``.

    asyncio says of each connection that it could not take that no more files may be opened. Our
    own lines pass: each is said once by whoever says it.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now_s = now_s
        self._said_s: dict[tuple[str, object], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """As ``logging.Filter.filter``."""
        if isinstance(record.msg, dict):
            return True
        line = record.name, str(record.msg).partition("\n")[0]
        now_s = self._now_s()
        if now_s - self._said_s.get(line, -SAY_AGAIN_S) < SAY_AGAIN_S:
            return False
        if len(self._said_s) >= MAX_REMEMBERED_LINES:
            self._said_s.clear()
        self._said_s[line] = now_s
        return True


def _collect() -> list[Processor]:
    """What every line has; time is UTC."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _render(form: Form, *, colors: bool) -> list[Processor]:
    """Redaction, then the line."""
    last: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if form == "console":
        last = console(colors=colors)
    elif form == "journal":
        last = journal.rendered
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        redact,
        structlog.processors.format_exc_info,
        _scrub_traceback,
        last,
    ]


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """``event`` with nothing in it that is secret, unprintable or endless."""
    return {
        name: value if name == "exc_info" else _field(name, value, 0)
        for name, value in event.items()
    }


def is_secret_name(name: str) -> bool:
    """Whether a field called ``name`` may hold key material: ``sender_key``, but not ``key_id``."""
    lowered = name.lower().replace("-", "_")
    return lowered in SECRET_WORDS or lowered.rpartition("_")[2] in SECRET_WORDS


def _field(name: str, value: object, depth: int) -> object:
    """The value as it may be logged. A number or nothing under a secret name is a count."""
    if is_secret_name(name) and not (value is None or isinstance(value, bool | int)):
        return REDACTED
    return _plain(value, depth)


def _plain(value: object, depth: int) -> object:
    """``value`` made of strings, numbers, lists and mappings; bytes as hex.

    A ``Secret`` needs no case here: all it can be made into is ``[redacted]``.
    """
    if value is None or (isinstance(value, bool | int | float) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return _plain(value.value, depth)
    if isinstance(value, bytes | bytearray | memoryview):
        return _hex(bytes(value))
    if isinstance(value, str):
        return _text(value)
    return _nested(value, depth + 1)


def _nested(value: object, depth: int) -> object:
    if depth > _MAX_DEPTH:
        return "..."
    if isinstance(value, Mapping):
        return {_text(str(k)): _field(str(k), v, depth) for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _nested(value._asdict(), depth)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth) for item in value]
    own_text = type(value).__str__ is not object.__str__
    if is_dataclass(value) and not isinstance(value, type) and not own_text:
        return {f.name: _field(f.name, getattr(value, f.name), depth) for f in fields(value)}
    return _text(str(value))


def _hex(value: bytes) -> str:
    left_out = len(value) - MAX_LOGGED_BYTES
    return value[:MAX_LOGGED_BYTES].hex() + (f"...(+{left_out})" if left_out > 0 else "")


def _text(value: str) -> str:
    """``value`` on one line, without what drives a terminal, and without ``_SECRET_TEXT``."""
    shown = value
    if not value.isprintable():
        shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in value)
    return _without_secrets(shown)


def _without_secrets(text: str) -> str:
    return _SECRET_TEXT.sub(lambda found: f"{found[found.lastgroup or 0]}{REDACTED}", text)


def _scrub_traceback(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A driver's error may quote the URL it was given."""
    if isinstance(text := event.get("exception"), str):
        event["exception"] = _without_secrets(text)
    return event
