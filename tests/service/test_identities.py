"""Devices' public credentials in the registrar: one in force for each, none for two, none lost."""

import pytest

from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId
from jrc.service.enroll import plan_removal, remove_pledge
from jrc.service.events import list_events
from jrc.service.identities import (
    Outcome,
    Recorded,
    Sighting,
    checked_place,
    end,
    record,
    record_all,
)
from jrc.service.identity_reports import list_identities, show_identity
from jrc.service.identity_store import Origin
from jrc.service.pledges import show_pledge
from jrc.service.recover import quarantine
from jrc.service.revoking import revoke_pledge
from jrc.service.transferring import transfer_out
from tests.desk import ACTOR, Desk, pledge_id
from tests.identities import claims, credential
from tests.joining import Hall


def seen(device: int, key: int, place: str = "ttyACM0") -> Sighting:
    return Sighting(
        identifier=pledge_id(device),
        credential=credential(key),
        provenance=Origin.SERIAL,
        place=place,
    )


def see(desk: Desk, device: int, key: int) -> Recorded:
    return desk.write(lambda tx: record(tx, seen(device, key), actor=ACTOR, reason="bench"))


def in_force(desk: Desk) -> dict[str, str]:
    listed = desk.read(list_identities).identities
    return {each.pledge_id: each.identity.credential for each in listed}


def kinds(desk: Desk) -> list[str]:
    return [each.kind for each in desk.read(list_events) if each.kind.startswith("identity.")]


def test_the_first_is_new_the_same_is_the_same_and_another_takes_its_place(desk: Desk) -> None:
    """History stays; what was said once is not written again."""
    first = see(desk, 1, 1)
    desk.now_ms += 60_000
    again = see(desk, 1, 1)
    assert (first.outcome, again.outcome) == (Outcome.NEW, Outcome.SAME)
    assert (again.since, kinds(desk)) == (first.since, ["identity.recorded"])
    assert see(desk, 1, 2).outcome == Outcome.SUPERSEDED
    assert kinds(desk) == ["identity.recorded", "identity.superseded", "identity.recorded"]
    assert in_force(desk) == {str(pledge_id(1)): claims(2).hex()}
    found = desk.read(lambda tx: show_identity(tx, pledge_id(1)))
    assert [each.credential for each in found.history] == [claims(1).hex(), claims(2).hex()]
    assert [each.superseded is None for each in found.history] == [False, True]
    assert found.identity == found.history[-1]


def test_a_key_that_another_device_shows_is_refused_naming_both(desk: Desk) -> None:
    """Boards that were mixed up, or firmware with a key in it; whatever stands around the key."""
    see(desk, 1, 1)
    with pytest.raises(OperatorError, match=r"00124b0000000002 .* 00124b0000000001") as caught:
        see(desk, 2, 1)
    assert caught.value.exit_code is ExitCode.REFUSED
    assert "jrc identity remove 00124b0000000001" in caught.value.hint
    assert list(in_force(desk)) == [str(pledge_id(1))]
    see(desk, 1, 2)
    assert see(desk, 2, 1).outcome == Outcome.NEW  # the first has another one by now


def test_one_that_is_refused_among_many_hinders_none(desk: Desk) -> None:
    """In the order in which they were given; all that is good is there after one transaction."""
    several = [seen(1, 1), seen(2, 1), seen(3, 3), seen(1, 1), seen(3, 4)]
    done = desk.write(lambda tx: record_all(tx, several, actor=ACTOR))
    assert [each.outcome for each in done] == ["new", "refused", "new", "same", "superseded"]
    assert (done[0].error, str(pledge_id(1)) in str(done[1].error)) == (None, True)
    assert sorted(in_force(desk)) == [str(pledge_id(1)), str(pledge_id(3))]


def test_a_device_needs_no_pledge_and_shows_what_it_is_where_there_is_one(desk: Desk) -> None:
    """By identifier; a listing of a network has its pledges alone."""
    desk.network()
    desk.pledge(1, label="lamp")
    see(desk, 1, 1)
    see(desk, 2, 2)
    enrolled, stranger = desk.read(list_identities).identities
    assert (enrolled.state, enrolled.label, enrolled.networks) == ("provisioned", "lamp", ("lab",))
    assert (stranger.state, stranger.networks) == (None, ())
    of_lab = desk.read(lambda tx: list_identities(tx, network="lab")).identities
    assert [each.pledge_id for each in of_lab] == [str(pledge_id(1))]
    shown = desk.read(lambda tx: show_pledge(tx, pledge_id(1))).identity
    assert shown is not None
    assert (shown.curve, shown.where, shown.provenance) == ("P-256", "ttyACM0", "serial")
    with pytest.raises(OperatorError, match="no network"):
        desk.read(lambda tx: list_identities(tx, network="hall"))
    with pytest.raises(OperatorError, match="ever recorded"):
        desk.read(lambda tx: show_identity(tx, pledge_id(9)))


