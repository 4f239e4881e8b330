"""Pledges that have joined: short identifier, place, what they were told and what they report."""

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

from jrc.store.schema.base import Id, metadata, partial_index, sealed

short_identifier = Table(
    "short_identifier",
    metadata,
    Column("domain_id", Id, ForeignKey("key_domain.id"), primary_key=True),
    Column("value", Integer, primary_key=True),
    Column("pledge_id", Id, ForeignKey("pledge.id")),
    Column("first_generation", BigInteger, nullable=False),
    Column("last_generation", BigInteger, nullable=False),
    Column("lease_until_ms", BigInteger),
    Column("released_at_ms", BigInteger),
    *sealed(),
    CheckConstraint("value BETWEEN 0 AND 65533", name="value"),
    CheckConstraint("pledge_id IS NOT NULL OR released_at_ms IS NOT NULL", name="holder"),
    # In this order it also finds what a pledge has; a row stays its own when it is given back.
    Index("uq_short_identifier_holder", "pledge_id", "domain_id", unique=True),
    comment="Who holds or burned which value under which generations of keys (§8.4.4.1);"
    " one without pledge was in use before this registrar knew the network.",
)

node = Table(
    "node",
    metadata,
    Column("pledge_id", Id, ForeignKey("pledge.id"), primary_key=True),
    # No index: it would cost each first join a page, and nodes of a network are counted rarely.
    Column("network_id", Id, ForeignKey("network.id"), nullable=False),
    Column("role", Integer, nullable=False),
    Column("generation_id", Id, ForeignKey("key_generation.id")),
    Column("first_joined_at_ms", BigInteger, nullable=False),
    Column("address", String(39)),
    Column("settings_number", BigInteger, nullable=False),
    Column("sleep_s", BigInteger),
    comment="Where a pledge has joined, which generation of keys, if any, and which settings it"
    " has.",
)

node_update = Table(
    "node_update",
    metadata,
    Column("pledge_id", Id, ForeignKey("pledge.id"), primary_key=True),
    Column("attempts", BigInteger, nullable=False),
    Column("last_error", Text),
    Column("tried_at_ms", BigInteger),
    Column("next_at_ms", BigInteger),
    Column("acknowledged_at_ms", BigInteger),
    Column("refused_number", BigInteger),
    Column("lease_sent_at_ms", BigInteger),
    Column("throttle", BigInteger),
    Column("told_throttle", BigInteger),
    partial_index(
        "ix_node_update_due",
        "next_at_ms",
        where="next_at_ms IS NOT NULL",
    ),
    comment="How it goes with telling a node what it lacks besides keys (RFC 9031 §8.2);"
    " lease_sent_at_ms is of one that it has not acknowledged, throttle the join rate of it alone.",
)

unsupported_parameter = Table(
    "unsupported_parameter",
    metadata,
    Column("pledge_id", Id, ForeignKey("pledge.id"), primary_key=True),
    Column("label", BigInteger, primary_key=True),
    Column("code", BigInteger, nullable=False),
    Column("addinfo", LargeBinary),
    Column("reported_at_ms", BigInteger, nullable=False),
    comment="What a pledge says it cannot act upon (RFC 9031 §8.4.5); addinfo NULL means null.",
)
