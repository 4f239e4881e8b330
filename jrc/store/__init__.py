"""The database: schema, one file per aggregate, group commit. SQLAlchemy's one home."""
