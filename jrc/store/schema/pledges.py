"""Pledges, their credentials, where they may join, and imports of them."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from jrc.store.schema.base import Id, id_column, metadata, partial_index, sealed

import_batch = Table(
    "import_batch",
    metadata,
    id_column(),
    Column("source", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
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
    id_column(),
    Column("identifier", LargeBinary(248), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("state_before_revocation", String(16)),
    Column("role", Integer, nullable=False),
    Column("label", Text, nullable=False),
    Column("profile", String(16)),
    Column("credential_id", Id),
    Column("candidate_id", Id),
    Column("import_id", Id, ForeignKey("import_batch.id")),
    Column("supersedes_id", Id, ForeignKey("pledge.id")),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    *sealed(),
    partial_index(
        "ix_pledge_supersedes_id",
        "supersedes_id",
        where="supersedes_id IS NOT NULL",
    ),
    comment="A device. credential_id is the key in force, candidate_id one that waits for its next"
    " firmware; removed rows stay as tombstones.",
)

pledge_network = Table(
    "pledge_network",
    metadata,
    Column("pledge_id", Id, ForeignKey("pledge.id"), primary_key=True),
    Column("network_id", Id, ForeignKey("network.id"), primary_key=True),
    Column("position", Integer, nullable=False),
    Index("ix_pledge_network_network", "network_id", "pledge_id"),
    sqlite_with_rowid=False,
)

admission = Table(
    "admission",
    metadata,
    Column("pledge_id", Id, ForeignKey("pledge.id"), primary_key=True),
    Column("network_id", Id, ForeignKey("network.id"), primary_key=True, index=True),
    Column("asked_at_ms", BigInteger),
    Column("admitted_at_ms", BigInteger),
    *sealed(),
    comment="Who was let into a network that does not admit everybody; NULL is still waiting.",
)

credential = Table(
    "credential",
    metadata,
    id_column(),
    Column("pledge_id", Id, ForeignKey("pledge.id"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("wrapped_secret", LargeBinary),
    Column("aead", Integer, nullable=False),
    Column("hkdf", Integer, nullable=False),
    Column("provenance", String(32), nullable=False),
    Column("source", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("import_id", Id, ForeignKey("import_batch.id"), index=True),
    Column("psk_fingerprint", LargeBinary(16)),
    Column("sender_fingerprint", LargeBinary(16), nullable=False),
    Column("recipient_fingerprint", LargeBinary(16), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("retired_at_ms", BigInteger),
    CheckConstraint("kind IN ('psk', 'derived')", name="kind"),
    CheckConstraint(
        "state IN ('staged','current','candidate','superseded','withdrawn','transferred',"
        "'removed')",
        name="state",
    ),
    comment="The keys a pledge has and had. Fingerprints outlive the wrapped secret.",
)

key_fingerprint = Table(
    "key_fingerprint",
    metadata,
    Column("fingerprint", LargeBinary(16), primary_key=True),
    # No foreign key: one would want an index, and what is random fills an index slowly.
    Column("credential_id", Id, nullable=False),
    comment="Every key that a pledge has or had, once, whatever it was used for.",
    sqlite_with_rowid=False,
)

staged_change = Table(
    "staged_change",
    metadata,
    Column("import_id", Id, ForeignKey("import_batch.id"), primary_key=True),
    Column("pledge_id", Id, ForeignKey("pledge.id"), primary_key=True),
    Column("credential_id", Id, ForeignKey("credential.id"), index=True),
    Column("role", Integer, nullable=False),
    Column("label", Text, nullable=False),
    Column("profile", String(16)),
    Column("network_ids", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("waits", Integer, nullable=False),
    *sealed(),
    comment="What an import will change about a pledge that existed before, once published.",
)
