"""One answer to why a device does not get in, on a real database and the real join path."""

import os
from collections.abc import Callable, Iterator
from ipaddress import IPv6Address

import pytest

from jrc.errors import Reason
from jrc.model import Admission, PledgeId, Profile, Secret, ShortIdRange
from jrc.policy.interface import Interface
from jrc.service.applicants import Applicant
from jrc.service.enroll import add_pledge, remove_pledge
from jrc.service.examine import OnConflict
from jrc.service.explain import Explanation, explain_pledge, explain_strangers
from jrc.service.networks import NetworkChanges, remove_network, set_network
from jrc.service.revoking import revoke_pledge
from jrc.service.wording import utc_text
from tests.daemon.wire import OddPledge
from tests.desk import ACTOR, NOW_MS, Desk, pledge_id
from tests.joining import JOIN, Hall, hall_at
from tests.service.fakes import Path

REPORT_NO_KEYS = bytes.fromhex("a20542cafe08830002f6")
"""A Join Request that says that key sets can't be taken (RFC 9031 §8.4.5)."""


@pytest.fixture
def hall(desk: Desk) -> Iterator[Hall]:
    """A registrar with the network ``lab``."""
    desk.network()
    with hall_at(desk) as opened:
        yield opened


def explained(hall: Hall, identifier: PledgeId | None = None) -> Explanation:
    """What is said of a pledge, the first one if no other is named."""
    name = identifier or pledge_id(1)
    attempts = hall.attempts.of(name.value)
    return hall.desk.read(lambda tx: explain_pledge(tx, name, attempts))


def reasons(found: Explanation) -> list[tuple[str, bool]]:
    return [(fact.reason, fact.blocks) for fact in found.facts]


def outcomes(found: Explanation) -> list[tuple[str, int, bool]]:
    assert found.attempts is not None
    return [(each.outcome, each.count, each.authenticated) for each in found.attempts]


def changed(desk: Desk, admission: Admission) -> None:
    changes = NetworkChanges(admission=admission)
    desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR))


# --- What it tried -----------------------------------------------------------------------------


def test_a_join_is_told_with_network_and_short_identifier(hall: Hall) -> None:
    """So that one command also tells that all is well here."""
    pledge = hall.enroll()
    short_id = hall.short_id(pledge)
    found = explained(hall)
    assert ("joined", [], [("joined", 1, True)]) == (found.state, reasons(found), outcomes(found))
    assert found.attempts is not None
    (attempt,) = found.attempts
    assert ("lab", f"{short_id:04x}", "::1") == (attempt.network, attempt.short_id, attempt.peer)
    assert utc_text(NOW_MS) == attempt.first == attempt.last
    assert found.heard is None


def test_a_join_through_the_own_join_proxy_names_the_device_and_the_interface(hall: Hall) -> None:
    """Its link-local address, which the registrar itself does not see (RFC 9031 §7.1)."""
    through = Path(own=(IPv6Address("fe80::1:2").packed, "lowpan0"))
    hall.ask(hall.enroll().request(JOIN), way=through)
    hall.ask(OddPledge(b"\x01", bytes(range(16))).request(JOIN), way=through)
    (tried,) = explained(hall).attempts or ()
    (stranger,) = hall.desk.read(lambda tx: explain_strangers(tx, hall.attempts.unknown()))
    expected = ("fe80::1:2", "lowpan0")
    assert expected == (tried.peer, tried.own_proxy)
    assert expected == (stranger.peer, stranger.own_proxy)


def test_what_was_mended_is_not_explained_again(hall: Hall) -> None:
    """Back to the last join: an older refusal is listed, and needs nothing to be done."""
    pledge = hall.enroll()
    changed(hall.desk, Admission.WINDOW)
    hall.ask(pledge.request(JOIN))
    changed(hall.desk, Admission.KNOWN)
    hall.contexts.forget_all()
    hall.join(pledge)
    hall.desk.now_ms += 1
    hall.ask(pledge.request(b"\xff"))
    found = explained(hall)
    assert [each.outcome for each in found.meanings] == ["malformed_object", "joined"]
    assert outcomes(found)[-1] == ("window_closed", 1, True)


def test_c11_copies_that_were_answered_are_told_apart(hall: Hall) -> None:
    """Many of them mean that answers don't reach the pledge."""
    request = hall.enroll().request(JOIN)
    for _ in range(3):
        assert hall.ask(request) is not None
    assert outcomes(explained(hall)) == [("resent", 2, True), ("joined", 1, True)]


