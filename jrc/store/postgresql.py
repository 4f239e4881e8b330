"""Connections to PostgreSQL, with what safety hangs on read back as each is made.

A commit has to survive the server: one that syncs nothing, or that follows another, is refused.
Which server it is, on which timeline, and which database and table of it, tells a restored or
promoted one from the one before.
"""

import os
import socket
from enum import IntEnum
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from jrc.errors import Cause, ExitCode, OperatorError

MIN_VERSION = 14
LOCK_TIMEOUT_MS = 2000
"""Under ACK_TIMEOUT (RFC 9031 §7.2): a datagram that waits longer is asked for again anyway."""
LOOKUP_TIMEOUT_MS = 2000
"""For one indexed read, which the loop waits for."""
STATEMENT_TIMEOUT_MS = 30_000
IDLE_TIMEOUT_MS = 10_000
"""A process that stands still in a transaction holds up every other registrar for so long."""
ANSWER_WITHIN_MS = 1000
"""What a server that hangs gets beyond the timeout of a statement, which it keeps itself."""
CONNECT_TIMEOUT_S = 3
SILENCE_MS = 3000
"""After which an end of a connection that hears nothing from the other gives it up."""

LOCKS = 0x6A7263
"""The first number of our advisory locks; ``Lock`` has the second."""
MAX_NAME_BYTES = 63
"""Of ``application_name``."""


class Lock(IntEnum):
    """What advisory locks stand for."""

    IN_USE = 1
    """Shared by all who write; ``jrc db upgrade`` wants it alone."""
    CONDUCTOR = 2
    """Who tells nodes and moves rollovers."""


_DRIVER = "postgresql+psycopg"
_MISSING = (
    "database.url: the driver of PostgreSQL is not installed",
    "install it where jrc is: pip install 'psycopg[binary]>=3.2.4'",
)
UNOPENED = (
    "see whether the server runs and takes connections from here (pg_hba.conf), whether role and"
    " database exist (createuser, createdb), and whether the password is in the file that"
    " PGPASSFILE names (docs/postgresql.md)"
)
"""What to do where a connection could not be made: libpq tells no more than its sentence."""
_STATE = (
    "SELECT current_setting('server_version_num')::int, pg_is_in_recovery(),"
    " current_setting('transaction_read_only'), current_setting('fsync'),"
    " current_setting('full_page_writes'), current_setting('data_sync_retry'),"
    " current_setting('synchronous_commit'), current_setting('server_encoding')"
)
_KEEP_COMMITS = (
    "SELECT set_config('synchronous_commit', current_setting('synchronous_commit'), false)"
)
"""As it was found durable, for as long as the session lasts: the server's may change meanwhile."""
_IDENTITY = (
    "SELECT system_identifier, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),"
    " (SELECT oid::bigint FROM pg_database WHERE datname = current_database()),"
    " coalesce(to_regclass('instance')::oid::bigint, 0) FROM pg_control_system()"
)
"""The numbers of database and table are new in one that was dropped and restored there."""
_TRY_SHARED = f"SELECT pg_try_advisory_lock_shared({LOCKS}, {Lock.IN_USE.value})"
_TRY_ALONE = f"SELECT pg_try_advisory_lock({LOCKS}, {Lock.IN_USE.value})"
HOLDERS = (
    "SELECT DISTINCT application_name FROM pg_stat_activity JOIN pg_locks USING (pid)"
    " WHERE locktype = 'advisory' AND granted AND classid = %s AND objid = %s"
    " AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND pid <> pg_backend_pid() ORDER BY 1"
)
"""The names of other sessions that have one of our locks."""


@cache
def _without_locks(compiler: Any) -> Any:
    """A compiler for readers, who lock no rows: they may not, and nobody is to wait for them.

    Made of the one that the dialect has: whoever has no server does not load that.
    """

    class WithoutLocks(compiler):  # type: ignore[misc]
        def for_update_clause(self, select: Any, **kw: Any) -> str:
            """Nothing, as with SQLite."""
            return ""

    return WithoutLocks


def writer(url: str) -> Engine:
    """The engine of a writer: READ COMMITTED, each connection checked by ``check_durable``.

    Every writing transaction locks the instance row first (``ledger.py``), so that those of all
    registrars come one after the other, and each statement sees what the one before committed.
    """
    engine = _engine(
        url,
        "writer",
        isolation_level="READ COMMITTED",
        lock_timeout=LOCK_TIMEOUT_MS,
        statement_timeout=STATEMENT_TIMEOUT_MS,
        idle_in_transaction_session_timeout=IDLE_TIMEOUT_MS,
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, record: Any) -> None:
        record.info["server"] = check_durable(connection)
        _use(connection)

    return engine


