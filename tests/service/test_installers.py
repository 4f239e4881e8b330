"""When an installer is due, and what is remembered and said of its runs."""

from dataclasses import replace

import pytest
from sqlalchemy import insert

from jrc.errors import OperatorError, StateError
from jrc.model import KeySetState, PledgeId, PledgeState
from jrc.service.enroll import find_pledge
from jrc.service.events import EventReport, list_events
from jrc.service.installers import (
    InstallerId,
    Pace,
    Progress,
    check_known,
    record_of,
    record_outcome,
    retry_in_s,
    wanted_keys,
)
from jrc.service.key_document import InstallReason, WantedKeys
from jrc.service.network_reports import NetworkReport, show_network
from jrc.service.networks import remove_network
from jrc.service.records import InstallationRecord, JoinedNode
from jrc.service.registry import Registry
from jrc.store.schema import short_identifier
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import next_generation

LAB = InstallerId("lab", "exec")
PACE = Pace(retry_s=5, retry_max_s=60)


def wanted(desk: Desk) -> WantedKeys:
    """What the radio of ``lab`` is to have."""
    found = desk.read(lambda tx: wanted_keys(tx, "lab"))
    assert found is not None
    return found


def test_the_wait_doubles_up_to_the_most() -> None:
    """However long it has been failing."""
    waits = [retry_in_s(failures, PACE) for failures in (1, 2, 3, 4, 5, 6, 5000)]
    assert waits == [5, 10, 20, 40, 60, 60, 60]


def test_it_is_due_at_the_start_then_at_each_change(desk: Desk) -> None:
    """Keys that are in are not put in again."""
    desk.network()
    keys = wanted(desk)
    begun = Progress()
    assert (begun.wait_s(keys, 7.0), begun.reason()) == (0, InstallReason.START)
    done = begun.after(keys, installed=True, now_s=7.0, pace=PACE)
    assert done.wait_s(wanted(desk), 8.0) is None
    next_generation(desk, retire=True)
    assert (done.wait_s(wanted(desk), 8.0), done.reason()) == (0, InstallReason.CHANGE)
    other = replace(keys, identifiers=(b"\xbe\xef",))
    assert done.wait_s(other, 8.0) == 0


def test_a_local_radio_is_told_who_has_joined_and_may_stay(desk: Desk) -> None:
    """With the short identifier of this key domain; nobody else is told."""
    desk.network()
    joins(desk, 1, short=0x0102)
    joins(desk, 2)
    joins(desk, 3, short=0x0304)
    desk.pledge(4, networks=("lab",))
    revoked, damaged = pledge_id(3), pledge_id(2)
    desk.write(lambda tx: revoke(tx, revoked))
    assert wanted(desk).nodes is None
    assert nodes(desk) == (JoinedNode(pledge_id(1).value, 0x0102), JoinedNode(damaged.value, None))
    desk.sql("UPDATE pledge SET label = 'x' WHERE identifier = :i", i=damaged.value)
    desk.sql("UPDATE short_identifier SET last_generation = 9 WHERE value = 258")
    assert nodes(desk) == (JoinedNode(pledge_id(1).value, None),)


def revoke(tx: Registry, identifier: PledgeId) -> None:
    """A pledge is revoked; where it had joined is still known."""
    record = find_pledge(tx, identifier)
    tx.pledges.save(
        replace(record, state=PledgeState.REVOKED, state_before_revocation=PledgeState.PROVISIONED)
    )


def nodes(desk: Desk) -> tuple[JoinedNode, ...] | None:
    """What a local radio is told."""
    found = desk.read(lambda tx: wanted_keys(tx, "lab", with_nodes=True))
    assert found is not None
    return found.nodes


def joins(desk: Desk, number: int, short: int | None = None) -> None:
    """A pledge that has joined ``lab``, as the join path leaves it."""
    identifier, _ = desk.pledge(number, networks=("lab",))
    (row,) = desk.sql("SELECT id FROM pledge WHERE identifier = :i", i=identifier.value)
    desk.sql(
        "INSERT INTO node (pledge_id, network_id, role, generation_id, first_joined_at_ms,"
        " settings_number) VALUES (:p, 1, 0, 1, 1, 0)",
        p=row[0],
    )
    if short is not None:
        lease = {
            "domain_id": 1, "value": short, "pledge_id": row[0], "first_generation": 1,
            "last_generation": 1, "lease_until_ms": None, "released_at_ms": None, "version": 1,
        }  # fmt: skip
        desk.write(lambda tx: store_lease(tx, lease))


def store_lease(tx: Registry, lease: dict[str, object]) -> None:
    """A sealed row."""
    scope = tx.pledges._scope  # type: ignore[attr-defined]
    scope.connection.execute(insert(short_identifier), scope.mac.seal(short_identifier, lease))


def test_a_failure_waits_and_newer_keys_do_not(desk: Desk) -> None:
    """Backoff belongs to the keys that failed."""
    desk.network()
    keys = wanted(desk)
    failed = Progress().after(keys, installed=False, now_s=100.0, pace=PACE)
    assert (failed.wait_s(keys, 101.0), failed.wait_s(keys, 200.0)) == (4, 0)
    assert failed.reason() is InstallReason.START
    twice = failed.after(keys, installed=False, now_s=105.0, pace=PACE)
    assert twice.wait_s(keys, 105.0) == 10
    newer = replace(keys, generation=2)
    assert twice.wait_s(newer, 105.0) == 0
    assert twice.after(newer, installed=False, now_s=0.0, pace=PACE).wait_s(newer, 0.0) == 5


