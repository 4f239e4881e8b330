"""For each alert: series that make it fire, and the minute from which on it does."""

from collections.abc import Mapping
from typing import NamedTuple

OF = 'job="jrc",instance="a"'
LAB = f'{OF},network="lab"'
DAY = 86_400
MIB = 1024 * 1024


class Case(NamedTuple):
    """``series`` with values a minute apart, in promtool's notation.

    The alert is quiet at the minute ``quiet`` and fires at ``fires``. ``also`` fire then.
    """

    series: Mapping[str, str]
    quiet: int
    fires: int
    also: frozenset[str] = frozenset()


def _gauge(name: str, value: str, labels: str = OF) -> dict[str, str]:
    return {f"{name}{{{labels}}}": value}


def _stuck(name: str, value: float, labels: str = OF) -> dict[str, str]:
    """One value for four hours."""
    return _gauge(name, f"{value:g}x240", labels)


def _buckets(slow_a_minute: int, fast_a_minute: int) -> dict[str, str]:
    """Commits that wait for a millisecond, and such that wait for half a second."""
    name = "jrc_commit_duration_seconds_bucket"
    everything = f"0+{slow_a_minute + fast_a_minute}x60"
    fast = f"0+{fast_a_minute}x60"
    bounds = {"0.001": fast, "0.2": fast, "0.5": everything, "+Inf": everything}
    return {f'{name}{{{OF},le="{bound}"}}': values for bound, values in bounds.items()}


