"""The admin API: every command of the operator, with or without a daemon, goes through here."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jrc.admin.attempts import AttemptRoutes
from jrc.admin.backups import BackupRoutes
from jrc.admin.event_log import EventLogRoutes
from jrc.admin.events import EventRoutes
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
from jrc.admin.windows import WindowRoutes


def build_api(services: Services) -> Starlette:
    """The API over ``services``; its requests carry a peer (``peers.py``)."""

    async def status(_request: Request) -> Response:
        return JSONResponse(dict(await services.status()))

    groups = (
        NetworkRoutes(services),
        PledgeRoutes(services),
        PledgeSettingRoutes(services),
        WindowRoutes(services),
        RevocationRoutes(services),
        PledgeRecoveryRoutes(services),
        ReplacementRoutes(services),
        RecoveryRoutes(services),
        NodeRoutes(services),
        RolloverRoutes(services),
        AttemptRoutes(services),
        ImportRoutes(services),
        BackupRoutes(services),
        EventRoutes(services),
        KeyRoutes(services),
        EventLogRoutes(services),
    )
    routes = [Route("/v1/status", status), *(route for group in groups for route in group.routes())]
    return Starlette(routes=routes, exception_handlers=HANDLERS)
