"""Alembic's entry: on the connection that the program gives, or on one for a developer.

Developers name the database: ``JRC_DATABASE_URL=sqlite:////tmp/x.db alembic upgrade head``.
"""

import os

from alembic import context
from sqlalchemy import Connection

from jrc.store.engine import writer_engine
from jrc.store.schema import metadata


def run(connection: Connection) -> None:
    # SQLite's DDL is transactional once BEGIN was said, which Alembic does not assume of it.
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transactional_ddl=True,
        render_as_batch=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_offline() -> None:
    url = os.environ.get("JRC_DATABASE_URL", "sqlite:///jrc.db")
    context.configure(url=url, target_metadata=metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    given = context.config.attributes.get("connection")
    if given is not None:
        run(given)
        return
    url = os.environ.get("JRC_DATABASE_URL")
    if url is None:
        raise SystemExit("set JRC_DATABASE_URL to the database to work on")
    with writer_engine(url).connect() as connection, connection.begin():
        run(connection)


if context.is_offline_mode():
    run_offline()
else:
    run_online()
