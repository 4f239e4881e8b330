"""The tables, by subject. Migrations in ``migrations/`` build the same; a test holds the two equal.

Conventions: times are integers, milliseconds since 1970 (``*_at_ms``, ``*_until_ms``); secrets are
stored wrapped (``keyring.py``), bound to table, row, column and version; rows that decide about
security carry ``version`` and ``mac`` (``rowmac.py``). Only types and constraints that SQLite and
PostgreSQL share are used.
"""

from jrc.store.schema.base import metadata
from jrc.store.schema.contexts import context, context_kid, context_state, recovery_run
from jrc.store.schema.database import api_token, data_key, event, instance, key_slot
from jrc.store.schema.handovers import handover
from jrc.store.schema.identities import identity
from jrc.store.schema.keys import installation, key_domain, key_generation, link_layer_key
from jrc.store.schema.networks import join_window, network, network_identifier, network_settings
from jrc.store.schema.nodes import node, node_update, short_identifier, unsupported_parameter
from jrc.store.schema.pledges import (
    admission,
    credential,
    import_batch,
    key_fingerprint,
    pledge,
    pledge_network,
    staged_change,
)
from jrc.store.schema.rollovers import rollover, rollover_node, wanted_rollover

SCHEMA_REVISION = "0001"
"""The Alembic revision this program works with; older and newer ones are refused."""

__all__ = [
    "SCHEMA_REVISION",
    "admission",
    "api_token",
    "context",
    "context_kid",
    "context_state",
    "credential",
    "data_key",
    "event",
    "handover",
    "identity",
    "import_batch",
    "installation",
    "instance",
    "join_window",
    "key_domain",
    "key_fingerprint",
    "key_generation",
    "key_slot",
    "link_layer_key",
    "metadata",
    "network",
    "network_identifier",
    "network_settings",
    "node",
    "node_update",
    "pledge",
    "pledge_network",
    "recovery_run",
    "rollover",
    "rollover_node",
    "short_identifier",
    "staged_change",
    "unsupported_parameter",
    "wanted_rollover",
]
