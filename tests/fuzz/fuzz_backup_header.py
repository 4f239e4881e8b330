"""Fuzzes the reader of the header of a backup."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_backup_header")
