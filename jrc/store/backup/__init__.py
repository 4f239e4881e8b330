"""Backups: a logical dump of every table in one file, sealed; docs/backup.md has the format."""
