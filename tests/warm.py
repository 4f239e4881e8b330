"""What each registrar and each command makes anew as it begins, made once for all tests.

No result hangs on it: a statement that is compiled for one database is so for the next of its kind,
the tree of commands is the program's, and who is trusted on the web is so all day.
"""

import functools
from typing import Any, Final

import httpx._transports.default
import typer.main
from sqlalchemy import Connection, Engine, event
from sqlalchemy.sql.compiler import Compiled

MOST_STATEMENTS: Final = 3000


class Statements(dict[Any, Compiled]):
    """Compiled statements by kind of engine, where each engine would have its own."""

    def get(self, key: Any, default: Any = None) -> Any:
        """As SQLAlchemy asks for one: the first part of its key is the engine's dialect."""
        return super().get(_of_any_engine(key), default)

    def __setitem__(self, key: Any, compiled: Compiled) -> None:
        if len(self) >= MOST_STATEMENTS:
            self.clear()
        super().__setitem__(_of_any_engine(key), compiled)


def _of_any_engine(key: tuple[Any, ...]) -> tuple[Any, ...]:
    dialect, *statement = key
    # Those that only read have a compiler of their own.
    return (dialect.name, dialect.statement_compiler, *statement)


def keep() -> None:
    """Begin to keep, in this process and in those that it forks."""
    statements = Statements()

    @event.listens_for(Engine, "engine_connect")
    def _connected(connection: Connection) -> None:
        connection.execution_options(compiled_cache=statements)

    for module, name in (
        (typer.main, "get_command"),
        (httpx._transports.default, "create_ssl_context"),
    ):
        setattr(module, name, functools.cache(getattr(module, name)))
