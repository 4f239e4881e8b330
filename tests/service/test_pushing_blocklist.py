"""Who is told of which revoked pledges, and when (RFC 9031 §8.4.2)."""

from jrc.cojp.objects import Configuration
from jrc.service.enroll import remove_pledge
from jrc.service.update_ports import UpdateError
from tests.desk import ACTOR, pledge_id
from tests.joining import hall_at
from tests.pushing import HOUR_MS, Bureau, answered, unanswered


def test_g01_the_blocklist_is_told_to_joined_nodes(bureau: Bureau) -> None:
    """A later list replaces it, an empty one clears it (RFC 9031 §8.4.2)."""
    bureau.join(1, 2, 3)
    bureau.join(9, role=1)
    bureau.revoke(2)
    gone = pledge_id(2).value
    assert dict.fromkeys((1, 3, 9), Configuration(blocklist=(gone,))) == bureau.told()
    bureau.revoke(3)
    both = (pledge_id(3).value, gone)
    assert dict.fromkeys((1, 9), Configuration(blocklist=both)) == bureau.told()
    for number in (2, 3):
        bureau.restore(number)
    found = bureau.told()
    assert (Configuration(blocklist=()),) * 2 == (found[1], found[9])


def test_g01_nodes_hear_of_the_newest_eight_and_a_6lbr_of_more(bureau: Bureau) -> None:
    """So that the update takes two frames; the oldest are out (RFC 9031 §8.4.2)."""
    bureau.join(1)
    bureau.join(9, role=1)
    revoked = range(100, 112)
    for number in revoked:
        bureau.desk.pledge(number, networks=("lab",))
        bureau.desk.now_ms += 1
        bureau.revoke(number)
    newest_first = tuple(pledge_id(number).value for number in reversed(revoked))
    found = bureau.told()
    assert newest_first[:8] == found[1].blocklist
    assert newest_first == found[9].blocklist


def test_g01_what_only_the_6lbr_hears_costs_the_nodes_nothing(bureau: Bureau) -> None:
    """The ninth is removed: their eight stay."""
    bureau.join(1)
    bureau.join(9, role=1)
    for number in range(100, 109):
        bureau.desk.pledge(number, networks=("lab",))
        bureau.desk.now_ms += 1
        bureau.revoke(number)
    bureau.told()
    bureau.desk.write(lambda tx: remove_pledge(tx, pledge_id(100), actor=ACTOR))
    assert [9] == list(bureau.told())
    assert bureau.place_number(1) == bureau.place_number(9)


def test_g01_a_node_that_joins_is_told_the_blocklist_soon_after(bureau: Bureau) -> None:
    """Join Responses of 6LNs stay small; a 6LBR has it already (RFC 9031 §8.4.2)."""
    bureau.desk.pledge(100, networks=("lab",))
    bureau.revoke(100)
    list_ = (pledge_id(100).value,)
    bureau.turn()
    joined = [*bureau.join(1), *bureau.join(9, role=1)]
    assert [None, list_] == [each.blocklist for each in joined]
    (update,) = bureau.look().updates
    assert 1 == bureau.number_of(update)
    bureau.turn(answered(update))
    assert () == bureau.look().updates
    assert bureau.place_number(1) == bureau.place_number(9) == 1


def test_g01_a_node_that_joins_again_has_lost_the_list(bureau: Bureau) -> None:
    """Also under a context that the join path remembers from before the update."""
    bureau.desk.pledge(100, networks=("lab",))
    bureau.revoke(100)
    with hall_at(bureau.desk) as hall:
        bureau.join_in(hall, 1)
        for _ in range(2):
            (update,) = bureau.look().updates
            bureau.turn(answered(update))
            assert bureau.place_number() == 1
            bureau.join_in(hall, 1)
            assert bureau.place_number() == -2


def test_g01_a_join_remembers_nothing_from_before_an_acknowledgement(bureau: Bureau) -> None:
    """What it read between the update and its answer is not what the node has now."""
    bureau.desk.pledge(100, networks=("lab",))
    bureau.revoke(100)
    with hall_at(bureau.desk) as hall:
        bureau.join_in(hall, 1)
        (update,) = bureau.look().updates
        hall.contexts.forget_all()
        hall.contexts.keep(hall.contexts.find(pledge_id(1).value))
        bureau.turn(answered(update))
        bureau.join_in(hall, 1)
    assert bureau.place_number() == -2


def test_k09_a_revoked_pledge_is_told_nothing(bureau: Bureau) -> None:
    """An update that is under way is called off."""
    bureau.join(1, 2)
    bureau.set(join_rate_bytes_per_s=1)
    updates = bureau.turn().updates
    refs = {update.node: update.ref.inner for update in updates}  # type: ignore[attr-defined]
    assert [] == bureau.desk.read(lambda tx: bureau.pushing.stale(tx, refs))
    bureau.revoke(1)
    row = bureau.row_number(1)
    assert [row] == bureau.desk.read(lambda tx: bureau.pushing.stale(tx, refs))
    outcomes = [
        unanswered(each, UpdateError.CANCELLED) if each.node == row else answered(each)
        for each in updates
    ]
    bureau.turn(*outcomes)
    for _ in range(3):
        bureau.desk.now_ms += HOUR_MS
        assert 1 not in bureau.told()
