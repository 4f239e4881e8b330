"""A key that waits for the next firmware, beside the one in force (row A5)."""

import os
from collections.abc import Callable
from typing import NamedTuple

import cbor2
import pytest

from jrc.cojp.constants import CoapCode
from jrc.errors import OperatorError, Reason
from jrc.model import Admission, Secret
from jrc.service.applicants import Applicant, Purpose
from jrc.service.approvals import approve_pledge
from jrc.service.enroll import Enrolled, add_pledge, remove_pledge
from jrc.service.examine import OnConflict
from jrc.service.explain import explain_pledge
from jrc.service.pledges import show_pledge
from jrc.service.replacing import Replacement, replace_pledge
from jrc.service.revoking import restore_pledge, revoke_pledge
from jrc.service.withdrawing import withdraw_key
from jrc.store.database import Database
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, KEK, Desk, pledge_id
from tests.joining import JOIN, Hall, hall_at
from tests.service.enrolling import derived, usable

SHORT_IDENTIFIER = 3
"""Label of RFC 9031 §8.4.2, Table 4."""
OTHER_NETWORK = bytes.fromhex("a10542beef")


def wait(desk: Desk, key: bytes, number: int = 1, **more: object) -> Enrolled:
    """A key for the next firmware of a pledge."""
    who = Applicant(identifier=pledge_id(number), keys=Secret(key), **more)  # type: ignore[arg-type]
    return desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR, purpose=Purpose.NEXT_FIRMWARE))


class Flashed(NamedTuple):
    """A device before and after its next firmware."""

    old: OddPledge
    new: OddPledge
    new_key: bytes


@pytest.fixture
def device(hall: Hall) -> Flashed:
    """One that has joined, and whose next key waits."""
    old = hall.enroll()
    hall.join(old)
    key = os.urandom(16)
    assert "pending" == wait(hall.desk, key).outcome
    hall.contexts.forget_all()
    return Flashed(old, OddPledge(pledge_id(1).value, key), key)


def keys(desk: Desk, number: int = 1) -> list[str]:
    """The states of a pledge's keys, newest first."""
    return [each.state for each in desk.read(lambda tx: show_pledge(tx, pledge_id(number))).keys]


def is_silent(hall: Hall, pledge: OddPledge) -> bool:
    return hall.ask(pledge.request(JOIN)) is None


def test_a05_both_keys_join_until_the_new_one_has(hall: Hall, device: Flashed) -> None:
    """Row A5: each with a window and numbers of its own, of which both begin at 0."""
    hall.join(device.old)
    assert ["candidate", "current"] == keys(hall.desk)
    hall.join(device.new)
    assert ["current", "superseded"] == keys(hall.desk)
    assert is_silent(hall, device.old)
    hall.join(device.new)


def test_a05_a_node_keeps_its_short_identifier_with_its_next_firmware(
    hall: Hall, device: Flashed
) -> None:
    """RFC 9031 §8.4.4.1: it is the same device."""
    assert hall.short_id(device.old) == hall.short_id(device.new) == hall.short_id(device.new)


def test_a05_the_secrets_of_the_key_before_are_gone_with_the_first_join(
    hall: Hall, device: Flashed
) -> None:
    """RFC 9031 §3: window and fingerprints stay."""
    before = hall.desk.sql("SELECT highest, seen FROM context_state WHERE context_id = 1")
    hall.join(device.new)
    rows = hall.desk.sql("SELECT wrapped_secret, psk_fingerprint FROM credential ORDER BY id")
    assert [(True, False), (False, False)] == [(s is None, p is None) for s, p in rows]
    assert [(b"",)] == hall.desk.sql("SELECT wrapped_keys FROM context WHERE credential_id = 1")
    assert before == hall.desk.sql("SELECT highest, seen FROM context_state WHERE context_id = 1")


def test_a05_c11_a_copy_of_the_last_answer_under_the_key_before_is_silent(
    hall: Hall, device: Flashed
) -> None:
    """Row C11: whatever another registrar has in memory."""
    request = device.old.request(JOIN)
    with hall_at(hall.desk) as other:
        assert hall.ask(request) is not None
        assert other.ask(request) is not None  # a copy, and the context is in its memory
        hall.join(device.new)
        assert hall.ask(request) is None
        assert other.ask(request) is None
        assert is_silent(other, device.old)
        assert other.metrics.drops[Reason.COPY_REFUSED] + other.metrics.drops[Reason.REVOKED] > 0


