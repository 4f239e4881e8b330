"""A PostgreSQL server of the tests' own: made once a process, on a Unix socket, gone at its end."""

import atexit
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

SUPERUSER = "postgres"
OWNER = "jrc"
"""The role that owns the databases of the tests; as an operator would make it, no superuser."""

_SETTINGS = """\
listen_addresses = ''
unix_socket_directories = '{folder}'
max_connections = 60
shared_buffers = 16MB
logging_collector = off
max_wal_size = 64MB
"""
_MEMORY = Path("/dev/shm")
_PLACES = "/usr/lib/postgresql/*/bin"


@cache
def programs() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl``, None where they are not installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda at: int(at.parent.name))
    return places[-1] if places else None


def missing() -> str | None:
    """Why no server can be started here, None where one can."""
    if programs() is None:
        return f"PostgreSQL is not installed (no initdb in PATH or {_PLACES})"
    if os.getuid() == 0 and _account() is None:
        return "initdb refuses root, and there is no account postgres or nobody"
    return None


@cache
def _account() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


NEEDED = pytest.mark.skipif(missing() is not None, reason=missing() or "")
"""For tests of the server alone; CI installs one."""


_GUARD = """\
read -r _
kill -QUIT "$(head -n 1 "$0/data/postmaster.pid" 2>/dev/null)" 2>/dev/null
rm -rf "$0"
"""
"""Ends a server whose test process is gone, however it ended: then its standard input ends."""


class Server:
    """A server in a folder of its own; on a file system in memory each sync is real, and fast."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count(1)
        self._give_away(folder)
        self._guard = _guard(folder)
        self.run("initdb", "-D", self.data, "-U", SUPERUSER, "--auth=trust", "--no-sync",
                 "--encoding=UTF8", "--locale=C.UTF-8")  # fmt: skip
        self.configure(_SETTINGS.format(folder=folder))
        self.start()
        self.sql(f"CREATE ROLE {OWNER} LOGIN")

    @classmethod
    def standby_of(cls, primary: "Server", folder: Path) -> "Server":
        """A server that follows another one, asynchronously."""
        standby = cls.__new__(cls)
        standby.folder = folder
        standby._give_away(folder)
        standby._guard = _guard(folder)
        standby.run("pg_basebackup", "-D", standby.data, "-h", str(primary.folder), "-U", SUPERUSER,
                    "-R", "--checkpoint=fast", "--no-sync")  # fmt: skip
        standby.configure(f"unix_socket_directories = '{folder}'")
        standby.start()
        return standby

    @property
    def data(self) -> str:
        """The data directory."""
        return str(self.folder / "data")

    def _give_away(self, folder: Path) -> None:
        account = _account()
        if os.getuid() == 0 and account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        folder.chmod(0o755)

    def run(self, program: str, *arguments: str) -> str:
        """What one of PostgreSQL's programs says; as another user where we are root."""
        folder = programs()
        assert folder is not None
        done = subprocess.run(
            [str(folder / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            check=False,
            **self._as_owner(),
        )
        assert done.returncode == 0, (program, arguments, done.stdout)
        return str(done.stdout)

    def _as_owner(self) -> dict[str, Any]:
        """For a program that must not run as root."""
        account = _account()
        if os.getuid() or account is None:
            return {}
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def configure(self, *lines: str) -> None:
        """Add settings, which the next start (or ``reload``) takes up."""
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.write("\n".join(lines) + "\n")

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self.run("pg_ctl", "-D", self.data, "-l", str(self.folder / "log"), "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; ``immediate`` is a crash, after which it recovers from its log."""
        self.run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def reload(self) -> None:
        """Take up changed settings."""
        self.run("pg_ctl", "-D", self.data, "reload")

    def url(self, database: str, user: str = OWNER) -> str:
        """For ``database.url``."""
        where = URL.create(
            "postgresql+psycopg", user, database=database, query={"host": str(self.folder)}
        )
        return where.render_as_string(hide_password=False)

    def sql(self, statement: str, database: str = "postgres") -> Sequence[tuple[object, ...]]:
        """Rows of a statement that the superuser gives."""
        engine = create_engine(
            self.url(database, SUPERUSER), poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            result = connection.exec_driver_sql(statement)
            return [tuple(row) for row in result] if result.returns_rows else []

    def new_database(self, like: str = "template1") -> str:
        """The URL of a new database: empty, or a copy of another one that nobody is connected to.

        A copy needs less time than a schema.
        """
        name = f"jrc{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {like} OWNER {OWNER}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Delete a database, whoever is connected."""
        self.sql(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def remove(self) -> None:
        """Stop it and delete all of it."""
        subprocess.run(
            [str((programs() or Path()) / "pg_ctl"), "-D", self.data, "-m", "immediate", "stop"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            **self._as_owner(),
        )
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _guard(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["sh", "-c", _GUARD, str(folder)], stdin=subprocess.PIPE, start_new_session=True
    )


def new_folder() -> Path:
    """For a server; in memory where that can be."""
    parent = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    return Path(tempfile.mkdtemp(prefix="jrc-pg-", dir=parent))


def new_server() -> Server:
    """A server that only the caller uses, who removes it."""
    return Server(new_folder())


@cache
def shared_server() -> Server:
    """The one server of this process, whose databases are apart."""
    server = new_server()
    atexit.register(server.remove)
    return server
