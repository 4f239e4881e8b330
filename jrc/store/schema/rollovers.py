"""Changes of a key domain's link-layer keys (RFC 9031 §8.4.3.1-2)."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
)

from jrc.store.schema.base import Id, id_column, metadata, partial_index, sealed

rollover = Table(
    "rollover",
    metadata,
    id_column(),
    Column("domain_id", Id, ForeignKey("key_domain.id"), nullable=False),
    Column("generation_id", Id, ForeignKey("key_generation.id"), nullable=False),
    Column("former_generation_id", Id, ForeignKey("key_generation.id"), nullable=False),
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
    *sealed(),
    CheckConstraint("quorum BETWEEN 0 AND 1000", name="quorum"),
    partial_index(
        "uq_rollover_running",
        "domain_id",
        unique=True,
        where="ended_at_ms IS NULL",
    ),
    comment="A change of a key domain's link-layer keys (§8.4.3.1-2); quorum is per mille.",
)

rollover_node = Table(
    "rollover_node",
    metadata,
    Column("rollover_id", Id, ForeignKey("rollover.id"), primary_key=True),
    Column("pledge_id", Id, ForeignKey("pledge.id"), primary_key=True),
    Column("network_id", Id, ForeignKey("network.id"), nullable=False),
    Column("role", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("last_error", Text),
    Column("sent_at_ms", BigInteger),
    Column("reached_at_ms", BigInteger),
    Column("tried_at_ms", BigInteger),
    Column("next_at_ms", BigInteger),
    *sealed(),
    partial_index(
        "ix_rollover_node_due",
        "next_at_ms",
        where="next_at_ms IS NOT NULL",
    ),
    comment="How far a node is in a rollover; next_at_ms is when it is to be told (again).",
)

wanted_rollover = Table(
    "wanted_rollover",
    metadata,
    Column("domain_id", Id, ForeignKey("key_domain.id"), primary_key=True),
    Column("cause", String(16), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_at_ms", BigInteger, nullable=False),
    *sealed(),
    comment="A rollover that begins when the one that is running has ended.",
)