@pytest.mark.parametrize("new_first", [True, False])
def test_a05_both_keys_in_one_batch_take_a_transaction_each(
    hall: Hall, device: Flashed, new_first: bool
) -> None:
    """The key before is silent from the very transaction that the new one joins in."""
    pair = [device.new, device.old] if new_first else [device.old, device.new]
    hall.take(*(each.request(JOIN) for each in pair))
    assert 2 == len(hall.asks)
    ((before,),) = hall.desk.sql("SELECT commit_number FROM instance")
    hall.commit()
    ((after,),) = hall.desk.sql("SELECT commit_number FROM instance")
    assert (1 if new_first else 2) == after - before  # type: ignore[operator]
    assert (1 if new_first else 2) == len(hall.outbox.sent) - 1
    assert is_silent(hall, device.old)
    hall.join(device.new)


def test_a05_a_registrar_that_remembers_both_keys_learns_which_is_left(
    hall: Hall, device: Flashed
) -> None:
    """Two registrars on one database: the second one's memory is out of date."""
    with hall_at(hall.desk, Database.open(hall.desk.url, KEK)) as other:
        other.join(device.old)
        assert hall.ask(device.new.request(OTHER_NETWORK)) is not None
        hall.join(device.new)
        other.join(device.new)
        assert is_silent(other, device.old)
        other.database.close()


def test_a05_a_refusal_leaves_the_key_before_in_force(hall: Hall, device: Flashed) -> None:
    """Only a join shows that the device has come to stay; a copy of the refusal is answered."""
    request = device.new.request(OTHER_NETWORK)
    answer = hall.ask(request)
    assert answer is not None
    assert CoapCode.BAD_REQUEST == device.new.open(answer).code
    assert hall.ask(request) is not None
    hall.join(device.old)
    hall.join(device.new)
    assert is_silent(hall, device.old)


def test_a05_c07_what_the_firmware_before_could_not_do_is_forgotten(
    hall: Hall, device: Flashed
) -> None:
    """RFC 9031 §8.4.5: and what the next one can't do is said of it alone, once it has joined."""
    report = cbor2.dumps({5: b"\xca\xfe", 8: [1, SHORT_IDENTIFIER, None]})
    hall.join(device.old, report)
    assert hall.join(device.old).short_identifier is None
    refused = cbor2.dumps({5: b"\xbe\xef", 8: [1, 6, None]})
    assert hall.ask(device.new.request(refused)) is not None
    labels = hall.desk.sql("SELECT label FROM unsupported_parameter")
    assert [(SHORT_IDENTIFIER,)] == labels
    assert hall.join(device.new).short_identifier is not None
    assert [] == hall.desk.sql("SELECT label FROM unsupported_parameter")
    assert hall.join(device.new, report).short_identifier is None


def test_a05_the_next_firmware_is_where_it_has_joined(hall: Hall) -> None:
    """ADR 7: what a registrar remembers of a key that waits is older than the other one's joins."""
    hall.desk.network("hut", b"\xbe\xef")
    old, key = hall.enroll(networks=("lab", "hut")), os.urandom(16)
    hall.join(old)
    wait(hall.desk, key)
    hall.contexts.forget_all()
    new = OddPledge(pledge_id(1).value, key)
    assert hall.ask(new.request(bytes.fromhex("a10542abcd"))) is not None
    hall.join(old, OTHER_NETWORK)
    hall.join(new)
    assert [(1,)] == hall.desk.sql("SELECT network_id FROM node")


