"""Fuzzes the reader of the record of final backups."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_restored_record")
