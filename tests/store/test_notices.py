"""What registrars of one PostgreSQL database tell each other."""

from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.store import postgresql, server, watch
from jrc.store.server import Notice
from tests.desk import NOW_MS, Desk
from tests.postgresql import NEEDED, shared_server
from tests.store.on_server import EVENT, name_of, record

pytestmark = NEEDED


@pytest.fixture
def desk(served: Desk) -> Desk:
    """On the server, whatever other desks are on."""
    return served


@given(st.integers(0, 2**62), st.lists(st.binary(min_size=1, max_size=40), max_size=100))
def test_a_notice_is_read_as_it_was_told(revision: int, learned: list[bytes]) -> None:
    """Within the size that PostgreSQL allows; too many names are all of them."""
    notice = Notice.of(revision, learned)
    assert len(notice.text()) < 8000
    assert notice == Notice.parse(notice.text())
    assert notice.kid_contexts is None or learned == list(notice.kid_contexts)


@pytest.mark.parametrize("payload", ["", "x", "7 zz", "7 aa,b"])
def test_a_notice_of_somebody_else_has_everything_looked_at(payload: str) -> None:
    """Any role of the database may send one."""
    assert Notice.parse(payload).kid_contexts is None or payload == ""


def test_what_was_learned_and_changed_is_told_with_the_commit(desk: Desk) -> None:
    """A new pledge by its kid context; nothing of what was rolled back."""
    desk.network()
    heard = []
    with postgresql.watcher(desk.url).connect() as connection:
        session: Any = connection.connection.driver_connection
        session.execute("LISTEN jrc")
        name, _ = desk.pledge(1)
        with pytest.raises(ZeroDivisionError):
            desk.database.write(lambda tx: tx.record(*[EVENT] * (1 // 0)), NOW_MS)
        desk.database.write(record, NOW_MS)
        heard = [Notice.parse(n.payload) for n in session.notifies(timeout=0.2)]
    assert [(name.value,)] == [notice.kid_contexts for notice in heard]
    assert desk.database.instance.policy_revision >= heard[0].policy_revision


def test_a_notice_that_comes_while_the_watch_looks_is_heard_after(desk: Desk) -> None:
    """Row M2: the filter of known pledges would never learn what it names."""
    with closing(postgresql.watcher(desk.url).connect()) as connection:
        session: Any = connection.connection.driver_connection
        session.execute(f"LISTEN {server.CHANNEL}")
        shared_server().sql(f"NOTIFY {server.CHANNEL}, '7 0a'", name_of(desk))
        session.execute("SELECT 1")
        assert [Notice(7, (b"\n",))] == list(watch._heard(session))
