"""What is shown of nodes, and the operator's hand on them."""

import pytest

from jrc.cojp.constants import CoapCode
from jrc.cojp.objects import Configuration
from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId, Profile
from jrc.policy.rollover import NodeState
from jrc.policy.settings import UNLIMITED_BYTES_PER_S
from jrc.service.node_orders import (
    Pushed,
    Throttled,
    push_nodes,
    set_sleep,
    throttle_network,
    throttle_nodes,
)
from jrc.service.nodes import NodeDetails, NodeReport, list_nodes, show_node
from jrc.service.pushing import LOOK_MS
from jrc.service.registry import Registry
from jrc.service.rollover import abort_rollover, start_rollover
from tests.desk import ACTOR, pledge_id
from tests.joining import next_generation
from tests.pushing import HOUR_MS, Bureau, answered, unanswered


def show(bureau: Bureau, number: int = 1) -> NodeDetails:
    return bureau.desk.read(lambda tx: show_node(tx, pledge_id(number)))


def nodes(bureau: Bureau, *, behind: bool = False, limit: int = 500) -> dict[str, NodeReport]:
    found: dict[str, NodeReport] = {}
    after: PledgeId | None = None

    def read(tx: Registry) -> list[NodeReport]:
        return list_nodes(tx, behind=behind, limit=limit, after=after)

    while True:
        page = bureau.desk.read(read)
        found |= {report.pledge_id: report for report in page}
        if len(page) < limit:
            return found
        after = PledgeId.from_hex(page[-1].pledge_id)


def push(bureau: Bureau, *numbers: int, network: str | None = None) -> Pushed:
    names = [pledge_id(number) for number in numbers]
    return bureau.desk.write(lambda tx: push_nodes(tx, names, network=network, actor=ACTOR))


def throttle(bureau: Bureau, rate: int | None, *numbers: int) -> Throttled:
    names = [pledge_id(number) for number in numbers]
    return bureau.desk.write(lambda tx: throttle_nodes(tx, names, rate, actor=ACTOR))


def throttle_lab(bureau: Bureau, rate: int | None) -> Throttled:
    return bureau.desk.write(lambda tx: throttle_network(tx, "lab", rate, actor=ACTOR))


def sleep(bureau: Bureau, sleep_s: int | None) -> NodeReport:
    return bureau.desk.write(lambda tx: set_sleep(tx, pledge_id(1), sleep_s, actor=ACTOR))


# Looking


def test_a_node_shows_what_it_is_to_have_and_what_it_has_acknowledged(bureau: Bureau) -> None:
    """Attempts, the last error and the next try go along (RFC 9031 §8.4.2)."""
    bureau.set(join_rate_bytes_per_s=70, lease_hours=24)
    bureau.join(1)
    assert (False, ()) == (show(bureau).node.behind, show(bureau).node.lacks)
    bureau.set(join_rate_bytes_per_s=30)
    bureau.turn(*map(unanswered, bureau.turn().updates))
    found = show(bureau)
    assert (True, ("settings",), False) == (
        found.node.behind, found.node.lacks, found.node.must_join
    )  # fmt: skip
    assert (1, "no_answer") == (found.node.attempts, found.node.last_error)
    assert found.node.next is not None
    assert found.node.acknowledged is None
    wanted, has = found.wanted, found.has
    assert (30, 70) == (wanted.join_rate_bytes_per_s, has.join_rate_bytes_per_s)
    assert (has.settings + 1, 24) == (wanted.settings, wanted.lease_hours)
    assert has.lease_until is not None
    bureau.desk.now_ms += HOUR_MS
    bureau.told()
    found = show(bureau)
    assert (found.wanted.settings, 30) == (found.has.settings, found.has.join_rate_bytes_per_s)
    assert found.node.acknowledged is not None


def test_a_node_that_joined_shows_that_it_has_no_blocklist(bureau: Bureau) -> None:
    """It is behind until it is told (RFC 9031 §8.4.2)."""
    bureau.desk.pledge(100, networks=("lab",))
    bureau.revoke(100)
    bureau.join(1)
    bureau.join(9, role=1)
    found = show(bureau)
    assert (None, (pledge_id(100).value.hex(),)) == (found.has.blocklist, found.wanted.blocklist)
    assert {str(pledge_id(1))} == set(nodes(bureau, behind=True))
    bureau.desk.now_ms += LOOK_MS
    bureau.told()
    assert {} == nodes(bureau, behind=True)
    assert found.wanted.blocklist == show(bureau).has.blocklist


def test_pages_leave_nobody_out(bureau: Bureau) -> None:
    """Also where only some are asked for."""
    bureau.join(*range(1, 8))
    throttle(bureau, 5, 2, 5, 7)
    assert 7 == len(nodes(bureau, limit=2))
    assert {str(pledge_id(n)) for n in (2, 5, 7)} == set(nodes(bureau, behind=True, limit=2))


