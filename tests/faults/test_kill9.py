"""SIGKILL in the middle of join storms, with rollovers, imports and revocations under way.

``JRC_KILLS`` sets the number of kills. Two registrars on one server: ``test_server_kill9.py``.
"""

from pathlib import Path

import pytest

from tests.faults.form import SEED, figure, needs_namespace
from tests.faults.killing import LONG, Orders, Report

pytestmark = [pytest.mark.faults, needs_namespace]

KILLS = figure("JRC_KILLS", short=25, long=1000)


def check(report: Report, kills: int) -> None:
    """Nothing was said twice and nothing lost; and there was something to say."""
    assert ([], 0, "") == (report.violations, report.stalls, report.broke_off)
    assert report.kills == kills
    assert report.answers > kills * 10
    assert report.acknowledged > kills // 10
    assert report.updates > kills
    assert report.ended > 0 or kills < LONG


def test_b03_b04_f02_kills_repeat_nothing_and_lose_nothing(tmp_path: Path) -> None:
    """RFC 9031 §7.3.1, §8.4.4.1: Partial IVs, sender numbers, short identifiers, imports."""
    report = Orders(kills=KILLS, seed=SEED, fast=True).carry_out(tmp_path)
    print(report)
    check(report, KILLS)
