"""Every metric there is, by what it is about."""

from collections.abc import Mapping, Sequence
from typing import Final

from jrc.admin import (
    api_metrics,
    backup_metrics,
    build_metrics,
    host_metrics,
    installer_metrics,
    join_metrics,
    proxy_metrics,
    rollover_metrics,
    state_metrics,
)
from jrc.admin.metric_families import Family
from jrc.admin.page import metrics as page_metrics

GROUPS: Final[Mapping[str, Sequence[Family]]] = {
    "State": state_metrics.FAMILIES,
    "Joins": join_metrics.FAMILIES,
    "Keys and rollovers": rollover_metrics.FAMILIES,
    "Keys for radios": installer_metrics.FAMILIES,
    "The host": host_metrics.FAMILIES,
    "Backups": backup_metrics.FAMILIES,
    "The admin API": api_metrics.FAMILIES,
    "The Join Proxy": proxy_metrics.FAMILIES,
    "The page": page_metrics.FAMILIES,
    "The program": build_metrics.FAMILIES,
}
"""In the order of docs/metrics.md."""

FAMILIES: Final[Mapping[str, Family]] = {
    family.name: family for families in GROUPS.values() for family in families
}
"""By name."""
