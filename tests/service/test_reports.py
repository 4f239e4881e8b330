"""What a pledge reports, cleared by the operator (RFC 9031 §8.4.5)."""

from collections.abc import Iterator

import cbor2
import pytest

from jrc.errors import OperatorError
from jrc.service.enroll import remove_pledge
from jrc.service.events import list_events
from jrc.service.pledges import show_pledge
from jrc.service.reports import Cleared, clear_reports
from jrc.service.revoking import revoke_pledge
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, Desk, pledge_id
from tests.joining import Hall, hall_at

NAME = "00124b0000000001"
SHORT_IDENTIFIER, KEYS, JOIN_RATE = 3, 2, 7
"""Labels of RFC 9031 §8.4.2, Table 4, and one of no parameter that is sent here."""


@pytest.fixture
def hall(desk: Desk) -> Iterator[Hall]:
    """A registrar with a network."""
    desk.network()
    with hall_at(desk) as opened:
        yield opened


def request(*reported: object) -> bytes:
    return cbor2.dumps({5: b"\xca\xfe", **({8: list(reported)} if reported else {})})


def clear(desk: Desk) -> Cleared:
    return desk.write(lambda tx: clear_reports(tx, pledge_id(1), actor=ACTOR, reason="firmware 2"))


def is_leased(hall: Hall, pledge: OddPledge, *reported: object) -> bool:
    """Whether a join gives a short identifier."""
    return hall.join(pledge, request(*reported)).short_identifier is not None


def test_c07_a_cleared_label_is_in_the_next_configuration_again(hall: Hall) -> None:
    """RFC 9031 §8.4.5: new firmware may take what the old one could not."""
    pledge = hall.enroll(1)
    assert [True, False, False] == [
        is_leased(hall, pledge),
        is_leased(hall, pledge, 1, SHORT_IDENTIFIER, None),
        is_leased(hall, pledge),
    ]
    assert Cleared(pledge_id=NAME, labels=(SHORT_IDENTIFIER,), changed=True) == clear(hall.desk)
    assert is_leased(hall, pledge)
    assert () == hall.desk.read(lambda tx: show_pledge(tx, pledge_id(1))).unsupported


def test_c07_a_pledge_that_could_not_take_keys_may_join_once_that_is_cleared(hall: Hall) -> None:
    """RFC 9031 §8.4.5: until then it is refused."""
    pledge = hall.enroll(1)
    for _ in range(2):
        refused = hall.ask(pledge.request(request(1, KEYS, None)))
        assert refused is not None
        assert cbor2.loads(pledge.open(refused).payload)[1] == KEYS
    clear(hall.desk)
    hall.join(pledge)


def test_a_pledge_may_report_anew_after_it_was_cleared(hall: Hall) -> None:
    """What counts is what it said last."""
    pledge = hall.enroll(1)
    is_leased(hall, pledge, 1, SHORT_IDENTIFIER, None)
    clear(hall.desk)
    assert not is_leased(hall, pledge, 1, SHORT_IDENTIFIER, None)
    assert not is_leased(hall, pledge)


def test_clearing_is_in_the_audit_log_with_its_labels(hall: Hall) -> None:
    """Also labels that were reported with a value, which left nothing out."""
    pledge = hall.enroll(1)
    hall.join(pledge, request(1, SHORT_IDENTIFIER, None, 0, JOIN_RATE, 9))
    clear(hall.desk)
    last = hall.desk.read(lambda tx: list_events(tx, pledge=pledge_id(1)))[-1]
    assert ("pledge.reports_cleared", "firmware 2", ACTOR) == (last.kind, last.reason, last.actor)
    assert {"labels": [SHORT_IDENTIFIER, JOIN_RATE]} == last.detail


def test_with_nothing_reported_nothing_is_changed(hall: Hall) -> None:
    """No event, and no context is read anew."""
    hall.join(hall.enroll(1))
    before = hall.desk.database.instance
    assert Cleared(pledge_id=NAME, labels=(), changed=False) == clear(hall.desk)
    after = hall.desk.database.instance
    assert (before.event_number, before.policy_revision) == (
        after.event_number,
        after.policy_revision,
    )


def test_the_reports_of_others_stay(hall: Hall) -> None:
    """One pledge's firmware says nothing of another's."""
    first, second = hall.enroll(1), hall.enroll(2)
    for pledge in (first, second):
        is_leased(hall, pledge, 1, SHORT_IDENTIFIER, None)
    clear(hall.desk)
    assert [True, False] == [is_leased(hall, first), is_leased(hall, second)]


def test_a_revoked_pledge_stays_revoked(hall: Hall) -> None:
    """Clearing admits nobody."""
    pledge = hall.enroll(1)
    is_leased(hall, pledge, 1, SHORT_IDENTIFIER, None)
    hall.act(revoke_pledge)
    assert clear(hall.desk).changed
    assert hall.ask(pledge.request(request())) is None


def test_an_unknown_pledge_has_nothing_to_clear(hall: Hall) -> None:
    """As is one that was removed."""
    with pytest.raises(OperatorError, match="is unknown"):
        clear(hall.desk)
    hall.enroll(1)
    hall.act(remove_pledge)
    with pytest.raises(OperatorError, match="was removed"):
        clear(hall.desk)