def test_a_wrong_key_is_told_as_not_authenticated(hall: Hall) -> None:
    """Anybody can use an identifier; what it says of the key is told all the same."""
    hall.desk.pledge(1)
    hall.contexts.learn([pledge_id(1).value])
    device = OddPledge(pledge_id(1).value, os.urandom(16))
    for _ in range(4):
        assert hall.ask(device.request(JOIN)) is None
    found = explained(hall)
    assert outcomes(found) == [("bad_tag", 4, False)]
    assert "key" in found.meanings[0].what_to_do


def test_a_replay_and_a_late_copy_are_told(hall: Hall) -> None:
    """A device that forgets its numbers looks like a replay for ever."""
    pledge = hall.enroll()
    old = pledge.request(JOIN)
    hall.ask(old)
    hall.join(pledge)
    assert hall.ask(old) is None
    found = explained(hall)
    assert outcomes(found)[0] == ("replayed", 1, False) or ("replayed", 1, False) in outcomes(found)
    assert ("joined", 2, True) in outcomes(found)


def test_a_verified_request_that_is_no_join_is_told(hall: Hall) -> None:
    """The reason is the one that metrics count."""
    pledge = hall.enroll()
    hall.ask(pledge.request(b"\xff"))
    assert hall.metrics.answers[-1][1] is not None
    assert outcomes(explained(hall)) == [(hall.metrics.answers[-1][1].value, 1, True)]


def test_who_was_not_heard_of_is_said_to_stop_before_the_registrar(hall: Hall) -> None:
    """Provisioned, and no datagram came: the way is the next place to look."""
    hall.enroll()
    found = explained(hall)
    assert (found.attempts, reasons(found)) == ((), [])
    assert found.heard is not None
    assert "Join Proxy" in found.heard.what_to_do


def test_without_a_daemon_nothing_is_said_of_attempts(hall: Hall) -> None:
    """They were in its memory."""
    hall.enroll()
    found = hall.desk.read(lambda tx: explain_pledge(tx, pledge_id(1), None))
    assert (None, None, ()) == (found.attempts, found.heard, found.meanings)


# --- What the database says --------------------------------------------------------------------


def unknown(hall: Hall) -> None:
    """Nobody has added it."""


def removed(hall: Hall) -> None:
    hall.enroll()
    hall.act(remove_pledge)


def staged(hall: Hall) -> None:
    hall.enroll()
    hall.desk.sql("INSERT INTO import_batch VALUES (1, 'f', 'a', '', 'staged', 1, NULL, 1)")
    hall.desk.sql("UPDATE pledge SET import_id = 1")


def revoked(hall: Hall) -> None:
    hall.enroll()
    hall.act(revoke_pledge)


def without_network(hall: Hall) -> None:
    hall.enroll()
    hall.desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR, agreed=True))


def without_keys(hall: Hall) -> None:
    hall.enroll()
    hall.desk.write(lambda tx: tx.keysets.retire_all(1))


def damaged_keys(hall: Hall) -> None:
    hall.enroll()
    hall.desk.sql("UPDATE key_generation SET state = 'retired'")


def outside_window(hall: Hall) -> None:
    hall.enroll()
    changed(hall.desk, Admission.WINDOW)


def not_approved(hall: Hall) -> None:
    hall.enroll()
    changed(hall.desk, Admission.APPROVAL)


def waiting(hall: Hall) -> None:
    pledge = hall.enroll()
    changed(hall.desk, Admission.APPROVAL)
    hall.ask(pledge.request(JOIN))


def damaged_row(hall: Hall) -> None:
    hall.enroll()
    hall.desk.sql("UPDATE pledge SET role = 1")


def damaged_window(hall: Hall) -> None:
    hall.enroll()
    hall.desk.sql("UPDATE context_state SET highest = 7")


def without_key_sets(hall: Hall) -> None:
    hall.ask(hall.enroll().request(REPORT_NO_KEYS))


def without_identifiers(hall: Hall) -> None:
    changes = NetworkChanges(short_ids=ShortIdRange(1, 1))
    hall.desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR))
    hall.join(hall.enroll(2))
    hall.enroll(1)


def without_address(hall: Hall) -> None:
    hall.enroll()
    there = {"lowpan0": Interface("lowpan0", 3, is_up=True)}
    changes = NetworkChanges(jrc_address_from="lowpan0")
    hall.desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR, seen=there))


