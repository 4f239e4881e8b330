"""Link-layer keys (RFC 9031 §8.4.3) by key domain and generation, and where they were installed."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from jrc.store.schema.base import Id, id_column, metadata, sealed

key_domain = Table(
    "key_domain",
    metadata,
    id_column(),
    Column("name", String(64), nullable=False, unique=True),
    Column("key_usages", String(32), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("incarnation", BigInteger, nullable=False),
    *sealed(),
    comment="Networks that share link-layer keys (RFC 9031 §8.4.4.1). incarnation is that of the"
    " instance when a recovery last gave it fresh keys.",
)

key_generation = Table(
    "key_generation",
    metadata,
    id_column(),
    Column("domain_id", Id, ForeignKey("key_domain.id"), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("activated_at_ms", BigInteger),
    Column("retired_at_ms", BigInteger),
    *sealed(),
    UniqueConstraint("domain_id", "number"),
    comment="A set of link-layer keys and its life (RFC 9031 §8.4.3.1).",
)

link_layer_key = Table(
    "link_layer_key",
    metadata,
    id_column(),
    Column("generation_id", Id, ForeignKey("key_generation.id"), nullable=False, index=True),
    Column("key_id", Integer, nullable=False),
    Column("key_usage", Integer, nullable=False),
    Column("key_addinfo", LargeBinary),
    Column("mic_length", Integer, nullable=False),
    Column("fingerprint", LargeBinary(16), nullable=False, unique=True),
    Column("wrapped_value", LargeBinary, nullable=False),
    Column("provenance", String(32), nullable=False),
    comment="Key values; the fingerprint keeps a value from ever being used a second time.",
)

installation = Table(
    "installation",
    metadata,
    Column("network_id", Id, ForeignKey("network.id"), primary_key=True),
    Column("installer", String(64), primary_key=True),
    Column("generation", BigInteger),
    Column("installed_at_ms", BigInteger),
    Column("tried_at_ms", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("error", Text),
    *sealed(),
    comment="What each installer has last put into its radio; error NULL where that went well.",
)
