"""How large a database on a server is."""

from jrc.store.engine import lookup_engine
from jrc.store.faults import readable

_SIZE = "SELECT pg_database_size(current_database())"


class ServerSize:
    """The database at ``url``, on a PostgreSQL server; a connection for each look."""

    def __init__(self, url: str) -> None:
        self._engine = lookup_engine(url)

    def look(self) -> int:
        """Its bytes on the server's disk, tables and indexes; blocks for a few seconds at most.

        Raises:
            StoreError: the server does not tell.
        """
        with readable(), self._engine.connect() as connection:
            return int(connection.exec_driver_sql(_SIZE).scalar_one())
