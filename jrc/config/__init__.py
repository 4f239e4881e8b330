"""The settings: what an operator may change, read from TOML; an error is one clear sentence."""

from jrc.config.reading import SEARCHED, example, find, load, parse
from jrc.config.sections import (
    Admin,
    Api,
    Backup,
    ConsolePattern,
    Events,
    Installer,
    Lab,
    Log,
    Metrics,
    Proxy,
    Rollover,
)
from jrc.config.settings import Settings
from jrc.config.values import Endpoint, endpoint

__all__ = [
    "SEARCHED",
    "Admin",
    "Api",
    "Backup",
    "ConsolePattern",
    "Endpoint",
    "Events",
    "Installer",
    "Lab",
    "Log",
    "Metrics",
    "Proxy",
    "Rollover",
    "Settings",
    "endpoint",
    "example",
    "find",
    "load",
    "parse",
]
