"""Daemons that are broken on purpose, each with what sees it (README.md has all of them)."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults.broken import FAULTS
from tests.faults.form import IS_LONG, needs_namespace
from tests.faults.killing import Orders

pytestmark = [pytest.mark.faults, needs_namespace]

KILLS = 40
SHORT_PATIENCE_S = 2.0
"""Broken daemons owe answers that never come."""
FEW_SHORT_IDS = "0001-0100"


class Sight(NamedTuple):
    """What a storm shows of a fault: words of a violation, or answers that never come."""

    fault: str
    words: tuple[str, ...]
    kills: int = KILLS
    short_ids: str = ""
    in_short: bool = False


OF_TWO = {
    "version_not_tested": (
        "test_registrars.py::test_b03_the_second_of_two_registrars_fails_and_reads_anew"
    ),
    "numbers_shared": "test_numbers.py::test_b04_two_registrars_on_one_database_reserve_apart",
}
"""What no storm shows for sure, and which test of the store sees it."""
SIGHTS = (
    Sight("answer_before_commit", ("two ciphertexts", "the database has")),
    Sight("window_in_memory", ("two ciphertexts", "was answered after")),
    Sight("copies_encrypted_anew", ("two ciphertexts",), in_short=True),
    Sight("short_id_unchecked", ("to two pledges",), short_ids=FEW_SHORT_IDS),
    Sight("numbers_unreserved", ("two things under sender number",), in_short=True),
    Sight("old_token_resent", ("with an old token",)),
    Sight("copies_by_token", (), kills=3),
    Sight("window_before_decrypt", (), kills=3),
    Sight("psk_in_log", ("is in the log",)),
    Sight("event_chain_broken", ("the audit log",)),
    Sight("revoked_resent", ("after its revocation",)),
    Sight("commands_lost", ("was imported", "was revoked", "after its revocation"), in_short=True),
)
ELSEWHERE = {
    "synchronous_normal": "test_sync_order.py",
    "instance_file_unsynced": "test_power.py",
    "instance_file_ahead": "test_power.py",
    "restore_unnoticed": "test_restore.py",
    "runs_in_memory": "test_recovery_kill9.py",
    "commit_errors_ignored": "test_io_errors.py",
}


def test_each_broken_daemon_is_seen_by_something() -> None:
    """The table is whole."""
    assert {sight.fault for sight in SIGHTS} | OF_TWO.keys() | ELSEWHERE.keys() == FAULTS.keys()


@pytest.mark.parametrize(
    "sight",
    [sight for sight in SIGHTS if IS_LONG or sight.in_short],
    ids=lambda sight: sight.fault,
)
def test_the_witness_sees_a_daemon_that_is_broken(tmp_path: Path, sight: Sight) -> None:
    """A check that can't fail says nothing."""
    orders = Orders(
        kills=sight.kills,
        fault=sight.fault,
        until=sight.words,
        patience_s=SHORT_PATIENCE_S,
        short_ids=sight.short_ids,
    )
    report = orders.carry_out(tmp_path)
    if not sight.words:
        assert report.stalls > 0
        return
    assert any(words in text for text in report.violations for words in sight.words), report


@pytest.mark.parametrize("fault", OF_TWO)
def test_a_test_of_the_store_sees_registrars_that_overlook_each_other(fault: str) -> None:
    """Each takes its own memory for what is in the database."""
    program = (
        "import sys, pytest\n"
        "from tests.faults.broken import build_in\n"
        f"build_in({fault!r})\n"
        f"sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', 'tests/store/{OF_TWO[fault]}']))\n"
    )
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, check=False)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
