"""SIGKILL in the middle of join storms: what was answered stays true.

``JRC_KILL9_RUNS`` raises the number of kills.
"""

import os

import pytest

from tests.daemon.site import Site
from tests.faults import storm as storms
from tests.faults.broken import program
from tests.faults.storm import Storm
from tests.faults.witness import Witness

pytestmark = pytest.mark.faults

RUNS = int(os.environ.get("JRC_KILL9_RUNS", "50"))
SEED = int(os.environ.get("JRC_KILL9_SEED", "20310831"))
NEWCOMERS = 8
BROKEN_RUNS = 10
PATIENCE_S = 30.0
SHORT_PATIENCE_S = 3.0
"""Broken daemons owe answers that never come."""


def storm_over(site: Site, runs: int, patience_s: float) -> Storm:
    """Enrolled pledges for so many runs."""
    devices = site.new_devices(runs * NEWCOMERS)
    site.import_devices(devices)
    return Storm(devices, SEED, patience_s)


def test_b03_f02_kills_repeat_no_nonce_and_no_short_identifier(site: Site) -> None:
    """RFC 9031 §7.3.1, §8.4.4.1: one ciphertext for a Partial IV, one holder for an identifier."""
    storm = storm_over(site, RUNS, PATIENCE_S)
    storms.run(storm, site.start, RUNS, NEWCOMERS)
    assert ([], 0) == (storm.witness.violations, storm.stalls)
    assert storm.answered > RUNS * 20


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("answer_before_commit", ("two ciphertexts", "the database has")),
        ("window_in_memory", ("two ciphertexts", "was answered after")),
        ("copies_encrypted_anew", ("two ciphertexts",)),
        ("short_id_unchecked", ("to two pledges",)),
    ],
)
def test_the_witness_sees_a_daemon_that_is_broken(
    site: Site, fault: str, seen: tuple[str, ...]
) -> None:
    """A check that can't fail says nothing."""
    if fault == "short_id_unchecked":
        site.run("network", "set", "lab", "--short-ids", f"0001-{2 * NEWCOMERS * BROKEN_RUNS:04x}")
    storm = storm_over(site, BROKEN_RUNS, SHORT_PATIENCE_S)

    def is_seen(witness: Witness) -> bool:
        return any(words in violation for violation in witness.violations for words in seen)

    storms.run(storm, lambda: site.start(program(fault)), BROKEN_RUNS, NEWCOMERS, is_seen)
    assert is_seen(storm.witness), storm.witness.violations