def reader(url: str) -> Engine:
    """An engine for consistent views that can't write."""
    return _reading(
        _engine(
            url,
            "reader",
            isolation_level="REPEATABLE READ",
            default_transaction_read_only="on",
            statement_timeout=STATEMENT_TIMEOUT_MS,
        )
    )


def lookup(url: str) -> Engine:
    """As ``reader``, but each statement sees what is committed when it runs."""
    return _reading(
        _engine(
            url,
            "lookup",
            isolation_level="AUTOCOMMIT",
            default_transaction_read_only="on",
            statement_timeout=LOOKUP_TIMEOUT_MS,
        )
    )


def watcher(url: str) -> Engine:
    """An engine for the connection that hears of changes and holds the conductor's lock."""
    return _engine(
        url,
        "watch",
        isolation_level="AUTOCOMMIT",
        statement_timeout=LOOKUP_TIMEOUT_MS,
    )


def _reading(engine: Engine) -> Engine:
    dialect: Any = engine.dialect
    dialect.statement_compiler = _without_locks(dialect.statement_compiler)
    return engine


def _engine(
    url: str, role: str, *, isolation_level: str, statement_timeout: int, **settings: object
) -> Engine:
    settings["statement_timeout"] = statement_timeout
    parsed = make_url(url).set(drivername=_DRIVER)
    given: dict[str, object] = {
        "application_name": session_name(role),
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": SILENCE_MS,
        "keepalives_idle": 2,
        "keepalives_interval": 1,
        "keepalives_count": 3,
        "options": _options(parsed, settings),
    }
    if role != "writer" or _names_several(parsed):
        # A writer says by itself what is wrong with the one server that is named.
        given["target_session_attrs"] = "primary"
    given = {name: value for name, value in given.items() if name not in parsed.query}
    given["options"] = _options(parsed, settings)
    try:
        engine = create_engine(
            parsed.difference_update_query(["options"]),
            poolclass=NullPool,
            # Each is closed as it is given back, which a connection that was lost lets nobody do.
            pool_reset_on_return=None,
            isolation_level=isolation_level,
            connect_args=given,
        )
    except ModuleNotFoundError:
        raise OperatorError(*_MISSING) from None
    _be_patient(engine, (statement_timeout + ANSWER_WITHIN_MS) / 1000)
    return engine


def _be_patient(engine: Engine, patience_s: float) -> None:
    from jrc.store.patience import PatientConnection  # the driver, which may not be installed

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, where: Any, settings: Any) -> Any:
        return PatientConnection.open(patience_s, *where, **settings)


def _options(url: URL, settings: dict[str, object]) -> str:
    """Settings of a session: ours after those of the URL, so that they hold."""
    own = {
        "client_encoding": "UTF8",
        "idle_session_timeout": 0,
        "tcp_user_timeout": SILENCE_MS,
        "tcp_keepalives_idle": 2,
        "tcp_keepalives_interval": 1,
        "tcp_keepalives_count": 3,
        **settings,
    }
    words = [f"-c {name}={value}" for name, value in own.items()]
    asked = url.query.get("options", "")
    return " ".join([asked if isinstance(asked, str) else " ".join(asked), *words]).strip()


def _names_several(url: URL) -> bool:
    hosts = url.query.get("host", "")
    return isinstance(hosts, tuple) or "," in hosts or "," in (url.host or "")


def session_name(role: str) -> str:
    """What ``pg_stat_activity`` shows: host and process of the registrar, and what for."""
    name = f"jrc {socket.gethostname()} {os.getpid()} {role}".encode("ascii", "replace")
    return name[:MAX_NAME_BYTES].decode()


def check_durable(connection: Any) -> str:
    """Which server, timeline and database a fresh connection of the driver is on.

    Raises:
        OperatorError: what it commits could be lost, or could be read nowhere.
    """
    with connection.cursor() as cursor:
        version, follows, read_only, *rest = cursor.execute(_STATE).fetchone()
        _refuse_version(version)
        if follows:
            raise _refused(
                "the server is a standby: it follows another one and may lag behind it",
                "name the primary server; a registrar never decides by a copy",
            )
        if read_only == "on":
            raise _refused(
                "the server takes no writes from this role (transaction_read_only=on)",
                "see default_transaction_read_only of the server, the database and the role",
            )
        _refuse_settings(*rest)
        cursor.execute(_KEEP_COMMITS)
    server = identity(connection)
    connection.commit()
    return server


def identity(connection: Any) -> str:
    """System identifier, timeline, and the numbers of database and instance table.

    ``connection`` is the driver's.
    """
    with connection.cursor() as cursor:
        system, timeline, *numbers = cursor.execute(_IDENTITY).fetchone()
    return "/".join(map(str, (system, int(timeline, 16), *numbers)))


