"""How updates with keys end, and what is written of it."""

import pytest

from jrc.cojp.codec import encode_unsupported
from jrc.cojp.constants import CoapCode
from jrc.cojp.objects import UnsupportedParameter
from jrc.errors import ConflictError
from jrc.policy.rollover import NodeState
from jrc.service.update_ports import UpdateError, UpdateHint
from tests.joining import hall_at
from tests.service.office import SECOND_MS, Office, answered, unanswered


def test_e02_only_a_verified_success_counts_as_reached(office: Office) -> None:
    """The rollover goes on to the switch when all are (RFC 9031 §8.4.3.1)."""
    office.join(1, 2)
    office.start()
    first, second = office.turn().updates
    office.turn(answered(first), unanswered(second, hint=UpdateHint.ACKNOWLEDGED))
    assert (NodeState.REACHED, office.desk.now_ms) == (
        office.node(1).state,
        office.node(1).reached_at_ms,
    )
    assert NodeState.UNREACHABLE is office.node(2).state
    assert "no_answer (acknowledged)" == office.node(2).last_error
    assert {1} == office.keying.touched


def test_e05_who_does_not_answer_is_tried_again_ever_more_seldom(office: Office) -> None:
    """After 5 minutes, then 10, up to an hour."""
    office.join(1)
    office.start()
    waits = []
    for _ in range(6):
        (update,) = office.turn().updates
        office.turn(unanswered(update))
        next_ms = office.node().next_at_ms
        assert next_ms is not None
        waits.append((next_ms - office.desk.now_ms) // 1000)
        office.desk.now_ms = next_ms
    assert [300, 600, 1200, 2400, 3600, 3600] == waits


def test_a_node_that_sleeps_is_tried_when_it_may_be_awake(office: Office) -> None:
    """The operator says how long it sleeps."""
    office.join(1)
    office.desk.sql("UPDATE node SET sleep_s = 7200")
    office.start()
    (update,) = office.turn().updates
    office.turn(unanswered(update))
    assert office.desk.now_ms + 7200 * SECOND_MS == office.node().next_at_ms


def test_the_addresses_of_a_node_take_turns(office: Office) -> None:
    """EUI-64 and short form; the operator's word is the only one (RFC 9031 §8.2.1)."""
    office.join(1)
    office.start()
    seen = []
    for address in (None, None, None, "2001:db8:7::9", "2001:db8:7::9"):
        office.desk.sql("UPDATE node SET address = :a", a=address)
        (update,) = office.turn().updates
        seen.append(str(update.address))
        office.turn(unanswered(update))
        office.desk.now_ms = office.node().next_at_ms or 0
    ((short_id,),) = office.desk.sql("SELECT value FROM short_identifier")
    eui64, short = "2001:db8::212:4b00:0:1", f"2001:db8::ff:fe00:{short_id:x}"
    assert [eui64, short, eui64, "2001:db8:7::9", "2001:db8:7::9"] == seen


def test_e04_a_refusal_is_stored_and_the_rollover_goes_on(office: Office) -> None:
    """4.00 with Unsupported_Configuration (RFC 9031 §8.3)."""
    office.join(1)
    office.start()
    (update,) = office.turn().updates
    payload = encode_unsupported((UnsupportedParameter(0, 2),))
    office.turn(answered(update, CoapCode.BAD_REQUEST, payload))
    assert (NodeState.REFUSED, "4.00 can't act upon label 2") == (
        office.node().state,
        office.node().last_error,
    )
    assert [(2, 0)] == office.desk.sql("SELECT label, code FROM unsupported_parameter")
    office.desk.now_ms += 86_400 * SECOND_MS
    assert () == office.turn().updates


@pytest.mark.parametrize(
    ("code", "payload", "error"),
    [(CoapCode.NOT_FOUND, b"", "4.04"), (CoapCode.BAD_REQUEST, b"\xff", "4.00")],
)
def test_e04_any_other_error_is_shown(
    office: Office, code: int, payload: bytes, error: str
) -> None:
    """What can't be read is its code alone."""
    office.join(1)
    office.start()
    (update,) = office.turn().updates
    office.turn(answered(update, code, payload))
    assert (NodeState.REFUSED, error) == (office.node().state, office.node().last_error)


def test_e03_an_answer_counts_only_for_what_the_node_has_now(office: Office) -> None:
    """A node that joined meanwhile has lost the new keys, whatever it acknowledged before."""
    (pledge,) = office.join(1)
    office.start()
    (update,) = office.turn().updates
    with hall_at(office.desk) as hall:
        assert [1] == [key.key_id for key in hall.join(pledge).keys]
    assert (NodeState.PENDING, office.desk.now_ms) == (
        office.node().state,
        office.node().next_at_ms,
    )
    with pytest.raises(ConflictError):
        office.turn(answered(update))
    office.keying.anew = True
    (again,) = office.turn(answered(update)).updates
    assert NodeState.SENT is office.node().state
    office.turn(answered(again))
    assert NodeState.REACHED is office.node().state


def test_n09_an_update_that_was_called_off_is_told_anew(office: Office) -> None:
    """Nothing was heard of it, so it counts as nothing."""
    office.join(1)
    office.start()
    (update,) = office.turn().updates
    office.turn(unanswered(update, UpdateError.CANCELLED))
    assert NodeState.SENT is office.node().state
    office.desk.now_ms += SECOND_MS
    (again,) = office.turn().updates
    assert update.numbers.reserved <= again.numbers.first


@pytest.mark.parametrize(
    "reported",
    [
        (UnsupportedParameter(0, 2**63),),
        (UnsupportedParameter(2**64 - 1, 2),),
        tuple(UnsupportedParameter(0, 1000 + each) for each in range(40)),
    ],
)
def test_c07_what_no_column_holds_is_not_stored(
    office: Office, reported: tuple[UnsupportedParameter, ...]
) -> None:
    """A joined node may say anything in an answer that verifies (RFC 9031 §8.4.5)."""
    office.join(1)
    office.start()
    (update,) = office.turn().updates
    office.turn(answered(update, CoapCode.BAD_REQUEST, encode_unsupported(reported)))
    assert NodeState.REFUSED is office.node().state
    assert [] == office.desk.sql("SELECT * FROM unsupported_parameter")


def test_c07_what_can_not_be_set_at_all_stays_so(office: Office) -> None:
    """Whatever is said of one value of it later (RFC 9031 §8.4.5)."""
    office.join(1)
    tell = office.desk.write
    tell(lambda tx: tx.nodes.report(1, [(0, 7, b"\x01"), (1, 7, None), (0, 7, b"\x02")]))
    tell(lambda tx: tx.nodes.report(1, [(0, 7, b"\x03"), (0, 4, b"\x04")]))
    expected = [(4, b"\x04"), (7, None)]
    query = "SELECT label, addinfo FROM unsupported_parameter ORDER BY label"
    assert expected == office.desk.sql(query)