@pytest.mark.parametrize(
    ("make", "reason", "word"),
    [
        (unknown, Reason.UNKNOWN_CONTEXT, "not provisioned"),
        (removed, Reason.UNKNOWN_CONTEXT, "removed"),
        (staged, Reason.UNKNOWN_CONTEXT, "not published"),
        (revoked, Reason.REVOKED, "revoked"),
        (without_network, Reason.UNKNOWN_NETWORK, "no network"),
        (without_keys, Reason.NO_KEYS, "lab has no keys"),
        (outside_window, Reason.WINDOW_CLOSED, "lab has no open window"),
        (not_approved, Reason.AWAITING_APPROVAL, "has not asked yet"),
        (waiting, Reason.AWAITING_APPROVAL, utc_text(NOW_MS)),
        (damaged_row, Reason.DAMAGED_STATE, "its row"),
        (damaged_keys, Reason.DAMAGED_STATE, "key_generation 1"),
        (damaged_window, Reason.DAMAGED_STATE, "replay window"),
        (without_key_sets, Reason.KEYS_UNSUPPORTED, "key set"),
        (without_address, Reason.NO_JRC_ADDRESS, "interface lowpan0, which has none"),
        (without_identifiers, Reason.NO_SHORT_IDENTIFIER, "lab has no short identifier"),
    ],
)
def test_each_thing_that_keeps_a_pledge_out_is_said(
    hall: Hall, make: Callable[[Hall], None], reason: Reason, word: str
) -> None:
    """With the code that its requests are counted under, and what to do."""
    make(hall)
    found = explained(hall)
    assert (reason.value, True) in reasons(found)
    (fact,) = [fact for fact in found.facts if fact.reason == reason.value]
    assert word in fact.sentence
    assert fact.what_to_do


def test_the_code_that_is_said_is_the_one_that_is_met(hall: Hall) -> None:
    """A refusal and its explanation are one thing."""
    pledge = hall.enroll()
    changed(hall.desk, Admission.WINDOW)
    hall.ask(pledge.request(JOIN))
    found = explained(hall)
    assert ("window_closed", True) in reasons(found)
    assert outcomes(found) == [("window_closed", 1, True)]


def test_a_device_that_is_told_no_address_does_not_miss_one(hall: Hall) -> None:
    """Its profile leaves the parameter out, on the join path as here."""
    without_address(hall)
    assert ("no_jrc_address", True) in reasons(explained(hall))
    changes = NetworkChanges(profile=Profile.OPENWSN)
    hall.desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR))
    assert ("no_jrc_address", True) not in reasons(explained(hall))


def test_a_former_key_is_said_and_does_not_block(hall: Hall) -> None:
    """A device that was not flashed yet fails, though nothing is wrong here."""
    hall.enroll()
    who = Applicant(identifier=pledge_id(1), keys=Secret(os.urandom(16)))
    hall.desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR, on_conflict=OnConflict.REPLACE))
    found = explained(hall)
    assert [("bad_tag", False)] == reasons(found)
    assert "was replaced" in found.facts[0].sentence


@pytest.mark.parametrize(
    "other",
    [
        bytes.fromhex("0100000000" + "4b1200"),
        bytes.fromhex("02124b0000000001"),
        bytes.fromhex("01000000004b1202"),
    ],
    ids=["reversed", "interface identifier", "both"],
)
def test_an_eui64_in_another_form_is_recognised(hall: Hall, other: bytes) -> None:
    """The byte order and the universal/local bit are what goes wrong most (RFC 4291 App. A)."""
    hall.enroll()
    found = explained(hall, PledgeId(other))
    assert pledge_id(1).value.hex() in found.facts[1].sentence
    stranger = OddPledge(other, bytes(range(16)))
    assert hall.ask(stranger.request(JOIN)) is None
    (report,) = hall.desk.read(lambda tx: explain_strangers(tx, hall.attempts.unknown()))
    assert (other.hex(), 1, pledge_id(1).value.hex()) == (
        report.pledge_id, report.count, report.looks_like
    )  # fmt: skip


def test_identifiers_that_look_like_none_are_listed_too(hall: Hall) -> None:
    """Of any length that an OSCORE option can carry."""
    for name in (b"\x01", bytes(248)):
        hall.ask(OddPledge(name, bytes(range(16))).request(JOIN))
    found = hall.desk.read(lambda tx: explain_strangers(tx, hall.attempts.unknown()))
    assert {("01", None), ("00" * 248, None)} == {(x.pledge_id, x.looks_like) for x in found}