def _refuse_version(version: int) -> None:
    if version < MIN_VERSION * 10_000:
        raise _refused(
            f"the server is PostgreSQL {version // 10_000}, older than {MIN_VERSION}",
            "use a newer server",
        )


def at_risk(fsync: str, pages: str) -> str | None:
    """What of a server's settings lets it forget what it has committed, None for nothing.

    These reach sessions that are open, as the server is told to read its settings again.
    """
    for name, value in (("fsync", fsync), ("full_page_writes", pages)):
        if value == "off":
            return (
                f"the server has {name}=off now: it could forget a join that was answered, and its"
                " request would be answered anew under the same nonce"
            )
    return None


def _refuse_settings(fsync: str, pages: str, retry: str, commit: str, encoding: str) -> None:
    for name, value, bad in (
        ("fsync", fsync, "off"),
        ("full_page_writes", pages, "off"),
        ("synchronous_commit", commit, "off"),
        ("data_sync_retry", retry, "on"),
    ):
        if value == bad:
            raise _refused(
                f"the server has {name}={bad}: it could forget a join that was answered, and its"
                " request would be answered anew under the same nonce",
                f"set {name} = {'on' if bad == 'off' else 'off'} for this server, database and"
                " role",
            )
    if encoding != "UTF8":
        raise _refused(
            f"the database has the encoding {encoding}",
            "make it with: CREATE DATABASE jrc ENCODING 'UTF8' TEMPLATE template0",
        )


def _refused(what: str, hint: str) -> OperatorError:
    return OperatorError(f"database.url: {what}", hint, exit_code=ExitCode.REFUSED)


def _use(connection: Any) -> None:
    """Share the lock of all who write, for as long as the connection lasts."""
    with connection.cursor() as cursor:
        is_ours = cursor.execute(_TRY_SHARED).fetchone()[0]
    connection.rollback()
    if not is_ours:
        raise OperatorError(
            "database.url: `jrc db upgrade` is at work on the database",
            "start it again when that is done",
            exit_code=ExitCode.UNREACHABLE,
        )


def use_alone(connection: Any) -> None:
    """Take the lock of all who write alone; the driver's ``connection`` has its share already.

    Raises:
        OperatorError: a registrar or a command has the database open.
    """
    with connection.cursor() as cursor:
        is_ours = cursor.execute(_TRY_ALONE).fetchone()[0]
        others = [row[0] for row in cursor.execute(HOLDERS, (LOCKS, Lock.IN_USE.value))]
    connection.rollback()
    if not is_ours:
        named = ", ".join(others) or "another process"
        raise OperatorError(
            f"database.url: the database is in use by {named}",
            "stop every registrar that has this database, then run it again",
            exit_code=ExitCode.UNREACHABLE,
        )


def is_conducted(connection: Connection) -> bool:
    """Whether another session has the conductor's lock."""
    held = connection.exec_driver_sql(HOLDERS, (LOCKS, Lock.CONDUCTOR.value))
    return held.first() is not None


def cause_of(error: DBAPIError) -> Cause:
    """The cause of an error of the driver, ``DATABASE`` where it does not say more."""
    if not hasattr(error.orig, "sqlstate"):
        return Cause.DATABASE
    if is_lost(error):
        return Cause.SERVER
    return _CAUSES.get(str(getattr(error.orig, "sqlstate", "")), Cause.DATABASE)


def said_by(error: DBAPIError) -> str:
    """An error of the driver in one line, without values: they may be key material."""
    diagnosis = getattr(error.orig, "diag", None)
    state = getattr(error.orig, "sqlstate", None)
    if diagnosis is None or state is None:
        return str(error.orig).partition("\n")[0]
    if str(state).startswith(_DATA_EXCEPTION):
        return f"{type(error.orig).__name__}, SQLSTATE {state}"
    return str(diagnosis.message_primary)


def is_lost(error: DBAPIError) -> bool:
    """Whether the connection is gone with this error, or will be."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return True
    return bool(str(state).startswith(("08", "57P")) or state in _ENDS)


_CAUSES = {
    "53100": Cause.DISK_FULL,
    "25006": Cause.READ_ONLY,
    "55P03": Cause.LOCKED,
    "57014": Cause.LOCKED,
    "58030": Cause.IO_ERROR,
    "XX001": Cause.CORRUPT,
    "XX002": Cause.CORRUPT,
}
_DATA_EXCEPTION = "22"
"""The class of errors whose message repeats the value."""
_ENDS = ("25P03", "25P04", "57P05")
"""FATAL: a timeout of the session, of a transaction or of one that stands still."""
