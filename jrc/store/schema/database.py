"""The database itself: which one it is, the keys that wrap its secrets, its audit log."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from jrc.store.schema.base import Id, id_column, metadata, partial_index, sealed

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
    Column("condition", String(16), nullable=False),
    Column("condition_since_ms", BigInteger, nullable=False),
    Column("condition_detail", Text, nullable=False),
    Column("incarnation", BigInteger, nullable=False),
    Column("event_floor", BigInteger, nullable=False),
    Column("event_floor_hash", LargeBinary(32), nullable=False),
    Column("server", String(64)),
    *sealed(),
    CheckConstraint("id = 1", name="single"),
    CheckConstraint("condition IN ('open', 'quarantined', 'moved')", name="condition"),
    comment="One row: which database this is, its progress, whether it may be used, both ends of"
    " the event chain, and the PostgreSQL server it is on.",
)

data_key = Table(
    "data_key",
    metadata,
    id_column(),
    Column("purpose", String(32), nullable=False),
    Column("kek_id", LargeBinary(8), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("retired_at_ms", BigInteger),
    comment="Data keys by purpose, each wrapped by the key encryption key.",
)

key_slot = Table(
    "key_slot",
    metadata,
    id_column(),
    Column("name", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("key_id", LargeBinary(8), nullable=False),
    Column("public_key", LargeBinary(32)),
    Column("kek_id", LargeBinary(8), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    *sealed(),
    CheckConstraint("kind IN ('file', 'recovery')", name="kind"),
    comment="The key encryption key, wrapped once for each key that opens it from outside.",
)

api_token = Table(
    "api_token",
    metadata,
    id_column(),
    Column("name", String(64), nullable=False),
    Column("scope", String(16), nullable=False),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("incarnation", BigInteger, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger),
    Column("used_at_ms", BigInteger),
    Column("revoked_at_ms", BigInteger),
    *sealed(),
    CheckConstraint("scope IN ('read', 'import', 'operate', 'admin')", name="scope"),
    partial_index(
        "uq_api_token_name_live",
        "name",
        unique=True,
        where="revoked_at_ms IS NULL",
    ),
    comment="Who may use the API over TCP: SHA-256 of each token, and what it is good for.",
)

event = Table(
    "event",
    metadata,
    Column("number", Id, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("pledge", LargeBinary),
    Column("network", String(64)),
    Column("actor", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    # Joins are most of the log; an index over them would cost each join a page of its own.
    partial_index(
        "ix_event_pledge",
        "pledge",
        where="kind <> 'pledge.joined'",
    ),
    partial_index(
        "ix_event_kind",
        "kind",
        "number",
        where="kind <> 'pledge.joined'",
    ),
    comment="The audit log: append-only, each hash covers the row and the hash before it.",
)
