"""What pledges say they can not act upon, and what they are told then (RFC 9031 §8.4.5)."""

from dataclasses import replace

import pytest

from jrc.cojp.codec import decode_unsupported
from jrc.cojp.objects import Configuration, UnsupportedParameter
from jrc.errors import Reason
from jrc.model import Profile
from jrc.service.join_ports import KnownContext, NetworkPolicy
from tests.service.decisions import configuration, join, opened
from tests.service.fakes import KEY, LAB, Ground, known_context, live_keys

REPORTS = bytes.fromhex("a20542cafe0883000300")
"""Label 3 with the value 0."""


REPORTS_NULL = bytes.fromhex("a20542cafe08830007f6")
REPORTS_KEYS = bytes.fromhex("a20542cafe08830002f6")


def test_c07_a_report_is_stored_and_what_it_names_with_null_left_out(
    ground: Ground, known: KnownContext
) -> None:
    """RFC 9031 §8.4.5."""
    network = replace(LAB, join_rate_bytes_per_s=9)
    ground.policy = NetworkPolicy(1, {1: network}, {1: live_keys()})
    outcome, pledge = join(ground, known, REPORTS_NULL)
    told = configuration(outcome, pledge)
    assert (None, True) == (told.join_rate_bytes_per_s, outcome.stale)
    assert [(0, 7, None)] == ground.reports
    assert {"pledge.reported", "pledge.joined"} == {event.kind for event in ground.events}


def test_c07_a_report_with_a_value_is_stored_and_leaves_the_label_in(
    ground: Ground, known: KnownContext
) -> None:
    """That value alone could not be set."""
    outcome, pledge = join(ground, known, REPORTS)
    assert configuration(outcome, pledge).short_identifier is not None
    assert [(0, 3, b"\x00")] == ground.reports


@pytest.mark.parametrize("first", ["null", "value"])
def test_c07_a_label_reported_with_null_and_with_a_value_is_left_out(
    ground: Ground, known: KnownContext, first: str
) -> None:
    """RFC 9031 §8.4.5: it can't be set at all, whatever is said of one value of it."""
    reports = {"null": "0007f6", "value": "000701"}
    items = reports.pop(first) + "".join(reports.values())
    outcome, _ = join(ground, known, bytes.fromhex("a20542cafe0886" + items))
    assert [(0, 7, None)] == ground.reports
    assert outcome.stale


def test_c07_what_is_known_already_is_not_written_again() -> None:
    """A report comes with each join."""
    known = known_context(left_out=(7,))
    ground = Ground(known)
    outcome, _ = join(ground, known, REPORTS_NULL)
    assert ([], False) == (ground.reports, outcome.stale)


def test_c07_what_was_reported_before_is_left_out(known: KnownContext) -> None:
    """RFC 9031 §8.4.5; no identifier is drawn for a pledge that takes none."""
    known = known_context(left_out=(3,))
    ground = Ground(known)
    outcome, pledge = join(ground, known)
    assert configuration(outcome, pledge).short_identifier is None
    assert ([], 0) == (ground.leases, ground.draws)


def test_c07_a_pledge_that_can_not_take_keys_is_refused(
    ground: Ground, known: KnownContext
) -> None:
    """Never admitted without; the report is stored all the same."""
    outcome, pledge = join(ground, known, REPORTS_KEYS)
    assert (Reason.KEYS_UNSUPPORTED, True) == (outcome.reason, outcome.stale)
    assert (UnsupportedParameter(0, 2),) == decode_unsupported(opened(outcome, pledge).payload)
    assert ([(0, 2, None)], [], []) == (ground.reports, ground.leases, ground.places)


@pytest.mark.parametrize("of_pledge", [True, False])
def test_openwsn_gets_keys_alone(of_pledge: bool) -> None:
    """A profile of its own counts before that of its network."""
    own = Profile.OPENWSN if of_pledge else None
    known = known_context()
    known.pledge = known.pledge._replace(profile=own)
    network = replace(LAB, profile=Profile.RFC9031 if of_pledge else Profile.OPENWSN)
    ground = Ground(known, network=network)
    outcome, pledge = join(ground, known)
    assert Configuration(keys=(KEY,)) == configuration(outcome, pledge)
    assert [] == ground.leases
