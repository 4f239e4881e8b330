"""The admin socket as the config file wants it."""

from collections import defaultdict

from jrc.admin.contract import App
from jrc.admin.peers import Rights, group_number
from jrc.admin.server import AdminServer
from jrc.config import Admin
from jrc.policy.scopes import Scope, held_with


def admin_server(app: App, section: Admin) -> AdminServer:
    """The server, bound and not yet started.

    Raises:
        OperatorError: a group is not there, or the socket can't be made.
    """
    group = None if section.group is None else group_number("admin.group", section.group)
    return AdminServer(app, section.socket, rights=rights_of(section), group=group)


def rights_of(section: Admin) -> Rights:
    """What users of the socket hold.

    Raises:
        OperatorError: a group is not there.
    """
    named = {
        Scope.READ: section.read_groups,
        Scope.IMPORT: section.import_groups,
        Scope.OPERATE: section.operate_groups,
        Scope.ADMIN: section.admin_groups,
    }
    groups: defaultdict[int, set[Scope]] = defaultdict(set)
    for scope, names in named.items():
        for name in names:
            groups[group_number(f"admin.{scope}_groups", name)].add(scope)
    return Rights({number: held_with(*scopes) for number, scopes in groups.items()} or None)
