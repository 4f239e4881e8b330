"""The size of a database on a server."""

import pytest

from jrc.errors import StoreError
from jrc.store.size import ServerSize
from tests.desk import Desk
from tests.postgresql import NEEDED, shared_server
from tests.store.on_server import name_of

pytestmark = NEEDED


def test_the_server_tells_what_the_database_takes(served: Desk) -> None:
    """It grows with its rows."""
    size = ServerSize(served.url)
    before = size.look()
    assert [(before,)] == shared_server().sql(f"SELECT pg_database_size('{name_of(served)}')")
    served.sql("CREATE TABLE more AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)")
    assert size.look() > before + 1_000_000 // 2


def test_a_server_that_does_not_tell_is_an_error_of_the_store(served: Desk) -> None:
    """Whatever the driver calls it."""
    size = ServerSize(served.url.replace(name_of(served), "absent"))
    with pytest.raises(StoreError, match="absent"):
        size.look()
