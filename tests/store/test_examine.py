"""A database that is looked at by somebody who changes nothing."""

import pytest

from jrc.errors import OperatorError, StateError, StoreError
from jrc.model import Secret
from jrc.store.examine import examine
from jrc.store.registry import StoreRegistry
from jrc.store.transaction import ReadTransaction
from tests.desk import KEK, NOW_MS, Desk


def names(tx: ReadTransaction) -> set[str]:
    return {network.name for network in StoreRegistry(tx).networks.all().values()}


def test_the_instance_row_and_what_was_asked_come_back(desk: Desk) -> None:
    """The row as the owner has it; nothing was written."""
    desk.network("hall", b"\xbe\xef")
    before = desk.database.read_instance()
    assert (before, {"hall"}) == examine(desk.url, KEK, names, NOW_MS)
    assert before == desk.database.read_instance()


def test_what_is_asked_can_not_write(desk: Desk) -> None:
    """The connection refuses."""

    def change(tx: ReadTransaction) -> None:
        tx.connection.exec_driver_sql("DELETE FROM event")

    with pytest.raises(StoreError, match=r"read-?only"):
        examine(desk.url, KEK, change, NOW_MS)


def test_the_refusals_are_those_of_opening_it(desk: Desk) -> None:
    """Another key, a row that was changed, another schema, a file that others can read."""
    with pytest.raises(OperatorError, match="opens no slot of this database"):
        examine(desk.url, Secret(bytes(32)), names, NOW_MS)
    desk.sql("UPDATE instance SET event_number = event_number + 1")
    with pytest.raises(StateError, match="does not authenticate"):
        examine(desk.url, KEK, names, NOW_MS)
    desk.sql("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(OperatorError, match="older"):
        examine(desk.url, KEK, names, NOW_MS)
    desk.path.chmod(0o644)
    with pytest.raises(OperatorError, match="read by others"):
        examine(desk.url, KEK, names, NOW_MS)
