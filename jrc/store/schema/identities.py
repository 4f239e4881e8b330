"""What devices print of themselves when they boot: public keys, and no secret (RFC 9528 §3.5.2)."""

from sqlalchemy import BigInteger, CheckConstraint, Column, LargeBinary, String, Table

from jrc.store.schema.base import id_column, metadata, partial_index, sealed

identity = Table(
    "identity",
    metadata,
    id_column(),
    # No foreign key: a device is known by what it prints before it is enrolled, or without that.
    Column("identifier", LargeBinary(248), nullable=False, index=True),
    Column("credential", LargeBinary(512), nullable=False),
    Column("thumbprint", LargeBinary(32), nullable=False),
    Column("provenance", String(16), nullable=False),
    Column("place", String(128), nullable=False),
    Column("recorded_at_ms", BigInteger, nullable=False),
    Column("superseded_at_ms", BigInteger),
    *sealed(),
    CheckConstraint("provenance IN ('serial', 'file', 'api', 'operator')", name="provenance"),
    partial_index(
        "uq_identity_identifier_live",
        "identifier",
        unique=True,
        where="superseded_at_ms IS NULL",
    ),
    partial_index(
        "uq_identity_thumbprint_live",
        "thumbprint",
        unique=True,
        where="superseded_at_ms IS NULL",
    ),
    comment="The public credentials a device has and had; no two devices have one in force.",
)
