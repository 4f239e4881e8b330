"""SIGKILL in the middle of join storms: what was answered stays true.

``JRC_KILL9_RUNS`` raises the number of kills.
"""

import os

import pytest
from tests.daemon.site import Site
from tests.faults import storm as storms
from tests.faults.broken import program
from tests.faults.storm import Storm

pytestmark = pytest.mark.faults

RUNS = int(os.environ.get("JRC_KILL9_RUNS", "50"))
SEED = int(os.environ.get("JRC_KILL9_SEED", "20310831"))
NEWCOMERS = 8
BROKEN_RUNS = 10
PATIENCE_S = 30.0
SHORT_PATIENCE_S = 1.0
"""Broken daemons owe answers that never come."""


def kill_often(site: Site, runs: int, fault: str | None = None) -> Storm:
    """A storm that has seen ``runs`` kills of a daemon, or fewer if something broke."""
    devices = site.new_devices(runs * NEWCOMERS)
    site.import_devices(devices)
    storm = Storm(devices, SEED, PATIENCE_S if fault is None else SHORT_PATIENCE_S)
    storms.run(
        storm,
        lambda: site.start(program(fault)),
        runs,
        NEWCOMERS,
        stop_early=fault is not None,
    )
    return storm


def test_b03_f02_kills_repeat_no_nonce_and_no_short_identifier(site: Site) -> None:
    """RFC 9031 §7.3.1, §8.4.4.1: one ciphertext for a Partial IV, one holder for an identifier."""
    storm = kill_often(site, RUNS)
    assert ([], 0) == (storm.witness.violations, storm.stalls)
    assert storm.answered > RUNS * 20


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("answer_before_commit", ("two ciphertexts", "another short", "the database has")),
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
    storm = kill_often(site, BROKEN_RUNS, fault)
    violations = "\n".join(storm.witness.violations)
    assert any(words in violations for words in seen), violations
