"""Networks: what they are called, what their nodes are told, when they let pledges in."""

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
)

from jrc.store.schema.base import Id, id_column, metadata, partial_index, sealed

network = Table(
    "network",
    metadata,
    id_column(),
    Column("name", String(64), nullable=False),
    Column("domain_id", Id, ForeignKey("key_domain.id"), nullable=False, index=True),
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
    *sealed(),
    CheckConstraint("admission IN ('known', 'window', 'approval')", name="admission"),
    partial_index(
        "uq_network_name_live",
        "name",
        unique=True,
        where="removed_at_ms IS NULL",
    ),
)

network_settings = Table(
    "network_settings",
    metadata,
    Column("network_id", Id, ForeignKey("network.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("join_rate", BigInteger),
    Column("jrc_address", String(39)),
    Column("blocked", LargeBinary, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    *sealed(),
    comment="What nodes are told besides keys, by number: blocked is a CBOR array (§8.4.2).",
)

network_identifier = Table(
    "network_identifier",
    metadata,
    Column("network_id", Id, ForeignKey("network.id"), primary_key=True),
    Column("identifier", LargeBinary, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Index("ix_network_identifier_identifier", "identifier"),
    comment="The identifiers a network answers to; a PAN ID may come in either byte order.",
)

join_window = Table(
    "join_window",
    metadata,
    id_column(),
    Column("network_id", Id, ForeignKey("network.id"), nullable=False),
    Column("opened_at_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("max_pledges", BigInteger, nullable=False),
    Column("admitted", BigInteger, nullable=False),
    Column("seen_before_ms", BigInteger, nullable=False),
    Column("closed_at_ms", BigInteger),
    *sealed(),
    CheckConstraint("admitted BETWEEN 0 AND max_pledges", name="admitted"),
    partial_index(
        "uq_join_window_open",
        "network_id",
        unique=True,
        where="closed_at_ms IS NULL",
    ),
    comment="When a network let pledges in that had not joined it, and how many.",
)
