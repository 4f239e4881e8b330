"""The admin API: every command of the operator, with or without a daemon, goes through here."""

from starlette.applications import Starlette

from jrc.admin.attempts import AttemptRoutes
from jrc.admin.backups import BackupRoutes
from jrc.admin.contract import Operation, routes_of
from jrc.admin.event_log import EventLogRoutes
from jrc.admin.events import EventRoutes
from jrc.admin.handovers import HandoverRoutes
from jrc.admin.identities import IdentityRoutes
from jrc.admin.imports import ImportRoutes
from jrc.admin.keys import KeyRoutes
from jrc.admin.networks import NetworkRoutes
from jrc.admin.nodes import NodeRoutes
from jrc.admin.pledge_recoveries import PledgeRecoveryRoutes
from jrc.admin.pledge_settings import PledgeSettingRoutes
from jrc.admin.pledges import PledgeRoutes
from jrc.admin.problems import HANDLERS
from jrc.admin.recovery import RecoveryRoutes
from jrc.admin.replacements import ReplacementRoutes
from jrc.admin.revocations import RevocationRoutes
from jrc.admin.rollovers import RolloverRoutes
from jrc.admin.services import Services
from jrc.admin.status import StatusRoutes
from jrc.admin.tokens import TokenRoutes
from jrc.admin.transfers import TransferRoutes
from jrc.admin.windows import WindowRoutes


def build_api(services: Services) -> Starlette:
    """The API over ``services``; its requests carry a caller (``peers.py``)."""
    app = Starlette(routes=routes_of(operations_of(services)), exception_handlers=HANDLERS)
    # It would send whoever adds a slash to the place that the request's own header names.
    app.router.redirect_slashes = False
    return app


def operations_of(services: Services) -> list[Operation]:
    """Every route of the API, in the order of the document."""
    groups = (
        StatusRoutes(services),
        NetworkRoutes(services),
        PledgeRoutes(services),
        PledgeSettingRoutes(services),
        WindowRoutes(services),
        RevocationRoutes(services),
        PledgeRecoveryRoutes(services),
        ReplacementRoutes(services),
        TransferRoutes(services),
        RecoveryRoutes(services),
        NodeRoutes(services),
        RolloverRoutes(services),
        AttemptRoutes(services),
        ImportRoutes(services),
        HandoverRoutes(services),
        IdentityRoutes(services),
        BackupRoutes(services),
        EventRoutes(services),
        KeyRoutes(services),
        EventLogRoutes(services),
        TokenRoutes(services),
    )
    return [each for group in groups for each in group.operations()]
