"""Sealed files that were opened (docs/handover.md)."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from jrc.store.schema.base import Id, id_column, metadata, sealed

handover = Table(
    "handover",
    metadata,
    id_column(),
    Column("builder", LargeBinary(16), nullable=False),
    Column("serial", String(64), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("import_id", Id, ForeignKey("import_batch.id"), nullable=False),
    Column("row_count", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("opened_at_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    *sealed(),
    UniqueConstraint("builder", "serial"),
    comment="Sealed files that were opened, by builder's key and serial: none is opened twice.",
)