def test_a_node_is_shown_with_the_address_at_which_it_is_reached(hall: Hall) -> None:
    """What others need to talk to it; one that has not joined has none."""
    pledge = hall.enroll(1)
    hall.enroll(2)
    for number in (1, 2):
        see(hall.desk, number, number)
    hall.join(pledge)
    joined, other = hall.desk.read(list_identities).identities
    assert (joined.state, joined.address, other.address) == (
        "joined", "2001:db8::212:4b00:0:1", None
    )  # fmt: skip


def test_a_device_that_goes_leaves_its_identity_behind(desk: Desk) -> None:
    """Row A5: its next owner may read its keys. A revoked one keeps it, as it may come back."""
    desk.network()
    for number in (1, 2, 3):
        desk.pledge(number)
        see(desk, number, number)
    plan = desk.read(lambda tx: plan_removal(tx, pledge_id(1)))
    assert any("public identity" in sentence for sentence in plan.sentences)
    desk.write(lambda tx: remove_pledge(tx, pledge_id(1), actor=ACTOR))
    desk.write(lambda tx: transfer_out(tx, pledge_id(2), actor=ACTOR, agreed=True))
    desk.write(lambda tx: revoke_pledge(tx, pledge_id(3), actor=ACTOR))
    assert list(in_force(desk)) == [str(pledge_id(3))]
    events = desk.read(lambda tx: list_events(tx, kind="identity.superseded"))
    assert [each.detail["cause"] for each in events] == ["pledge.removed", "pledge.transferred"]
    assert desk.read(list_identities).identities[0].state == "revoked"
    assert see(desk, 1, 1).outcome == Outcome.NEW
    assert desk.read(list_identities).identities[0].state is None


def test_an_identity_that_was_ended_is_in_force_no_more(desk: Desk) -> None:
    """Another device may show its key then; twice is once."""
    see(desk, 1, 1)
    with pytest.raises(OperatorError, match="in force no more"):
        desk.write(lambda tx: end(tx, pledge_id(1), actor=ACTOR, agreed=False))
    assert desk.write(lambda tx: end(tx, pledge_id(1), actor=ACTOR)).changed
    assert not desk.write(lambda tx: end(tx, pledge_id(1), actor=ACTOR)).changed
    assert see(desk, 2, 1).outcome == Outcome.NEW
    assert desk.read(lambda tx: show_identity(tx, pledge_id(1))).identity is None


@pytest.mark.parametrize(
    "change", ["credential = x'a0'", "identifier = x'00124b0000000009'", "place = 'x'"]
)
def test_a_row_that_was_changed_past_the_program_counts_for_nothing(
    desk: Desk, change: str
) -> None:
    """It is left out of listings, and the device is taken anew as it is seen."""
    see(desk, 1, 1)
    desk.sql(f"UPDATE identity SET {change}")
    assert in_force(desk) == {}
    assert see(desk, 1, 1).outcome == Outcome.NEW
    assert in_force(desk) == {str(pledge_id(1)): claims(1).hex()}
    assert len(desk.read(lambda tx: show_identity(tx, pledge_id(1))).history) == 1


def test_a_listing_goes_on_where_it_ended(desk: Desk) -> None:
    """Pages in the order of devices, those of other networks passed over."""
    several = [seen(number, number) for number in range(1, 6)]
    desk.write(lambda tx: record_all(tx, several, actor=ACTOR))
    found: list[str] = []
    after: PledgeId | None = None
    while True:
        page = desk.read(lambda tx: list_identities(tx, after=after, limit=2))  # noqa: B023
        found += [each.pledge_id for each in page.identities]
        if page.next is None:
            break
        after = PledgeId.from_hex(page.next)
    assert found == [str(pledge_id(number)) for number in range(1, 6)]


def test_nothing_is_recorded_in_a_database_that_may_not_be_used(desk: Desk) -> None:
    """Neither one nor many."""
    desk.write(lambda tx: quarantine(tx, "a test", actor=ACTOR))
    for work in (
        lambda tx: record(tx, seen(1, 1), actor=ACTOR),
        lambda tx: record_all(tx, [seen(1, 1)], actor=ACTOR),
    ):
        with pytest.raises(OperatorError, match="quarantined"):
            desk.write(work)


@pytest.mark.parametrize("text", ["x" * 129, "a\x1b[31m", "a\nb"])
def test_a_place_is_a_short_line_that_can_be_shown(text: str) -> None:
    """Names of ports come from others."""
    with pytest.raises(ValueError, match="128 printable"):
        checked_place(text)
