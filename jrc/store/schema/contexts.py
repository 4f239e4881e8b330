"""Security contexts of pledges (RFC 9031 §7.3), and what changes with every request."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Integer, LargeBinary, Table

from jrc.store.schema.base import Id, id_column, metadata, sealed

context = Table(
    "context",
    metadata,
    id_column(),
    Column("pledge_id", Id, ForeignKey("pledge.id"), nullable=False, index=True),
    Column("credential_id", Id, ForeignKey("credential.id"), nullable=False, index=True),
    Column("id_context", LargeBinary, nullable=False),
    Column("aead", Integer, nullable=False),
    Column("wrapped_keys", LargeBinary, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("replaces_id", Id),
    comment="OSCORE contexts (RFC 9031 §7.3): one per credential and B.2 run. replaces_id is"
    " the lost one of that run, until a later message verifies under its successor.",
)

context_kid = Table(
    "context_kid",
    metadata,
    Column("kid_context", LargeBinary, primary_key=True),
    Column("context_id", Id, ForeignKey("context.id"), primary_key=True, index=True),
    comment="Every kid context under which a context may be asked for.",
    sqlite_with_rowid=False,
)

context_state = Table(
    "context_state",
    metadata,
    Column("context_id", Id, ForeignKey("context.id"), primary_key=True),
    Column("highest", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("numbers_reserved", BigInteger, nullable=False),
    Column("needs_recovery", Integer, nullable=False),
    Column("request_digest", LargeBinary(16)),
    Column("answer", LargeBinary),
    Column("answered_at_ms", BigInteger),
    Column("answer_peer", LargeBinary(16)),
    Column("answer_generation_id", Id),
    Column("joined_at_ms", BigInteger),
    *sealed(),
    CheckConstraint("numbers_reserved BETWEEN 0 AND 1099511627776", name="numbers"),
    comment="What changes with every request: replay window, reserved numbers, stored answer.",
)

recovery_run = Table(
    "recovery_run",
    metadata,
    Column("r2", LargeBinary(16), primary_key=True),
    Column("context_id", Id, ForeignKey("context.id"), nullable=False, index=True),
    Column("number", BigInteger, nullable=False),
    Column("request_digest", LargeBinary(16), nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("answer_peer", LargeBinary(16), nullable=False),
    Column("begun_at_ms", BigInteger, nullable=False),
    *sealed(),
    comment="RFC 8613 B.2 runs that wait for request #2; context_id is the lost context.",
)
