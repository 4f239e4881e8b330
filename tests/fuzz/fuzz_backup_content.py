"""Fuzzes the reader of the inside of a backup, as somebody may have sealed it for us."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_backup_content")