CASES: Mapping[str, Case] = {
    "JrcDown": Case(_gauge("up", "1x5 0x10"), 7, 9),
    "JrcSealed": Case(_stuck("jrc_sealed", 1), 0, 2),
    "JrcQuarantined": Case(_gauge("jrc_quarantined", "0x4 1x10"), 4, 6),
    "JrcTrouble": Case(_stuck("jrc_trouble", 1, f'{OF},cause="disk_full"'), 0, 2),
    "JrcNotReady": Case(_stuck("jrc_ready", 0), 4, 6),
    "JrcTroubleAgainAndAgain": Case(
        _gauge("jrc_troubles_total", "0x9 0+1x5 5x60", f'{OF},cause="locked"'), 11, 20
    ),
    "JrcRestarts": Case(_gauge("process_start_time_seconds", "0x9 0+60x4 240x20"), 11, 16),
    "JrcListenAddressWaits": Case(_stuck("jrc_listen_addresses_waiting", 1), 9, 11),
    "JrcNobodyConducts": Case(
        {
            'jrc_conductor{job="jrc",instance="a"}': "1x5 0x20",
            'jrc_conductor{job="jrc",instance="b"}': "0x25",
        },
        6,
        9,
    ),
    "JrcRefusalsSurge": Case(
        {
            f'jrc_joins_total{{{LAB},result="window_closed"}}': "0x20 0+5x20",
            f'jrc_joins_total{{{LAB},result="joined"}}': "0+1x40",
        },
        19,
        32,
    ),
    "JrcShortIdentifiersLow": Case(
        _stuck("jrc_short_identifiers_left", 5, LAB)
        | _stuck("jrc_short_identifiers_range", 100, LAB),
        9,
        11,
    ),
    "JrcShortIdentifiersGone": Case(
        _gauge("jrc_short_identifiers_left", "1x5 0x5", LAB)
        | _gauge("jrc_short_identifiers_range", "9x10", LAB),
        5,
        7,
    ),
    "JrcFlood": Case(
        _gauge("jrc_datagrams_dropped_total", "0x5 0+12000x60", f'{OF},reason="bad_tag"'), 9, 30
    ),
    "JrcDatagramsLost": Case(_gauge("jrc_datagrams_lost_total", "0x5 20x10"), 5, 7),
    "JrcPledgesUnable": Case(_stuck("jrc_pledges_recovering", 2, f'{OF},outlook="unable"'), 59, 61),
    "JrcPledgesWait": Case(_stuck("jrc_pledges", 2, f'{OF},state="waiting"'), 59, 61),
    "JrcRolloverPaused": Case(_stuck("jrc_rollover_phase", 1, f'{LAB},phase="paused"'), 4, 6),
    "JrcRolloverStuck": Case(
        {
            f'jrc_rollover_phase{{{LAB},phase="switching"}}': "1x30 0x60",
            f'jrc_rollover_phase{{{LAB},phase="guarding"}}': "0x30 1x60",
        },
        59,
        61,
    ),
    "JrcNodesLeftBehind": Case(
        _stuck("jrc_rollover_nodes", 3, f'{LAB},state="unreachable"')
        | _stuck("jrc_rollover_phase", 1, f'{LAB},phase="done"')
        | _stuck("jrc_network_key_notices", 1, LAB),
        59,
        61,
        frozenset({"JrcKeysWantPerson"}),
    ),
    "JrcKeysWantPerson": Case(_stuck("jrc_network_key_notices", 1, LAB), 59, 61),
    "JrcKeysOld": Case(_stuck("jrc_network_key_age_seconds", 181 * DAY, LAB), 59, 61),
    "JrcRolloverOverdue": Case(
        _stuck("jrc_network_key_age_seconds", 32 * DAY, LAB)
        | _stuck("jrc_rollover_interval_seconds", 30 * DAY),
        59,
        61,
    ),
    "JrcUpdatesHindered": Case(_stuck("jrc_updates_hindered", 1), 9, 11),
    "JrcUpdatesUnanswered": Case(
        _gauge("jrc_updates_total", "0x9 0+5x20 100x99", f'{OF},outcome="no_answer"')
        | _gauge("jrc_updates_total", "0+1x60", f'{OF},outcome="acknowledged"'),
        9,
        30,
    ),
    "JrcInstallerFails": Case(
        _stuck("jrc_installer_installed", 0, f'{LAB},installer="exec"'), 9, 11
    ),
    "JrcClockDoubted": Case(_stuck("jrc_clock_doubted", 1), 4, 6),
    "JrcClockBehind": Case(_stuck("jrc_clock_behind_seconds", 60), 4, 6),
    "JrcAuditLogChanged": Case(_gauge("jrc_event_chain_intact", "1x5 0x5"), 5, 7),
    "JrcBackupOld": Case(
        _stuck("jrc_backup_last_success_timestamp_seconds", -3 * DAY)
        | _stuck("jrc_backup_failures_total", 0),
        14,
        16,
    ),
    "JrcBackupFails": Case(_gauge("jrc_backup_failures_total", "0x5 1x5"), 5, 7),
    "JrcBackupFailed": Case(
        _gauge("jrc_event_last_timestamp_seconds", "100x1 102x5", f'{OF},kind="backup.failed"')
        | _gauge("jrc_backup_last_success_timestamp_seconds", "101x6"),
        0,
        3,
    ),
    "JrcNoBackup": Case(_gauge("jrc_ready", "1x1500"), 1439, 1441),
    "JrcKeySlots": Case(_gauge("jrc_key_warnings", "1x1500"), 1439, 1441),
    "JrcDiskLow": Case(_stuck("jrc_disk_free_bytes", 100 * MIB), 4, 6),
    "JrcDiskFillsUp": Case(
        _gauge("jrc_disk_free_bytes", f"{4000 * MIB}-{2 * MIB}x400")
        | _gauge("jrc_disk_size_bytes", f"{16000 * MIB}x400"),
        59,
        63,
    ),
    "JrcDatabaseLogGrows": Case(_stuck("jrc_database_wal_size_bytes", 300 * MIB), 29, 31),
    "JrcCommitSlow": Case(_buckets(20, 80), 9, 12),
    "JrcWriterBusy": Case(
        _gauge("jrc_writer_busy_seconds_total", "0+30x60", f'{OF},work="joins"')
        | _gauge("jrc_writer_busy_seconds_total", "0+25x60", f'{OF},work="changes"'),
        14,
        27,
    ),
    "JrcRequestsPileUp": Case(
        _stuck("jrc_cache_entries", 3000, f'{OF},cache="requests_in_flight"')
        | _stuck("jrc_cache_capacity", 4096, f'{OF},cache="requests_in_flight"'),
        0,
        2,
    ),
    "JrcOpenFiles": Case(_stuck("process_open_fds", 900) | _stuck("process_max_fds", 1024), 4, 6),
    "JrcLogLinesLost": Case(_gauge("jrc_log_lines_lost_total", "0x5 3x5"), 5, 7),
    "JrcCertificateEnds": Case(
        _stuck("jrc_api_certificate_expires_timestamp_seconds", 13 * DAY), 59, 61
    ),
    "JrcTokensRefused": Case(
        _gauge("jrc_api_tokens_refused_total", "0x5 50x5", f'{OF},reason="unknown"'), 5, 7
    ),
    "JrcProxyDeaf": Case(_stuck("jrc_proxy_listening", 0), 4, 6),
    "JrcProxyCutOff": Case(_stuck("jrc_proxy_connected", 0), 4, 6),
    "JrcProxyNotJoined": Case(_stuck("jrc_proxy_joined", 0), 14, 16),
    "JrcProxyThrottles": Case(
        _gauge("jrc_proxy_dropped_total", "0+30x99", f'{OF},reason="join_rate"'), 29, 40
    ),
}