def test_who_takes_no_updates_has_to_join_again(bureau: Bureau) -> None:
    """It is shown, and there is no next try."""
    bureau.join(1, profile=Profile.OPENWSN)
    bureau.set(join_rate_bytes_per_s=1)
    node = show(bureau).node
    assert (False, True, True, None) == (
        node.takes_updates, node.behind, node.must_join, node.next
    )  # fmt: skip


def test_who_has_not_joined_is_no_node(bureau: Bureau) -> None:
    """The sentence says where to look; nor is one that was revoked."""
    bureau.desk.pledge(3, networks=("lab",))
    with pytest.raises(OperatorError, match="is no node: it is provisioned"):
        show(bureau, 3)
    bureau.join(1)
    bureau.revoke(1)
    with pytest.raises(OperatorError, match="is no node: it is revoked"):
        show(bureau, 1)
    assert {} == nodes(bureau)


# Push


def test_a_push_tells_at_once_whoever_waits_for_its_next_try(bureau: Bureau) -> None:
    """And nobody else; it counts them."""
    bureau.join(1, 2)
    bureau.set(join_rate_bytes_per_s=1)
    first, second = bureau.turn().updates
    bureau.turn(answered(first), unanswered(second))
    assert {} == bureau.told()
    expected = Pushed(told=1, up_to_date=1, must_join=(), must_join_count=0)
    assert expected == push(bureau, network="lab")
    assert [2] == list(bureau.told())
    assert 2 == push(bureau, 1, 2).up_to_date


def test_a_push_tells_what_was_refused_once_more(bureau: Bureau) -> None:
    """The operator may know better than the node's last word."""
    bureau.join(1)
    bureau.set(join_rate_bytes_per_s=1)
    (update,) = bureau.turn().updates
    bureau.turn(answered(update, CoapCode.NOT_FOUND))
    assert 1 == push(bureau, 1).told
    assert {1: Configuration(join_rate_bytes_per_s=1)} == bureau.told()


def test_e05_who_missed_a_rollover_has_to_join_again(bureau: Bureau) -> None:
    """No update reaches a node that has keys of the past (RFC 9031 §8.4.3.1)."""
    bureau.join(1)
    next_generation(bureau.desk, retire=True)
    expected = Pushed(told=0, up_to_date=0, must_join=(str(pledge_id(1)),), must_join_count=1)
    assert expected == push(bureau, 1)
    assert show(bureau).node.must_join


def test_a_push_tells_the_keys_of_a_running_rollover(bureau: Bureau) -> None:
    """A straggler that is up again need not wait for its next try."""
    bureau.join(1)
    bureau.desk.write(lambda tx: start_rollover(tx, "lab", actor=ACTOR))
    bureau.turn(*map(unanswered, bureau.turn().updates))
    assert () == bureau.turn().updates
    bureau.set(join_rate_bytes_per_s=1)
    assert 1 == push(bureau, 1).told
    bureau.told()
    (row,) = bureau.desk.read(lambda tx: tx.rollovers.nodes(1))
    assert NodeState.REACHED is row.state


def test_too_many_names_are_refused(bureau: Bureau) -> None:
    """A network's name stands for all of them."""
    names = [pledge_id(number) for number in range(1001)]
    with pytest.raises(OperatorError, match="more than the 1000") as refusal:
        bureau.desk.write(lambda tx: push_nodes(tx, names, actor=ACTOR))
    assert ExitCode.USAGE is refusal.value.exit_code


# Sleep


def test_how_long_a_node_sleeps_is_kept(bureau: Bureau) -> None:
    """And written down once."""
    bureau.join(1)
    for sleep_s in (7200, 7200, None):
        assert sleep_s == sleep(bureau, sleep_s).sleeps_s
    assert 2 == len(bureau.events("node.changed"))
    with pytest.raises(OperatorError, match="1 s to 30 days"):
        sleep(bureau, 0)


# Throttling


def test_g02_a_node_is_throttled_until_it_is_lifted(bureau: Bureau) -> None:
    """0 closes joining there; the others go on as before (RFC 9031 §8.4.2)."""
    bureau.set(join_rate_bytes_per_s=90)
    bureau.join(1, 2)
    done = throttle(bureau, 0, 1)
    assert ({str(pledge_id(1)): 0}, True) == (done.join_rates_bytes_per_s, done.changed)
    assert {1: Configuration(join_rate_bytes_per_s=0)} == bureau.told()
    assert not throttle(bureau, 0, 1).changed
    bureau.set(join_rate_bytes_per_s=80)
    found = bureau.told()
    assert [0, 80] == [found[number].join_rate_bytes_per_s for number in (1, 2)]
    throttle(bureau, None, 1)
    assert {1: Configuration(join_rate_bytes_per_s=80)} == bureau.told()


