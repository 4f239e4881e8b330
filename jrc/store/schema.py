"""The tables. Migrations in ``migrations/`` build the same; a test holds the two equal.

Conventions: times are integers, milliseconds since 1970 (``*_at_ms``, ``*_until_ms``); secrets are
stored wrapped (``keyring.py``), bound to table, row, column and version; rows that decide about
security carry ``version`` and ``mac`` (``rowmac.py``). Only types and constraints that SQLite and
PostgreSQL share are used.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

SCHEMA_REVISION = "0001"
"""The Alembic revision this program works with; older and newer ones are refused."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Id = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", _Id, primary_key=True, autoincrement=True)


def _sealed() -> tuple[Column[int], Column[bytes]]:
    return (
        Column("version", BigInteger, nullable=False),
        Column("mac", LargeBinary(16), nullable=False),
    )


instance = Table(
    "instance",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("epoch", LargeBinary(16), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("commit_number", BigInteger, nullable=False),
    Column("event_number", BigInteger, nullable=False),
    Column("event_hash", LargeBinary(32), nullable=False),
    Column("policy_revision", BigInteger, nullable=False),
    Column("clock_high_water_ms", BigInteger, nullable=False),
    *_sealed(),
    CheckConstraint("id = 1", name="single"),
    comment="One row: which database this is, its progress, the head of the event chain.",
)

data_key = Table(
    "data_key",
    metadata,
    _id(),
    Column("purpose", String(32), nullable=False),
    Column("kek_id", LargeBinary(8), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("retired_at_ms", BigInteger),
    comment="Data keys by purpose, each wrapped by the key encryption key.",
)

key_domain = Table(
    "key_domain",
    metadata,
    _id(),
    Column("name", String(64), nullable=False, unique=True),
    Column("key_usages", String(32), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    *_sealed(),
    comment="Networks that share link-layer keys (RFC 9031 §8.4.4.1).",
)

key_generation = Table(
    "key_generation",
    metadata,
    _id(),
    Column("domain_id", _Id, ForeignKey("key_domain.id"), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("activated_at_ms", BigInteger),
    Column("retired_at_ms", BigInteger),
    *_sealed(),
    UniqueConstraint("domain_id", "number"),
    comment="A set of link-layer keys and its life (RFC 9031 §8.4.3.1).",
)

link_layer_key = Table(
    "link_layer_key",
    metadata,
    _id(),
    Column("generation_id", _Id, ForeignKey("key_generation.id"), nullable=False, index=True),
    Column("key_id", Integer, nullable=False),
    Column("key_usage", Integer, nullable=False),
    Column("key_addinfo", LargeBinary),
    Column("mic_length", Integer, nullable=False),
    Column("fingerprint", LargeBinary(16), nullable=False, unique=True),
    Column("wrapped_value", LargeBinary, nullable=False),
    Column("provenance", String(32), nullable=False),
    comment="Key values; the fingerprint keeps a value from ever being used a second time.",
)

network = Table(
    "network",
    metadata,
    _id(),
    Column("name", String(64), nullable=False),
    Column("domain_id", _Id, ForeignKey("key_domain.id"), nullable=False, index=True),
    Column("prefix", String(43), nullable=False),
    Column("prefix_from", String(15)),
    Column("jrc_address", String(39)),
    Column("jrc_address_from", String(15)),
    Column("addresses_changed_at_ms", BigInteger),
    Column("short_id_first", Integer, nullable=False),
    Column("short_id_last", Integer, nullable=False),
    Column("lease_hours", BigInteger),
    Column("join_rate", BigInteger),
    Column("throttle", BigInteger),
    Column("quiet", Integer, nullable=False),
    Column("profile", String(16), nullable=False),
    Column("admission", String(16), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("removed_at_ms", BigInteger),
    *_sealed(),
    CheckConstraint("admission IN ('known', 'window', 'approval')", name="admission"),
    Index(
        "uq_network_name_live",
        "name",
        unique=True,
        sqlite_where=text("removed_at_ms IS NULL"),
        postgresql_where=text("removed_at_ms IS NULL"),
    ),
)

network_settings = Table(
    "network_settings",
    metadata,
    Column("network_id", _Id, ForeignKey("network.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("join_rate", BigInteger),
    Column("jrc_address", String(39)),
    Column("blocked", LargeBinary, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    *_sealed(),
    comment="What nodes are told besides keys, by number: blocked is a CBOR array (§8.4.2).",
)

network_identifier = Table(
    "network_identifier",
    metadata,
    Column("network_id", _Id, ForeignKey("network.id"), primary_key=True),
    Column("identifier", LargeBinary, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Index("ix_network_identifier_identifier", "identifier"),
    comment="The identifiers a network answers to; a PAN ID may come in either byte order.",
)

join_window = Table(
    "join_window",
    metadata,
    _id(),
    Column("network_id", _Id, ForeignKey("network.id"), nullable=False),
    Column("opened_at_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("max_pledges", BigInteger, nullable=False),
    Column("admitted", BigInteger, nullable=False),
    Column("seen_before_ms", BigInteger, nullable=False),
    Column("closed_at_ms", BigInteger),
    *_sealed(),
    CheckConstraint("admitted BETWEEN 0 AND max_pledges", name="admitted"),
    Index(
        "uq_join_window_open",
        "network_id",
        unique=True,
        sqlite_where=text("closed_at_ms IS NULL"),
        postgresql_where=text("closed_at_ms IS NULL"),
    ),
    comment="When a network let pledges in that had not joined it, and how many.",
)

import_batch = Table(
    "import_batch",
    metadata,
    _id(),
    Column("source", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("published_at_ms", BigInteger),
    Column("row_count", BigInteger, nullable=False),
    CheckConstraint("state IN ('staged', 'published', 'discarded')", name="state"),
    comment="Rows of a staged import are invisible until its one row here says published.",
)

pledge = Table(
    "pledge",
    metadata,
    _id(),
    Column("identifier", LargeBinary(248), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("state_before_revocation", String(16)),
    Column("role", Integer, nullable=False),
    Column("label", Text, nullable=False),
    Column("profile", String(16)),
    Column("credential_id", _Id),
    Column("import_id", _Id, ForeignKey("import_batch.id"), index=True),
    Column("supersedes_id", _Id, ForeignKey("pledge.id")),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    *_sealed(),
    comment="A device. credential_id is the key in force; removed rows stay as tombstones.",
)

pledge_network = Table(
    "pledge_network",
    metadata,
    Column("pledge_id", _Id, ForeignKey("pledge.id"), primary_key=True),
    Column("network_id", _Id, ForeignKey("network.id"), primary_key=True),
    Column("position", Integer, nullable=False),
    Index("ix_pledge_network_network", "network_id", "pledge_id"),
)

admission = Table(
    "admission",
    metadata,
    Column("pledge_id", _Id, ForeignKey("pledge.id"), primary_key=True),
    Column("network_id", _Id, ForeignKey("network.id"), primary_key=True, index=True),
    Column("asked_at_ms", BigInteger),
    Column("admitted_at_ms", BigInteger),
    *_sealed(),
    comment="Who was let into a network that does not admit everybody; NULL is still waiting.",
)

credential = Table(
    "credential",
    metadata,
    _id(),
    Column("pledge_id", _Id, ForeignKey("pledge.id"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("wrapped_secret", LargeBinary),
    Column("aead", Integer, nullable=False),
    Column("hkdf", Integer, nullable=False),
    Column("provenance", String(32), nullable=False),
    Column("source", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("import_id", _Id, ForeignKey("import_batch.id"), index=True),
    Column("psk_fingerprint", LargeBinary(16), unique=True),
    Column("sender_fingerprint", LargeBinary(16), nullable=False, unique=True),
    Column("recipient_fingerprint", LargeBinary(16), nullable=False, unique=True),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("retired_at_ms", BigInteger),
    CheckConstraint("kind IN ('psk', 'derived')", name="kind"),
    CheckConstraint(
        "state IN ('staged','current','candidate','superseded','removed')", name="state"
    ),
    comment="The keys a pledge has and had. Fingerprints outlive the wrapped secret.",
)

staged_change = Table(
    "staged_change",
    metadata,
    Column("import_id", _Id, ForeignKey("import_batch.id"), primary_key=True),
    Column("pledge_id", _Id, ForeignKey("pledge.id"), primary_key=True),
    Column("credential_id", _Id, ForeignKey("credential.id"), index=True),
    Column("role", Integer, nullable=False),
    Column("label", Text, nullable=False),
    Column("profile", String(16)),
    Column("network_ids", Text, nullable=False),
    Column("source", Text, nullable=False),
    *_sealed(),
    comment="What an import will change about a pledge that existed before, once published.",
)

context = Table(
    "context",
    metadata,
    _id(),
    Column("pledge_id", _Id, ForeignKey("pledge.id"), nullable=False, index=True),
    Column("credential_id", _Id, ForeignKey("credential.id"), nullable=False, index=True),
    Column("id_context", LargeBinary, nullable=False),
    Column("aead", Integer, nullable=False),
    Column("wrapped_keys", LargeBinary, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    comment="OSCORE contexts (RFC 9031 §7.3): one per credential and B.2 run.",
)

context_kid = Table(
    "context_kid",
    metadata,
    Column("kid_context", LargeBinary, primary_key=True),
    Column("context_id", _Id, ForeignKey("context.id"), primary_key=True, index=True),
    comment="Every kid context under which a context may be asked for.",
)

context_state = Table(
    "context_state",
    metadata,
    Column("context_id", _Id, ForeignKey("context.id"), primary_key=True),
    Column("highest", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("numbers_reserved", BigInteger, nullable=False),
    Column("needs_recovery", Integer, nullable=False),
    Column("request_digest", LargeBinary(16)),
    Column("answer", LargeBinary),
    Column("answered_at_ms", BigInteger),
    Column("answer_peer", LargeBinary(16)),
    Column("answer_generation_id", _Id),
    Column("joined_at_ms", BigInteger),
    *_sealed(),
    CheckConstraint("numbers_reserved BETWEEN 0 AND 1099511627776", name="numbers"),
    comment="What changes with every request: replay window, reserved numbers, stored answer.",
)

short_identifier = Table(
    "short_identifier",
    metadata,
    Column("domain_id", _Id, ForeignKey("key_domain.id"), primary_key=True),
    Column("value", Integer, primary_key=True),
    Column("pledge_id", _Id, ForeignKey("pledge.id")),
    Column("first_generation", BigInteger, nullable=False),
    Column("last_generation", BigInteger, nullable=False),
    Column("lease_until_ms", BigInteger),
    Column("released_at_ms", BigInteger),
    *_sealed(),
    CheckConstraint("value BETWEEN 0 AND 65533", name="value"),
    CheckConstraint("pledge_id IS NOT NULL OR released_at_ms IS NOT NULL", name="holder"),
    # In this order it also finds what a pledge has; a row stays its own when it is given back.
    Index("uq_short_identifier_holder", "pledge_id", "domain_id", unique=True),
    comment="Who holds or burned which value under which generations of keys (§8.4.4.1);"
    " one without pledge was in use before this registrar knew the network.",
)

installation = Table(
    "installation",
    metadata,
    Column("network_id", _Id, ForeignKey("network.id"), primary_key=True),
    Column("installer", String(64), primary_key=True),
    Column("generation", BigInteger),
    Column("installed_at_ms", BigInteger),
    Column("tried_at_ms", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("error", Text),
    *_sealed(),
    comment="What each installer has last put into its radio; error NULL where that went well.",
)

node = Table(
    "node",
    metadata,
    Column("pledge_id", _Id, ForeignKey("pledge.id"), primary_key=True),
    # No index: it would cost each first join a page, and nodes of a network are counted rarely.
    Column("network_id", _Id, ForeignKey("network.id"), nullable=False),
    Column("role", Integer, nullable=False),
    Column("generation_id", _Id, ForeignKey("key_generation.id"), nullable=False),
    Column("first_joined_at_ms", BigInteger, nullable=False),
    Column("address", String(39)),
    Column("settings_number", BigInteger, nullable=False),
    Column("sleep_s", BigInteger),
    comment="Where a pledge has joined, which generation of keys and which settings it has.",
)

node_update = Table(
    "node_update",
    metadata,
    Column("pledge_id", _Id, ForeignKey("pledge.id"), primary_key=True),
    Column("attempts", BigInteger, nullable=False),
    Column("last_error", Text),
    Column("tried_at_ms", BigInteger),
    Column("next_at_ms", BigInteger),
    Column("acknowledged_at_ms", BigInteger),
    Column("refused_number", BigInteger),
    Column("lease_sent_at_ms", BigInteger),
    Column("throttle", BigInteger),
    Column("told_throttle", BigInteger),
    Index(
        "ix_node_update_due",
        "next_at_ms",
        sqlite_where=text("next_at_ms IS NOT NULL"),
        postgresql_where=text("next_at_ms IS NOT NULL"),
    ),
    comment="How it goes with telling a node what it lacks besides keys (RFC 9031 §8.2);"
    " lease_sent_at_ms is of one that it has not acknowledged, throttle the join rate of it alone.",
)

rollover = Table(
    "rollover",
    metadata,
    _id(),
    Column("domain_id", _Id, ForeignKey("key_domain.id"), nullable=False),
    Column("generation_id", _Id, ForeignKey("key_generation.id"), nullable=False),
    Column("former_generation_id", _Id, ForeignKey("key_generation.id"), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("paused_from", String(16)),
    Column("pause_cause", String(32)),
    Column("cause", String(16), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("quorum", Integer, nullable=False),
    Column("deadline_s", BigInteger, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("distributing_at_ms", BigInteger),
    Column("deadline_at_ms", BigInteger),
    Column("switching_at_ms", BigInteger),
    Column("guarding_at_ms", BigInteger),
    Column("ended_at_ms", BigInteger),
    *_sealed(),
    CheckConstraint("quorum BETWEEN 0 AND 1000", name="quorum"),
    Index(
        "uq_rollover_running",
        "domain_id",
        unique=True,
        sqlite_where=text("ended_at_ms IS NULL"),
        postgresql_where=text("ended_at_ms IS NULL"),
    ),
    comment="A change of a key domain's link-layer keys (§8.4.3.1-2); quorum is per mille.",
)

rollover_node = Table(
    "rollover_node",
    metadata,
    Column("rollover_id", _Id, ForeignKey("rollover.id"), primary_key=True),
    Column("pledge_id", _Id, ForeignKey("pledge.id"), primary_key=True),
    Column("network_id", _Id, ForeignKey("network.id"), nullable=False),
    Column("role", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("last_error", Text),
    Column("sent_at_ms", BigInteger),
    Column("reached_at_ms", BigInteger),
    Column("tried_at_ms", BigInteger),
    Column("next_at_ms", BigInteger),
    *_sealed(),
    Index(
        "ix_rollover_node_due",
        "next_at_ms",
        sqlite_where=text("next_at_ms IS NOT NULL"),
        postgresql_where=text("next_at_ms IS NOT NULL"),
    ),
    comment="How far a node is in a rollover; next_at_ms is when it is to be told (again).",
)

wanted_rollover = Table(
    "wanted_rollover",
    metadata,
    Column("domain_id", _Id, ForeignKey("key_domain.id"), primary_key=True),
    Column("cause", String(16), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_at_ms", BigInteger, nullable=False),
    *_sealed(),
    comment="A rollover that begins when the one that is running has ended.",
)

unsupported_parameter = Table(
    "unsupported_parameter",
    metadata,
    Column("pledge_id", _Id, ForeignKey("pledge.id"), primary_key=True),
    Column("label", BigInteger, primary_key=True),
    Column("code", BigInteger, nullable=False),
    Column("addinfo", LargeBinary),
    Column("reported_at_ms", BigInteger, nullable=False),
    comment="What a pledge says it cannot act upon (RFC 9031 §8.4.5); addinfo NULL means null.",
)

event = Table(
    "event",
    metadata,
    Column("number", _Id, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("pledge", LargeBinary),
    Column("network", String(64)),
    Column("actor", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    # Joins are most of the log; an index over them would cost each join a page of its own.
    Index(
        "ix_event_pledge",
        "pledge",
        sqlite_where=text("kind <> 'pledge.joined'"),
        postgresql_where=text("kind <> 'pledge.joined'"),
    ),
    comment="The audit log: append-only, each hash covers the row and the hash before it.",
)
