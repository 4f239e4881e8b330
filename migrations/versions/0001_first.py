"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _api_token()
    _data_key()
    _event()
    _identity()
    _import_batch()
    _handover()
    _instance()
    _key_domain()
    _key_generation()
    _key_slot()
    _network()
    _installation()
    _join_window()
    _pledge()
    _admission()
    _credential()
    _key_fingerprint()
    _link_layer_key()
    _network_identifier()
    _node()
    _pledge_network()
    _short_identifier()
    _unsupported_parameter()
    _context()
    _staged_change()
    _context_kid()
    _context_state()
    _recovery_run()
    _network_settings()
    _node_update()
    _rollover()
    _rollover_node()
    _wanted_rollover()


def _api_token() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("used_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.CheckConstraint(
            "scope IN ('read', 'import', 'operate', 'admin')", name=op.f("ck_api_token_scope")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_token_hash")),
        comment="Who may use the API over TCP: SHA-256 of each token, and what it is good for.",
    )
    op.create_index(
        "uq_api_token_name_live",
        "api_token",
        ["name"],
        unique=True,
        sqlite_where=sa.text("revoked_at_ms IS NULL"),
        postgresql_where=sa.text("revoked_at_ms IS NULL"),
    )


def _data_key() -> None:
    op.create_table(
        "data_key",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("kek_id", sa.LargeBinary(length=8), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("retired_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_key")),
        comment="Data keys by purpose, each wrapped by the key encryption key.",
    )


