"""Fuzzes the reader of lines of an exported audit log."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_event_line")