def test_g02_a_throttle_outlasts_a_join(bureau: Bureau) -> None:
    """A Join Response says the network's rate; the node's own follows."""
    bureau.join(1, 2)
    throttle(bureau, 7, 1)
    bureau.told()
    bureau.join(1)
    bureau.desk.now_ms += LOOK_MS
    assert {1: Configuration(join_rate_bytes_per_s=7)} == bureau.told()
    assert 7 == show(bureau).has.join_rate_bytes_per_s


def test_g02_a_throttle_waits_for_a_pledge_to_join(bureau: Bureau) -> None:
    """It is told right after."""
    bureau.desk.pledge(1, networks=("lab",))
    throttle(bureau, 7, 1)
    assert {} == bureau.told()
    bureau.desk.sql("DELETE FROM node")
    bureau.join(2)
    assert {} == bureau.told()


def test_g02_a_throttle_that_may_have_arrived_is_lifted(bureau: Bureau) -> None:
    """It was sent, and never acknowledged."""
    bureau.join(1)
    throttle(bureau, 7, 1)
    (update,) = bureau.turn().updates
    throttle(bureau, None, 1)
    bureau.turn(unanswered(update))
    bureau.desk.now_ms = bureau.row().next_at_ms or 0
    assert {1: Configuration(join_rate_bytes_per_s=UNLIMITED_BYTES_PER_S)} == bureau.told()


def test_g02_a_throttle_that_changes_under_way_is_told_again(bureau: Bureau) -> None:
    """The acknowledgement is of the former."""
    bureau.join(1)
    throttle(bureau, 7, 1)
    (update,) = bureau.turn().updates
    throttle(bureau, 9, 1)
    bureau.turn(answered(update))
    assert {} != nodes(bureau, behind=True)
    bureau.told()
    assert 9 == show(bureau).has.join_rate_bytes_per_s


def test_g02_a_network_is_throttled_beside_its_own_rate(bureau: Bureau) -> None:
    """Which comes back when it is lifted; the lowest of all counts at a node."""
    bureau.set(join_rate_bytes_per_s=90)
    bureau.join(1, 2)
    throttle(bureau, 40, 1)
    bureau.told()
    rates = []
    for rate in (50, 10, None):
        done = throttle_lab(bureau, rate)
        told = bureau.told()
        rates.append((done.join_rates_bytes_per_s["lab"], told[2].join_rate_bytes_per_s))
        (joined,) = bureau.join(2)
        assert done.join_rates_bytes_per_s["lab"] == joined.join_rate_bytes_per_s
        bureau.desk.now_ms += LOOK_MS
        bureau.told()
        assert min(40, rate or 40) == show(bureau).has.join_rate_bytes_per_s
    assert [(50, 50), (10, 10), (90, 90)] == rates


@pytest.mark.parametrize("rate", [-1, 2**32])
def test_a_rate_out_of_bounds_is_refused(bureau: Bureau, rate: int) -> None:
    """Before anything is written."""
    bureau.join(1)
    with pytest.raises(OperatorError, match="join-rate") as refusal:
        throttle(bureau, rate, 1)
    assert ExitCode.USAGE is refusal.value.exit_code


def test_who_takes_no_updates_cannot_be_throttled_alone(bureau: Bureau) -> None:
    """Its network can."""
    bureau.join(1, profile=Profile.OPENWSN)
    with pytest.raises(OperatorError, match="takes no updates"):
        throttle(bureau, 5, 1)


def test_a_node_that_a_rollover_waits_for_lacks_keys_and_can_be_told_now(bureau: Bureau) -> None:
    """While they are distributed, and after an abort, which owes it the keys in force."""
    bureau.join(1, 2)
    bureau.desk.write(lambda tx: start_rollover(tx, "lab", actor=ACTOR))
    assert ("keys",) == show(bureau).node.lacks
    updates = bureau.turn().updates
    bureau.turn(*(unanswered(update) for update in updates))
    assert 0 == len(bureau.turn().updates)
    assert 1 == push(bureau, 1).told
    (update,) = bureau.turn().updates
    bureau.turn(unanswered(update))
    bureau.desk.write(lambda tx: abort_rollover(tx, "lab", actor=ACTOR))
    assert (("keys",), False) == (show(bureau).node.lacks, show(bureau).node.must_join)
    assert {"keys"} == {word for node in nodes(bureau, behind=True).values() for word in node.lacks}
    bureau.turn(*map(answered, bureau.turn().updates))
    assert () == show(bureau).node.lacks