def _key_slot() -> None:
    op.create_table(
        "key_slot",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key_id", sa.LargeBinary(length=8), nullable=False),
        sa.Column("public_key", sa.LargeBinary(length=32), nullable=True),
        sa.Column("kek_id", sa.LargeBinary(length=8), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.CheckConstraint("kind IN ('file', 'recovery')", name=op.f("ck_key_slot_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_slot")),
        sa.UniqueConstraint("name", name=op.f("uq_key_slot_name")),
        comment="The key encryption key, wrapped once for each key that opens it from outside.",
    )


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("number", _ID, autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("pledge", sa.LargeBinary(), nullable=True),
        sa.Column("network", sa.String(length=64), nullable=True),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_event")),
        comment="The audit log: append-only, each hash covers the row and the hash before it.",
    )
    op.create_index(
        "ix_event_kind",
        "event",
        ["kind", "number"],
        unique=False,
        sqlite_where=sa.text("kind <> 'pledge.joined'"),
        postgresql_where=sa.text("kind <> 'pledge.joined'"),
    )
    op.create_index(
        "ix_event_pledge",
        "event",
        ["pledge"],
        unique=False,
        sqlite_where=sa.text("kind <> 'pledge.joined'"),
        postgresql_where=sa.text("kind <> 'pledge.joined'"),
    )


def _identity() -> None:
    op.create_table(
        "identity",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("identifier", sa.LargeBinary(length=248), nullable=False),
        sa.Column("credential", sa.LargeBinary(length=512), nullable=False),
        sa.Column("thumbprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("provenance", sa.String(length=16), nullable=False),
        sa.Column("place", sa.String(length=128), nullable=False),
        sa.Column("recorded_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("superseded_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.CheckConstraint(
            "provenance IN ('serial', 'file', 'api', 'operator')",
            name=op.f("ck_identity_provenance"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
        comment="The public credentials a device has and had; no two devices have one in force.",
    )
    op.create_index(op.f("ix_identity_identifier"), "identity", ["identifier"], unique=False)
    for column in ("identifier", "thumbprint"):
        op.create_index(
            f"uq_identity_{column}_live",
            "identity",
            [column],
            unique=True,
            sqlite_where=sa.text("superseded_at_ms IS NULL"),
            postgresql_where=sa.text("superseded_at_ms IS NULL"),
        )


def _import_batch() -> None:
    op.create_table(
        "import_batch",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("published_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('staged', 'published', 'discarded')", name=op.f("ck_import_batch_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_batch")),
        comment="Rows of a staged import are invisible until its one row here says published.",
    )


def _handover() -> None:
    op.create_table(
        "handover",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("builder", sa.LargeBinary(length=16), nullable=False),
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("import_id", _ID, nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("opened_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["import_batch.id"], name=op.f("fk_handover_import_id_import_batch")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover")),
        sa.UniqueConstraint("builder", "serial", name=op.f("uq_handover_builder_serial")),
        comment="Sealed files that were opened, by builder's key and serial: none is opened twice.",
    )


def _instance() -> None:
    op.create_table(
        "instance",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.LargeBinary(length=16), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("commit_number", sa.BigInteger(), nullable=False),
        sa.Column("event_number", sa.BigInteger(), nullable=False),
        sa.Column("event_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("policy_revision", sa.BigInteger(), nullable=False),
        sa.Column("clock_high_water_ms", sa.BigInteger(), nullable=False),
        sa.Column("condition", sa.String(length=16), nullable=False),
        sa.Column("condition_since_ms", sa.BigInteger(), nullable=False),
        sa.Column("condition_detail", sa.Text(), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("event_floor", sa.BigInteger(), nullable=False),
        sa.Column("event_floor_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("server", sa.String(length=64), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_instance_single")),
        sa.CheckConstraint(
            "condition IN ('open', 'quarantined', 'moved')", name=op.f("ck_instance_condition")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance")),
        comment="One row: which database this is, its progress, whether it may be used, both ends"
        " of the event chain, and the PostgreSQL server it is on.",
    )


def _key_domain() -> None:
    op.create_table(
        "key_domain",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("key_usages", sa.String(length=32), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_domain")),
        sa.UniqueConstraint("name", name=op.f("uq_key_domain_name")),
        comment="Networks that share link-layer keys (RFC 9031 §8.4.4.1). incarnation is that of"
        " the instance when a recovery last gave it fresh keys.",
    )


def _key_generation() -> None:
    op.create_table(
        "key_generation",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("domain_id", _ID, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("activated_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("retired_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["key_domain.id"], name=op.f("fk_key_generation_domain_id_key_domain")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_generation")),
        sa.UniqueConstraint("domain_id", "number", name=op.f("uq_key_generation_domain_id_number")),
        comment="A set of link-layer keys and its life (RFC 9031 §8.4.3.1).",
    )


def _network() -> None:
    op.create_table(
        "network",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("domain_id", _ID, nullable=False),
        sa.Column("prefix", sa.String(length=43), nullable=False),
        sa.Column("prefix_from", sa.String(length=15), nullable=True),
        sa.Column("jrc_address", sa.String(length=39), nullable=True),
        sa.Column("jrc_address_from", sa.String(length=15), nullable=True),
        sa.Column("addresses_changed_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("short_id_first", sa.Integer(), nullable=False),
        sa.Column("short_id_last", sa.Integer(), nullable=False),
        sa.Column("lease_hours", sa.BigInteger(), nullable=True),
        sa.Column("join_rate", sa.BigInteger(), nullable=True),
        sa.Column("throttle", sa.BigInteger(), nullable=True),
        sa.Column("quiet", sa.Integer(), nullable=False),
        sa.Column("profile", sa.String(length=16), nullable=False),
        sa.Column("admission", sa.String(length=16), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("removed_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.CheckConstraint(
            "admission IN ('known', 'window', 'approval')", name=op.f("ck_network_admission")
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["key_domain.id"], name=op.f("fk_network_domain_id_key_domain")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network")),
    )
    op.create_index(op.f("ix_network_domain_id"), "network", ["domain_id"], unique=False)
    op.create_index(
        "uq_network_name_live",
        "network",
        ["name"],
        unique=True,
        sqlite_where=sa.text("removed_at_ms IS NULL"),
        postgresql_where=sa.text("removed_at_ms IS NULL"),
    )


def _installation() -> None:
    op.create_table(
        "installation",
        sa.Column("network_id", _ID, nullable=False),
        sa.Column("installer", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=True),
        sa.Column("installed_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("tried_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["network_id"], ["network.id"], name=op.f("fk_installation_network_id_network")
        ),
        sa.PrimaryKeyConstraint("network_id", "installer", name=op.f("pk_installation")),
        comment="What each installer has last put into its radio; error NULL where that went well.",
    )


def _join_window() -> None:
    op.create_table(
        "join_window",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("network_id", _ID, nullable=False),
        sa.Column("opened_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("max_pledges", sa.BigInteger(), nullable=False),
        sa.Column("admitted", sa.BigInteger(), nullable=False),
        sa.Column("seen_before_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.CheckConstraint(
            "admitted BETWEEN 0 AND max_pledges", name=op.f("ck_join_window_admitted")
        ),
        sa.ForeignKeyConstraint(
            ["network_id"], ["network.id"], name=op.f("fk_join_window_network_id_network")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_join_window")),
        comment="When a network let pledges in that had not joined it, and how many.",
    )
    op.create_index(
        "uq_join_window_open",
        "join_window",
        ["network_id"],
        unique=True,
        sqlite_where=sa.text("closed_at_ms IS NULL"),
        postgresql_where=sa.text("closed_at_ms IS NULL"),
    )


def _pledge() -> None:
    op.create_table(
        "pledge",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("identifier", sa.LargeBinary(length=248), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("state_before_revocation", sa.String(length=16), nullable=True),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("profile", sa.String(length=16), nullable=True),
        sa.Column("credential_id", _ID, nullable=True),
        sa.Column("candidate_id", _ID, nullable=True),
        sa.Column("import_id", _ID, nullable=True),
        sa.Column("supersedes_id", _ID, nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["import_batch.id"], name=op.f("fk_pledge_import_id_import_batch")
        ),
        sa.ForeignKeyConstraint(
            ["supersedes_id"], ["pledge.id"], name=op.f("fk_pledge_supersedes_id_pledge")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pledge")),
        sa.UniqueConstraint("identifier", name=op.f("uq_pledge_identifier")),
        comment="A device. credential_id is the key in force, candidate_id one that waits for its"
        " next firmware; removed rows stay as tombstones.",
    )
    op.create_index(
        "ix_pledge_supersedes_id",
        "pledge",
        ["supersedes_id"],
        unique=False,
        sqlite_where=sa.text("supersedes_id IS NOT NULL"),
        postgresql_where=sa.text("supersedes_id IS NOT NULL"),
    )


def _admission() -> None:
    op.create_table(
        "admission",
        sa.Column("pledge_id", _ID, nullable=False),
        sa.Column("network_id", _ID, nullable=False),
        sa.Column("asked_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("admitted_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["network_id"], ["network.id"], name=op.f("fk_admission_network_id_network")
        ),
        sa.ForeignKeyConstraint(
            ["pledge_id"], ["pledge.id"], name=op.f("fk_admission_pledge_id_pledge")
        ),
        sa.PrimaryKeyConstraint("pledge_id", "network_id", name=op.f("pk_admission")),
        comment="Who was let into a network that does not admit everybody; NULL is still waiting.",
    )
    op.create_index(op.f("ix_admission_network_id"), "admission", ["network_id"], unique=False)


def _credential() -> None:
    op.create_table(
        "credential",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("pledge_id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("wrapped_secret", sa.LargeBinary(), nullable=True),
        sa.Column("aead", sa.Integer(), nullable=False),
        sa.Column("hkdf", sa.Integer(), nullable=False),
        sa.Column("provenance", sa.String(length=32), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("import_id", _ID, nullable=True),
        sa.Column("psk_fingerprint", sa.LargeBinary(length=16), nullable=True),
        sa.Column("sender_fingerprint", sa.LargeBinary(length=16), nullable=False),
        sa.Column("recipient_fingerprint", sa.LargeBinary(length=16), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("retired_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("kind IN ('psk', 'derived')", name=op.f("ck_credential_kind")),
        sa.CheckConstraint(
            "state IN ('staged','current','candidate','superseded','withdrawn','transferred',"
            "'removed')",
            name=op.f("ck_credential_state"),
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["import_batch.id"], name=op.f("fk_credential_import_id_import_batch")
        ),
        sa.ForeignKeyConstraint(
            ["pledge_id"], ["pledge.id"], name=op.f("fk_credential_pledge_id_pledge")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential")),
        comment="The keys a pledge has and had. Fingerprints outlive the wrapped secret.",
    )
    op.create_index(op.f("ix_credential_import_id"), "credential", ["import_id"], unique=False)
    op.create_index(op.f("ix_credential_pledge_id"), "credential", ["pledge_id"], unique=False)


def _key_fingerprint() -> None:
    op.create_table(
        "key_fingerprint",
        sa.Column("fingerprint", sa.LargeBinary(length=16), nullable=False),
        sa.Column("credential_id", _ID, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_key_fingerprint")),
        comment="Every key that a pledge has or had, once, whatever it was used for.",
        sqlite_with_rowid=False,
    )


def _link_layer_key() -> None:
    op.create_table(
        "link_layer_key",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("generation_id", _ID, nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("key_usage", sa.Integer(), nullable=False),
        sa.Column("key_addinfo", sa.LargeBinary(), nullable=True),
        sa.Column("mic_length", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=16), nullable=False),
        sa.Column("wrapped_value", sa.LargeBinary(), nullable=False),
        sa.Column("provenance", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["generation_id"],
            ["key_generation.id"],
            name=op.f("fk_link_layer_key_generation_id_key_generation"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link_layer_key")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_link_layer_key_fingerprint")),
        comment="Key values; the fingerprint keeps a value from ever being used a second time.",
    )
    op.create_index(
        op.f("ix_link_layer_key_generation_id"), "link_layer_key", ["generation_id"], unique=False
    )


def _network_identifier() -> None:
    op.create_table(
        "network_identifier",
        sa.Column("network_id", _ID, nullable=False),
        sa.Column("identifier", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["network_id"], ["network.id"], name=op.f("fk_network_identifier_network_id_network")
        ),
        sa.PrimaryKeyConstraint("network_id", "identifier", name=op.f("pk_network_identifier")),
        comment="The identifiers a network answers to; a PAN ID may come in either byte order.",
    )
    op.create_index(
        "ix_network_identifier_identifier", "network_identifier", ["identifier"], unique=False
    )


def _node() -> None:
    op.create_table(
        "node",
        sa.Column("pledge_id", _ID, nullable=False),
        sa.Column("network_id", _ID, nullable=False),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("generation_id", _ID, nullable=True),
        sa.Column("first_joined_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(length=39), nullable=True),
        sa.Column("settings_number", sa.BigInteger(), nullable=False),
        sa.Column("sleep_s", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["generation_id"],
            ["key_generation.id"],
            name=op.f("fk_node_generation_id_key_generation"),
        ),
        sa.ForeignKeyConstraint(
            ["network_id"], ["network.id"], name=op.f("fk_node_network_id_network")
        ),
        sa.ForeignKeyConstraint(
            ["pledge_id"], ["pledge.id"], name=op.f("fk_node_pledge_id_pledge")
        ),
        sa.PrimaryKeyConstraint("pledge_id", name=op.f("pk_node")),
        comment="Where a pledge has joined, which generation of keys, if any, and which settings it"
        " has.",
    )


def _pledge_network() -> None:
    op.create_table(
        "pledge_network",
        sa.Column("pledge_id", _ID, nullable=False),
        sa.Column("network_id", _ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pledge_id"], ["pledge.id"], name=op.f("fk_pledge_network_pledge_id_pledge")
        ),
        sa.ForeignKeyConstraint(
            ["network_id"], ["network.id"], name=op.f("fk_pledge_network_network_id_network")
        ),
        sa.PrimaryKeyConstraint("pledge_id", "network_id", name=op.f("pk_pledge_network")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_pledge_network_network", "pledge_network", ["network_id", "pledge_id"], unique=False
    )


def _short_identifier() -> None:
    op.create_table(
        "short_identifier",
        sa.Column("domain_id", _ID, nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("pledge_id", _ID, nullable=True),
        sa.Column("first_generation", sa.BigInteger(), nullable=False),
        sa.Column("last_generation", sa.BigInteger(), nullable=False),
        sa.Column("lease_until_ms", sa.BigInteger(), nullable=True),
        sa.Column("released_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.CheckConstraint(
            "pledge_id IS NOT NULL OR released_at_ms IS NOT NULL",
            name=op.f("ck_short_identifier_holder"),
        ),
        sa.CheckConstraint("value BETWEEN 0 AND 65533", name=op.f("ck_short_identifier_value")),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["key_domain.id"], name=op.f("fk_short_identifier_domain_id_key_domain")
        ),
        sa.ForeignKeyConstraint(
            ["pledge_id"], ["pledge.id"], name=op.f("fk_short_identifier_pledge_id_pledge")
        ),
        sa.PrimaryKeyConstraint("domain_id", "value", name=op.f("pk_short_identifier")),
        comment="Who holds or burned which value under which generations of keys (§8.4.4.1);"
        " one without pledge was in use before this registrar knew the network.",
    )
    op.create_index(
        "uq_short_identifier_holder", "short_identifier", ["pledge_id", "domain_id"], unique=True
    )


def _unsupported_parameter() -> None:
    op.create_table(
        "unsupported_parameter",
        sa.Column("pledge_id", _ID, nullable=False),
        sa.Column("label", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.BigInteger(), nullable=False),
        sa.Column("addinfo", sa.LargeBinary(), nullable=True),
        sa.Column("reported_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pledge_id"], ["pledge.id"], name=op.f("fk_unsupported_parameter_pledge_id_pledge")
        ),
        sa.PrimaryKeyConstraint("pledge_id", "label", name=op.f("pk_unsupported_parameter")),
        comment="What a pledge says it cannot act upon (RFC 9031 §8.4.5); addinfo NULL means null.",
    )


def _context() -> None:
    op.create_table(
        "context",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("pledge_id", _ID, nullable=False),
        sa.Column("credential_id", _ID, nullable=False),
        sa.Column("id_context", sa.LargeBinary(), nullable=False),
        sa.Column("aead", sa.Integer(), nullable=False),
        sa.Column("wrapped_keys", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("replaces_id", _ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["credential_id"], ["credential.id"], name=op.f("fk_context_credential_id_credential")
        ),
        sa.ForeignKeyConstraint(
            ["pledge_id"], ["pledge.id"], name=op.f("fk_context_pledge_id_pledge")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_context")),
        comment="OSCORE contexts (RFC 9031 §7.3): one per credential and B.2 run. replaces_id is"
        " the lost one of that run, until a later message verifies under its successor.",
    )
    op.create_index(op.f("ix_context_credential_id"), "context", ["credential_id"], unique=False)
    op.create_index(op.f("ix_context_pledge_id"), "context", ["pledge_id"], unique=False)


def _staged_change() -> None:
    op.create_table(
        "staged_change",
        sa.Column("import_id", _ID, nullable=False),
        sa.Column("pledge_id", _ID, nullable=False),
        sa.Column("credential_id", _ID, nullable=True),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("profile", sa.String(length=16), nullable=True),
        sa.Column("network_ids", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("waits", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["credential_id"],
            ["credential.id"],
            name=op.f("fk_staged_change_credential_id_credential"),
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["import_batch.id"], name=op.f("fk_staged_change_import_id_import_batch")
        ),
        sa.ForeignKeyConstraint(
            ["pledge_id"], ["pledge.id"], name=op.f("fk_staged_change_pledge_id_pledge")
        ),
        sa.PrimaryKeyConstraint("import_id", "pledge_id", name=op.f("pk_staged_change")),
        comment="What an import will change about a pledge that existed before, once published.",
    )
    op.create_index(
        op.f("ix_staged_change_credential_id"), "staged_change", ["credential_id"], unique=False
    )


def _context_kid() -> None:
    op.create_table(
        "context_kid",
        sa.Column("kid_context", sa.LargeBinary(), nullable=False),
        sa.Column("context_id", _ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["context_id"], ["context.id"], name=op.f("fk_context_kid_context_id_context")
        ),
        sa.PrimaryKeyConstraint("kid_context", "context_id", name=op.f("pk_context_kid")),
        comment="Every kid context under which a context may be asked for.",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_context_kid_context_id"), "context_kid", ["context_id"], unique=False)


def _context_state() -> None:
    op.create_table(
        "context_state",
        sa.Column("context_id", _ID, nullable=False),
        sa.Column("highest", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("numbers_reserved", sa.BigInteger(), nullable=False),
        sa.Column("needs_recovery", sa.Integer(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(length=16), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("answered_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("answer_peer", sa.LargeBinary(length=16), nullable=True),
        sa.Column("answer_generation_id", _ID, nullable=True),
        sa.Column("joined_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.CheckConstraint(
            "numbers_reserved BETWEEN 0 AND 1099511627776", name=op.f("ck_context_state_numbers")
        ),
        sa.ForeignKeyConstraint(
            ["context_id"], ["context.id"], name=op.f("fk_context_state_context_id_context")
        ),
        sa.PrimaryKeyConstraint("context_id", name=op.f("pk_context_state")),
        comment="What changes with every request: replay window, reserved numbers, stored answer.",
    )


def _recovery_run() -> None:
    op.create_table(
        "recovery_run",
        sa.Column("r2", sa.LargeBinary(length=16), nullable=False),
        sa.Column("context_id", _ID, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("answer_peer", sa.LargeBinary(length=16), nullable=False),
        sa.Column("begun_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["context_id"], ["context.id"], name=op.f("fk_recovery_run_context_id_context")
        ),
        sa.PrimaryKeyConstraint("r2", name=op.f("pk_recovery_run")),
        comment="RFC 8613 B.2 runs that wait for request #2; context_id is the lost context.",
    )
    op.create_index(
        op.f("ix_recovery_run_context_id"), "recovery_run", ["context_id"], unique=False
    )


def _network_settings() -> None:
    op.create_table(
        "network_settings",
        sa.Column("network_id", _ID, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("join_rate", sa.BigInteger(), nullable=True),
        sa.Column("jrc_address", sa.String(length=39), nullable=True),
        sa.Column("blocked", sa.LargeBinary(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["network_id"], ["network.id"], name=op.f("fk_network_settings_network_id_network")
        ),
        sa.PrimaryKeyConstraint("network_id", "number", name=op.f("pk_network_settings")),
        comment="What nodes are told besides keys, by number: blocked is a CBOR array (§8.4.2).",
    )


def _node_update() -> None:
    op.create_table(
        "node_update",
        sa.Column("pledge_id", _ID, nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("tried_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("next_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("refused_number", sa.BigInteger(), nullable=True),
        sa.Column("lease_sent_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("throttle", sa.BigInteger(), nullable=True),
        sa.Column("told_throttle", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["pledge_id"], ["pledge.id"], name=op.f("fk_node_update_pledge_id_pledge")
        ),
        sa.PrimaryKeyConstraint("pledge_id", name=op.f("pk_node_update")),
        comment="How it goes with telling a node what it lacks besides keys (RFC 9031 §8.2);"
        " lease_sent_at_ms is of one that it has not acknowledged, throttle the join rate of it"
        " alone.",
    )
    op.create_index(
        "ix_node_update_due",
        "node_update",
        ["next_at_ms"],
        unique=False,
        sqlite_where=sa.text("next_at_ms IS NOT NULL"),
        postgresql_where=sa.text("next_at_ms IS NOT NULL"),
    )


def _rollover() -> None:
    op.create_table(
        "rollover",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("domain_id", _ID, nullable=False),
        sa.Column("generation_id", _ID, nullable=False),
        sa.Column("former_generation_id", _ID, nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("paused_from", sa.String(length=16), nullable=True),
        sa.Column("pause_cause", sa.String(length=32), nullable=True),
        sa.Column("cause", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("quorum", sa.Integer(), nullable=False),
        sa.Column("deadline_s", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("distributing_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("deadline_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("switching_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("guarding_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.CheckConstraint("quorum BETWEEN 0 AND 1000", name=op.f("ck_rollover_quorum")),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["key_domain.id"], name=op.f("fk_rollover_domain_id_key_domain")
        ),
        sa.ForeignKeyConstraint(
            ["former_generation_id"],
            ["key_generation.id"],
            name=op.f("fk_rollover_former_generation_id_key_generation"),
        ),
        sa.ForeignKeyConstraint(
            ["generation_id"],
            ["key_generation.id"],
            name=op.f("fk_rollover_generation_id_key_generation"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollover")),
        comment="A change of a key domain's link-layer keys (§8.4.3.1-2); quorum is per mille.",
    )
    op.create_index(
        "uq_rollover_running",
        "rollover",
        ["domain_id"],
        unique=True,
        sqlite_where=sa.text("ended_at_ms IS NULL"),
        postgresql_where=sa.text("ended_at_ms IS NULL"),
    )


def _rollover_node() -> None:
    op.create_table(
        "rollover_node",
        sa.Column("rollover_id", _ID, nullable=False),
        sa.Column("pledge_id", _ID, nullable=False),
        sa.Column("network_id", _ID, nullable=False),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("sent_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("reached_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("tried_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("next_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["network_id"], ["network.id"], name=op.f("fk_rollover_node_network_id_network")
        ),
        sa.ForeignKeyConstraint(
            ["pledge_id"], ["pledge.id"], name=op.f("fk_rollover_node_pledge_id_pledge")
        ),
        sa.ForeignKeyConstraint(
            ["rollover_id"], ["rollover.id"], name=op.f("fk_rollover_node_rollover_id_rollover")
        ),
        sa.PrimaryKeyConstraint("rollover_id", "pledge_id", name=op.f("pk_rollover_node")),
        comment="How far a node is in a rollover; next_at_ms is when it is to be told (again).",
    )
    op.create_index(
        "ix_rollover_node_due",
        "rollover_node",
        ["next_at_ms"],
        unique=False,
        sqlite_where=sa.text("next_at_ms IS NOT NULL"),
        postgresql_where=sa.text("next_at_ms IS NOT NULL"),
    )


def _wanted_rollover() -> None:
    op.create_table(
        "wanted_rollover",
        sa.Column("domain_id", _ID, nullable=False),
        sa.Column("cause", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["key_domain.id"], name=op.f("fk_wanted_rollover_domain_id_key_domain")
        ),
        sa.PrimaryKeyConstraint("domain_id", name=op.f("pk_wanted_rollover")),
        comment="A rollover that begins when the one that is running has ended.",
    )