FURTHER: Mapping[str, Case] = {
    "who has joined again is not left behind": Case(
        _stuck("jrc_rollover_nodes", 2, f'{LAB},state="unreachable"')
        | _stuck("jrc_rollover_phase", 1, f'{LAB},phase="done"')
        | _stuck("jrc_network_key_notices", 0, LAB),
        59,
        120,
    ),
    "refusals where no pledge has ever joined": Case(
        _gauge("jrc_joins_total", "0+5x40", f'{OF},network="none",result="unknown_network"'),
        2,
        20,
        frozenset({"JrcRefusalsSurge"}),
    ),
    "a sealed registrar is one alert, and not two": Case(
        _stuck("jrc_ready", 0) | _stuck("jrc_sealed", 1), 0, 20, frozenset({"JrcSealed"})
    ),
    "a quarantined one is one alert": Case(
        _stuck("jrc_ready", 0) | _gauge("jrc_quarantined", "0x2 1x90") | _stuck("jrc_sealed", 0),
        2,
        20,
        frozenset({"JrcQuarantined"}),
    ),
    "a fault is one alert": Case(
        _stuck("jrc_ready", 0)
        | _stuck("jrc_trouble", 1, f'{OF},cause="disk_full"')
        | _stuck("jrc_trouble", 0, f'{OF},cause="locked"'),
        0,
        20,
        frozenset({"JrcTrouble"}),
    ),
    "a backup of long ago is none of this month": Case(
        _gauge("jrc_ready", "1x1500")
        | _gauge("jrc_backup_last_success_timestamp_seconds", f"{-31 * DAY}x1500"),
        1439,
        1441,
        frozenset({"JrcNoBackup"}),
    ),
    "a registrar of which all is well": Case(
        _gauge("up", "1x300")
        | _gauge("jrc_ready", "1x300")
        | _gauge("jrc_sealed", "0x300")
        | _gauge("jrc_quarantined", "0x300")
        | _gauge("jrc_trouble", "0x300", f'{OF},cause="disk_full"')
        | _gauge("jrc_troubles_total", "0x300", f'{OF},cause="disk_full"')
        | _gauge("jrc_conductor", "1x300")
        | _gauge("jrc_joins_total", "0+60x300", f'{LAB},result="joined"')
        | _gauge("jrc_joins_total", "0+30x300", f'{LAB},result="window_closed"')
        | _gauge("jrc_joins_total", "0+90x300", f'{LAB},result="recovering"')
        | _gauge("jrc_datagrams_dropped_total", "0+600x300", f'{OF},reason="bad_tag"')
        | _gauge("jrc_short_identifiers_left", "99x300", LAB)
        | _gauge("jrc_short_identifiers_range", "100x300", LAB)
        | _gauge("jrc_rollover_phase", "1x300", f'{LAB},phase="distributing"')
        | _gauge("jrc_rollover_phase", "0x300", f'{LAB},phase="done"')
        | _gauge("jrc_rollover_nodes", "3x300", f'{LAB},state="unreachable"')
        | _gauge("jrc_network_key_age_seconds", f"{30 * DAY}+60x300", LAB)
        | _gauge("jrc_rollover_interval_seconds", f"{30 * DAY}x300")
        | _gauge("jrc_updates_total", "0+10x300", f'{OF},outcome="acknowledged"')
        | _gauge("jrc_updates_total", "0+5x300", f'{OF},outcome="no_answer"')
        | _gauge("jrc_backup_last_success_timestamp_seconds", f"{-3 * DAY}x300")
        | _gauge(
            "jrc_event_last_timestamp_seconds", f"{-4 * DAY}x300", f'{OF},kind="backup.failed"'
        )
        | _gauge("jrc_disk_free_bytes", f"{4000 * MIB}-{MIB}x300")
        | _gauge("jrc_disk_size_bytes", f"{8000 * MIB}x300")
        | _buckets(5, 95)
        | _gauge("jrc_writer_busy_seconds_total", "0+30x300", f'{OF},work="joins"')
        | _gauge("jrc_cache_entries", "10240x300", f'{OF},cache="contexts"')
        | _gauge("jrc_cache_capacity", "10240x300", f'{OF},cache="contexts"'),
        60,
        240,
    ),
}
"""Alerts that must not come, by what is the case."""
