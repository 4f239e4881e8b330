"""Use cases: where policy meets storage."""