def test_a05_an_approval_is_for_the_device_whichever_key_it_has(hall: Hall) -> None:
    """Whoever waits to be approved retires no key; who was approved need not be again."""
    hall.desk.network("hut", b"\xbe\xef", admission=Admission.APPROVAL)
    old, key = hall.enroll(networks=("hut",)), os.urandom(16)
    wait(hall.desk, key)
    hall.contexts.forget_all()
    new = OddPledge(pledge_id(1).value, key)
    assert [None, None] == [hall.ask(each.request(OTHER_NETWORK)) for each in (old, new)]
    assert ["candidate", "current"] == keys(hall.desk)
    hall.act(approve_pledge)
    hall.contexts.forget_all()
    hall.join(old, OTHER_NETWORK)
    hall.join(new, OTHER_NETWORK)
    assert ["current", "superseded"] == keys(hall.desk)


def explained(hall: Hall) -> str:
    found = hall.desk.read(lambda tx: explain_pledge(tx, pledge_id(1), ()))
    return " ".join(fact.sentence for fact in found.facts)


def test_a05_the_join_that_changes_the_key_is_said(hall: Hall, device: Flashed) -> None:
    """By a counter, in the audit log before the join, and by `jrc pledge explain`."""
    hall.join(device.old)
    assert [] == hall.metrics.keys_changed
    assert "A key waits for its next firmware" in explained(hall)
    hall.join(device.new)
    hall.join(device.new)
    assert "a device with a former one does not verify" in explained(hall)
    assert [pledge_id(1).value] == hall.metrics.keys_changed
    kinds = [kind for (kind,) in hall.desk.sql("SELECT kind FROM event ORDER BY number")]
    assert ["pledge.key_changed", "pledge.joined", "pledge.joined"] == kinds[-3:]


def test_a05_a_third_key_takes_the_place_of_the_one_that_waits(hall: Hall, device: Flashed) -> None:
    """Two at most: a request is tried with two keys, never three."""
    key = os.urandom(16)
    assert "pending" == wait(hall.desk, key).outcome
    assert "unchanged" == wait(hall.desk, key).outcome
    hall.contexts.forget_all()
    assert ["candidate", "withdrawn", "current"] == keys(hall.desk)
    assert 2 == len(usable(hall.desk, pledge_id(1)))
    assert is_silent(hall, device.new)
    hall.join(device.old)
    hall.join(OddPledge(pledge_id(1).value, key))


def test_a05_a_key_that_waits_is_withdrawn(hall: Hall, device: Flashed) -> None:
    """The one in force stays, and the withdrawn one never comes back."""
    with pytest.raises(OperatorError, match="deleted for good"):
        hall.desk.write(lambda tx: withdraw_key(tx, pledge_id(1), actor=ACTOR))
    for changed in (True, False):
        done = hall.desk.write(lambda tx: withdraw_key(tx, pledge_id(1), actor=ACTOR, agreed=True))
        assert (changed, "joined") == (done.changed, done.state)
    hall.contexts.forget_all()
    assert is_silent(hall, device.new)
    hall.join(device.old)
    with pytest.raises(OperatorError, match="withdrawn: it can't come back"):
        wait(hall.desk, device.new_key)


def test_a05_a_key_that_is_replaced_takes_the_one_that_waits_with_it(
    hall: Hall, device: Flashed
) -> None:
    """Row A5: after a compromise no other key is left."""
    key = os.urandom(16)
    who = Applicant(identifier=pledge_id(1), keys=Secret(key))
    hall.desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR, on_conflict=OnConflict.REPLACE))
    assert ["current", "withdrawn", "superseded"] == keys(hall.desk)
    assert is_silent(hall, device.new)
    assert is_silent(hall, device.old)
    hall.join(OddPledge(pledge_id(1).value, key))


def _revoke(desk: Desk) -> None:
    desk.write(lambda tx: revoke_pledge(tx, pledge_id(1), actor=ACTOR))


def _replace(desk: Desk) -> None:
    who = Applicant(identifier=pledge_id(2), keys=Secret(os.urandom(16)))
    asked = Replacement(old=pledge_id(1), new=pledge_id(2), applicant=who)
    desk.write(lambda tx: replace_pledge(tx, asked, actor=ACTOR, agreed=True))


def _remove(desk: Desk) -> None:
    desk.write(lambda tx: remove_pledge(tx, pledge_id(1), actor=ACTOR))


