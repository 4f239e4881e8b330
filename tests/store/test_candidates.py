"""Keys that wait, in the transaction of the join that was made with one."""

import os

import pytest

from jrc.errors import ConflictError
from jrc.model import Secret
from jrc.service.applicants import Applicant, Purpose
from jrc.service.enroll import add_pledge
from jrc.service.withdrawing import withdraw_key
from jrc.store.candidates import put_candidate_in_force
from jrc.store.contexts import find_locked
from jrc.store.scope import Scope
from jrc.store.transaction import Transaction
from tests.desk import ACTOR, Desk, pledge_id


def test_a05_a_key_that_does_not_wait_any_more_never_comes_into_force(desk: Desk) -> None:
    """It was read when it did: withdrawn since, or in force since then, by a join of the batch."""
    desk.network()
    desk.pledge(1)
    who = Applicant(identifier=pledge_id(1), keys=Secret(os.urandom(16)))
    desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR, purpose=Purpose.NEXT_FIRMWARE))
    database = desk.database
    names = [pledge_id(1).value]
    with database.read(desk.now_ms) as tx:
        found = find_locked(tx.connection, database.keyring, database.mac, names)
    (waits,) = (known for known in found if known.candidate_id is not None)
    (other,) = (known for known in found if known.candidate_id is None)

    def put(tx: Transaction) -> None:
        put_candidate_in_force(Scope(tx.connection, tx.keyring, tx.mac, desk.now_ms), waits)

    def put_other(tx: Transaction) -> None:
        put_candidate_in_force(Scope(tx.connection, tx.keyring, tx.mac, desk.now_ms), other)

    desk.write(lambda tx: withdraw_key(tx, pledge_id(1), actor=ACTOR, agreed=True))
    before = desk.sql("SELECT state FROM credential ORDER BY id")
    for each in (put, put_other):
        with pytest.raises(ConflictError, match="does not wait any more"):
            database.write(each, desk.now_ms)
    assert before == desk.sql("SELECT state FROM credential ORDER BY id")
