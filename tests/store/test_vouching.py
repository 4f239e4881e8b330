"""Damaged rows of networks and key domains, for which the operator vouches."""

from pathlib import Path

import pytest

from jrc.errors import ExitCode, OperatorError
from jrc.model import Condition
from jrc.service.records import Wanted
from jrc.service.recover import quarantine, recover_step
from jrc.store.vouching import ACCEPTED, Doubtful, doubtful, vouch
from tests.desk import ACTOR, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A quarantined database with two networks."""
    desk = Desk(tmp_path)
    desk.network()
    desk.network("beef", b"\xbe\xef")
    desk.write(lambda tx: quarantine(tx, "it is old", actor=ACTOR))
    return desk


def found(desk: Desk) -> list[Doubtful]:
    with desk.database.read(desk.now_ms) as tx:
        return doubtful(tx.connection, tx.mac)


def vouched(desk: Desk) -> None:
    desk.database.write(lambda tx: vouch(tx, ACTOR, "as in our notes"), desk.now_ms)


def recover(desk: Desk) -> None:
    while desk.read(lambda tx: tx.database.condition) is not Condition.OPEN:
        desk.write(lambda tx: recover_step(tx, actor=ACTOR))


@pytest.mark.parametrize(
    ("damage", "name", "shown"),
    [
        ("UPDATE network SET join_rate = 9 WHERE name = 'lab'", "network lab", ("join_rate", 9)),
        ("UPDATE network SET name = 'lbb' WHERE name = 'lab'", "network lbb", ("name", "lbb")),
        (
            "UPDATE network_identifier SET identifier = x'cafd' WHERE identifier = x'cafe'",
            "network lab",
            ("identifiers", ["cafd"]),
        ),
        ("UPDATE key_domain SET name = 'l' WHERE name = 'lab'", "key domain l", ("name", "l")),
    ],
)
def test_e08_a_row_that_hinders_a_recovery_is_shown_and_vouched_for(
    desk: Desk, damage: str, name: str, shown: tuple[str, object]
) -> None:
    """RFC 9031 §8.3.3: every key domain has fresh keys then, and the log says what was taken."""
    desk.sql(damage)
    with pytest.raises(OperatorError, match="does not authenticate") as caught:
        recover(desk)
    assert "`jrc db accept-rows`" in caught.value.hint
    (row,) = found(desk)
    assert (name, None) == (row.name, row.nonsense)
    assert shown[1] == row.shown[shown[0]]
    vouched(desk)
    assert [] == found(desk)
    recover(desk)
    (event,) = desk.read(lambda tx: tx.events.page(Wanted(kind=ACCEPTED), after=0, limit=9))
    rows = event.detail["rows"]
    assert isinstance(rows, dict)
    assert [name] == list(rows)
    assert 2 == len(desk.read(lambda tx: tx.networks.all()))


def test_e08_a_key_domain_does_not_say_itself_that_it_has_fresh_keys(desk: Desk) -> None:
    """Its row was damaged, and what it says of that may be, too."""
    desk.sql("UPDATE key_domain SET incarnation = 1 WHERE name = 'lab'")
    vouched(desk)
    stale = desk.read(lambda tx: tx.keysets.domains(tx.database.incarnation))
    assert ["lab", "beef"] == [each.name for each in stale]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE network SET prefix = 'fe80' WHERE name = 'lab'",
        "UPDATE network SET short_id_last = 0 WHERE name = 'lab'",
        "UPDATE network SET profile = 'none' WHERE name = 'lab'",
        "UPDATE network SET name = x'6c' WHERE name = 'lab'",
        "UPDATE key_domain SET key_usages = '' WHERE name = 'lab'",
    ],
)
def test_a_row_that_makes_no_sense_is_left_as_it_is(desk: Desk, damage: str) -> None:
    """What it should say is for a backup to tell."""
    desk.sql(damage)
    vouched(desk)
    assert all(each.nonsense is not None for each in found(desk))
    assert found(desk)


def test_rows_of_a_database_that_is_in_use_are_not_vouched_for(tmp_path: Path) -> None:
    """Nothing else would be made anew then."""
    desk = Desk(tmp_path)
    desk.network()
    with pytest.raises(OperatorError) as caught:
        vouched(desk)
    assert ExitCode.REFUSED == caught.value.exit_code