@pytest.mark.parametrize("end", [_revoke, _replace, _remove])
def test_a05_a_pledge_that_is_put_out_has_no_key_that_waits(
    hall: Hall, device: Flashed, end: Callable[[Desk], None]
) -> None:
    """Row A5: and gets none; restored it goes on with the one that it had."""
    end(hall.desk)
    assert is_silent(hall, device.new)
    assert is_silent(hall, device.old)
    ((waiting,),) = hall.desk.sql("SELECT candidate_id FROM pledge WHERE id = 1")
    assert waiting is None
    with pytest.raises(OperatorError, match=r"gets no new key|no key in force"):
        wait(hall.desk, os.urandom(16))
    if end is not _remove:
        hall.desk.write(lambda tx: restore_pledge(tx, pledge_id(1), actor=ACTOR))
        hall.contexts.forget_all()
        hall.join(device.old)
        assert is_silent(hall, device.new)


def test_a05_no_key_waits_for_a_pledge_without_one(hall: Hall) -> None:
    """A first key is in force at once, and says so by being added without the option."""
    with pytest.raises(OperatorError, match="no key in force") as caught:
        wait(hall.desk, os.urandom(16), 9)
    assert "--pending-firmware" in caught.value.hint


def test_a05_a_key_that_waits_changes_nothing_else(hall: Hall) -> None:
    """Its label, role and networks are the device's own, whatever its firmware."""
    hall.enroll()
    with pytest.raises(OperatorError, match="differs in label"):
        wait(hall.desk, os.urandom(16), label="lamp")


def test_a02_a_key_that_waits_is_nobody_elses(hall: Hall, device: Flashed) -> None:
    """Row A2: it is its pledge's key as the one in force is."""
    with pytest.raises(OperatorError, match="is the one of pledge"):
        hall.enroll(2, key=device.new_key)
    who = Applicant(identifier=pledge_id(1), keys=Secret(device.new_key))
    with pytest.raises(OperatorError, match="waits for its next firmware"):
        hall.desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR, on_conflict=OnConflict.REPLACE))


def test_a06_derived_keys_wait_as_a_psk_does(hall: Hall) -> None:
    """RFC 9031 App. B: and the PSK they come from is the same key."""
    old, key = hall.enroll(), os.urandom(16)
    hall.join(old)
    who = Applicant(identifier=pledge_id(1), keys=derived(1, key))
    hall.desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR, purpose=Purpose.NEXT_FIRMWARE))
    assert "unchanged" == wait(hall.desk, key).outcome
    hall.contexts.forget_all()
    hall.join(OddPledge(pledge_id(1).value, key))
    assert is_silent(hall, old)


def test_b08_updates_go_out_with_the_key_that_was_last_joined_with(
    hall: Hall, device: Flashed
) -> None:
    """Row A5: the key that waits is told nothing."""

    def reached() -> bytes:
        found = hall.desk.write(lambda tx: tx.nodes.reach([1]))
        security: bytes = found[1].security.sender_key
        return security

    assert reached() == device.old.context.recipient_key
    hall.join(device.new)
    assert reached() == device.new.context.recipient_key


def test_n07_a_damaged_row_of_the_pledge_puts_no_key_in_force(hall: Hall, device: Flashed) -> None:
    """Who writes the database makes no key wait: the pledge's MAC covers which one does."""
    hall.desk.sql("UPDATE pledge SET candidate_id = credential_id, credential_id = candidate_id")
    hall.contexts.forget_all()
    assert is_silent(hall, device.new)
    assert is_silent(hall, device.old)


def test_a05_a_retired_key_stays_out_when_its_rows_come_back(hall: Hall, device: Flashed) -> None:
    """Whoever can write the database and has an old copy of it needs the pledge's row as well."""
    kept = hall.desk.sql("SELECT wrapped_keys FROM context WHERE credential_id = 1")[0][0]
    hall.join(device.new)
    hall.desk.sql("UPDATE context SET wrapped_keys = :kept WHERE credential_id = 1", kept=kept)
    hall.desk.sql(
        "INSERT INTO context_kid (kid_context, context_id) VALUES (:name, 1)",
        name=pledge_id(1).value,
    )
    hall.contexts.forget_all()
    assert is_silent(hall, device.old)
    hall.join(device.new)
