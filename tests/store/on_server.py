"""Databases on a PostgreSQL server: what is written to them, and how their connections end."""

from sqlalchemy import make_url

from jrc.model import Event
from jrc.store.transaction import Transaction
from tests.desk import Desk
from tests.postgresql import shared_server

EVENT = Event("odd", "cli:uid=1000")


def record(tx: Transaction) -> str:
    """A write that the audit log shows."""
    tx.record(EVENT)
    return "result"


def name_of(desk: Desk) -> str:
    """The database's name on the server."""
    return make_url(desk.url).database or ""


def end_sessions(desk: Desk, role: str = "") -> None:
    """End all connections of registrars to a database, as an operator or a crash does."""
    shared_server().sql(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        f" WHERE datname = '{name_of(desk)}' AND application_name LIKE 'jrc%%{role}'"
    )
