"""All checks, from cause to effect."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from jrc.cli.diagnosis.api import look_at_api
from jrc.cli.diagnosis.backups import look_at_backups
from jrc.cli.diagnosis.case import Case
from jrc.cli.diagnosis.clock import look_at_clock
from jrc.cli.diagnosis.disk import look_at_disk, look_at_space
from jrc.cli.diagnosis.installers import look_at_installers
from jrc.cli.diagnosis.links import look_at_interfaces, look_at_proxy
from jrc.cli.diagnosis.marks import look_at_marks
from jrc.cli.diagnosis.neighbours import look_at_neighbours
from jrc.cli.diagnosis.ports import look_at_addresses, look_at_ports
from jrc.cli.diagnosis.rollovers import look_at_rollovers
from jrc.cli.diagnosis.service import look_at_admin_socket, look_at_daemon, look_at_rights
from jrc.cli.diagnosis.state import (
    look_at_config,
    look_at_database,
    look_at_instance_file,
    look_at_key,
)
from jrc.cli.diagnosis.trial import look_at_join
from jrc.cli.diagnosis.verdict import Check, Verdict, skipped
from jrc.cli.proxy import is_proxy_alone


def _of_registrar(look: Callable[[Case], Iterable[Verdict]]) -> Callable[[Case], Iterator[Verdict]]:
    """``look``, but where the config file is one for `jrc proxy`, which has nothing of the kind."""

    def looked(case: Case) -> Iterator[Verdict]:
        if is_proxy_alone(case.settings):
            yield skipped("the config file is a Join Proxy's, without a registrar")
        else:
            yield from look(case)

    return looked


_SETTINGS: Final = ("config",)
_DAMAGED: Final = "keep a copy of the database; put back the newest good one"
_ASK_IP: Final = "see: ip -6 address show"

CHECKS: Final[tuple[Check[Case], ...]] = (
    Check("config", look_at_config, hint="config.example.toml explains all keys"),
    Check(
        "disk",
        _of_registrar(look_at_disk),
        _SETTINGS,
        "make the folder of database.url, or name another",
    ),
    Check(
        "space",
        _of_registrar(look_at_space),
        _SETTINGS,
        "make the folder of database.url, or name another",
    ),
    Check(
        "key",
        _of_registrar(look_at_key),
        _SETTINGS,
        "only the service's user is to own and read the file",
    ),
    Check("database", _of_registrar(look_at_database), ("config", "disk", "key"), _DAMAGED),
    Check("instance_file", _of_registrar(look_at_instance_file), ("config", "database"), _DAMAGED),
    Check(
        "backups",
        _of_registrar(look_at_backups),
        _SETTINGS,
        "see [backup] in the config file",
    ),
    Check("clock", look_at_clock),
    Check("interface", look_at_interfaces, _SETTINGS, _ASK_IP),
    Check("proxy", look_at_proxy, _SETTINGS, "see [proxy] in the config file"),
    Check(
        "installer",
        _of_registrar(look_at_installers),
        _SETTINGS,
        "see [[installer]] in the config file",
    ),
    Check("addresses", look_at_addresses, _SETTINGS),
    Check("ports", _of_registrar(look_at_ports), _SETTINGS, "see: ss -ulpn"),
    Check("dscp", look_at_marks, hint="IPv6 on loopback has to work: ip -6 address show dev lo"),
    Check("neighbours", look_at_neighbours, _SETTINGS, "netlink is needed: AF_NETLINK"),
    Check(
        "admin_socket",
        _of_registrar(look_at_admin_socket),
        _SETTINGS,
        "see [admin] in the config file",
    ),
    Check("rights", _of_registrar(look_at_rights), _SETTINGS),
    Check("daemon", look_at_daemon, _SETTINGS, "see its log"),
    Check("api", _of_registrar(look_at_api), _SETTINGS, "see [api] in the config file"),
    Check("rollovers", _of_registrar(look_at_rollovers), _SETTINGS),
    Check("join", look_at_join),
)
"""In this order. A join is tried whatever the others say: it shares nothing with them."""