def test_keys_are_put_in_again_after_others_have_failed(desk: Desk) -> None:
    """What a program that failed has left in the radio is not known."""
    desk.network()
    keys = wanted(desk)
    newer = replace(keys, generation=2)
    progress = Progress().after(keys, installed=True, now_s=0.0, pace=PACE)
    progress = progress.after(newer, installed=False, now_s=1.0, pace=PACE)
    assert progress.wait_s(keys, 1.0) == 0


def test_what_is_wanted_is_every_set_that_is_not_retired(desk: Desk) -> None:
    """With the values of the database; a network that is not there wants nothing."""
    desk.network(key_usages=(6, 12))
    first = wanted(desk)
    assert (first.generation, len(first.values)) == (1, 2)
    desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR, agreed=True))
    assert desk.read(lambda tx: wanted_keys(tx, "lab")) is None


def test_sets_before_and_in_force_are_wanted(desk: Desk) -> None:
    """A radio may go on receiving with the former keys (RFC 9031 §8.4.3.1)."""
    desk.network()
    next_generation(desk, retire=False)
    states = [each.state for each in wanted(desk).key_sets]
    assert (wanted(desk).generation, states) == (2, [KeySetState.PREVIOUS, KeySetState.CURRENT])


def test_an_unknown_network_is_refused_by_its_key() -> None:
    """The second section is at fault, and its network nearly right."""
    named = {"installer[0].network": "lab", "installer[1].network": "lav"}
    with pytest.raises(OperatorError) as refusal:
        check_known(["lab"], named)
    assert refusal.value.message == (
        "installer[1].network: there is no network 'lav'; did you mean lab?"
    )


def run(desk: Desk, error: str | None = None, *, asked: bool = False) -> InstallationRecord:
    """A run that is remembered, a second after the last; a person may have asked for it."""
    desk.now_ms += 1000
    keys = wanted(desk)
    why = InstallReason.COMMAND if asked else InstallReason.CHANGE
    who = {"actor": ACTOR, "reason": "new radio"} if asked else {}
    return desk.write(lambda tx: record_outcome(tx, LAB, keys, error, why=why, **who))


def told(desk: Desk) -> list[EventReport]:
    """What the audit log says of installers."""
    return [event for event in desk.read(list_events) if event.kind.startswith("installer")]


def shown(desk: Desk) -> NetworkReport:
    return desk.read(lambda tx: show_network(tx, "lab"))


def test_the_audit_log_hears_of_turns_and_not_of_retries(desk: Desk) -> None:
    """Failed, works again, newer keys: an event each."""
    desk.network()
    for error in ("no radio", "no radio", "no radio, still", None, None):
        run(desk, error)
    next_generation(desk, retire=True)
    run(desk)
    assert [(event.kind, event.detail) for event in told(desk)] == [
        (
            "installer.failed",
            {"installer": "exec", "generation": 1, "error": "no radio"},
        ),
        ("installer.installed", {"installer": "exec", "generation": 1}),
        ("installer.installed", {"installer": "exec", "generation": 2}),
    ]
    assert {(event.actor, event.network) for event in told(desk)} == {("jrc", "lab")}


def test_each_run_that_a_person_asks_for_is_in_the_audit_log(desk: Desk) -> None:
    """With who and why."""
    desk.network()
    for _ in range(2):
        run(desk, asked=True)
    assert [(e.kind, e.actor, e.reason) for e in told(desk)] == [
        ("installer.installed", ACTOR, "new radio")
    ] * 2


def test_what_is_in_stays_known_while_newer_keys_fail(desk: Desk) -> None:
    """`network show` has generation, time and error; counts begin anew after a success."""
    desk.network()
    first = run(desk)
    next_generation(desk, retire=True)
    assert run(desk, "a").failures == 1
    last = run(desk, "b")
    assert (last.failures, last.error, last.generation) == (2, "b", 1)
    assert last.installed_at_ms == first.installed_at_ms
    (report,) = shown(desk).installers
    assert (report.installer, report.installed, report.generation) == ("exec", False, 1)
    assert (report.failures, report.error) == (2, "b")
    assert run(desk).failures == 0
    assert shown(desk).installers[0].generation == 2


def test_a_run_is_no_change_of_policy(desk: Desk) -> None:
    """Contexts in memory stay good: joins are not slowed by a program."""
    desk.network()
    before = desk.database.instance.policy_revision
    run(desk)
    assert desk.database.instance.policy_revision == before


def test_a_row_that_was_edited_is_not_believed(desk: Desk) -> None:
    """The MAC covers what an installer is said to have put in."""
    desk.network()
    run(desk)
    desk.sql("UPDATE installation SET generation = 7")
    with pytest.raises(StateError, match="installation 1, exec does not authenticate"):
        desk.read(lambda tx: record_of(tx, 1, "exec"))
